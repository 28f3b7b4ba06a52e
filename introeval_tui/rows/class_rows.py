"""The rows of a class: its numbers, and its students with their standing. Pure."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len

from introeval_tui.rows.cells import Piece, Row, clean, fit, row
from introeval_tui.rows.table import mark, rule

if TYPE_CHECKING:
    from daemon.contracts.wire.classes import ClassShown, StudentLine
    from daemon.contracts.wire.status import OpenClass

STANDINGS = ("missing", "in_work", "unreadable", "needs_review", "held", "released")
_LOOK = {
    "missing": ("◌", "bold yellow"),
    "in_work": ("●", "cyan"),
    "unreadable": ("✗", "bold red"),
    "needs_review": ("•", "bold yellow"),
    "held": ("‖", "yellow"),
    "released": ("✓", "green"),
}
_SAID = {
    "missing": "missing",
    "in_work": "in work",
    "unreadable": "unreadable",
    "needs_review": "to review",
    "held": "held back",
    "released": "released",
    "doubled": "more than once",
    "late": "late",
    "unknown": "not on the roster",
}
_HEADER = ("missing", "unreadable", "needs_review", "held", "late")
_STANDING = 15


def _numbers(counts: Mapping[str, int], students: int, names: Sequence[str]) -> list[Piece]:
    """`24 of 30 handed in, 6 missing`, each with its colour; what is none is left out."""
    of = f" of {students}" if students else ""
    pieces: list[Piece] = [(f"{counts.get('handed_in', 0)}{of} handed in", "")]
    for name in names:
        if count := counts.get(name):
            pieces += [(", ", ""), (f"{count} {_SAID[name]}", _LOOK.get(name, ("", ""))[1])]
    return pieces


def open_class_row(said: "OpenClass", width: int) -> Row:
    """The open class in the header."""
    name = fit(said.name, min(24, cell_len(clean(said.name[:48]))))
    names = _HEADER if said.students else [each for each in _HEADER if each != "missing"]
    left = [(f" {name}  ", "bold"), *_numbers(said.counts, said.students, names)]
    keys = [("   V ", "bold cyan"), ("review", "dim"), ("  L ", "bold cyan"), ("students", "dim")]
    has_room = sum(cell_len(text) for text, _ in (*left, *keys)) <= width
    return row(width, *left, *(keys if has_room else []))


def head_rows(shown: "ClassShown", standing: str | None, width: int) -> list[Row]:
    """The name of the class, its numbers, and the filter."""
    state = "" if shown.opened_at is None else ", closed" if shown.closed_at else ", open"
    names = list(_SAID) if shown.students else [name for name in _SAID if name not in ("missing", "unknown")]
    left = f"─Students ─ {_SAID[standing] if standing else 'all'}"
    return [
        row(width, (" < esc ", "dim"), (f" class {clean(shown.name)}{state}", "bold")),
        row(width, (" ", ""), *_numbers(shown.counts, shown.students, names)),
        rule(left, " f: filter ──", width, focused=True),
    ]


def student_row(line: "StudentLine", width: int, *, cursor: bool) -> Row:
    """A student: id, name, standing, rating, and what else is to be known."""
    sign, style = _LOOK.get(line.standing, ("•", ""))
    room = 14 if width < 100 else 20
    note = [line.held] if line.held else []
    note += ["late"] * line.late + ["not on the roster"] * line.unknown
    note += [f"decided by {line.decided_by or 'somebody'}"] if line.decided_by is not None else []
    note += [f"{len(line.tasks)} videos"] if len(line.tasks) > 1 else []
    whole = "reverse" if cursor else None
    cells = (
        (fit(mark(cursor=cursor, marked=False)[0], 2), "bold"),
        (fit(line.student, room) + " ", "bold"),
        (fit(line.name, room) + " ", ""),
        (fit(f"{sign} {_SAID[line.standing]}", _STANDING), style),
        (fit("" if line.rating is None else f"{line.rating}/10", 6), ""),
    )
    left = max(0, width - sum(cell_len(text) for text, _ in cells))
    return row(
        width, *((text, whole or style) for text, style in (*cells, (fit("; ".join(note), left), "dim")))
    )
