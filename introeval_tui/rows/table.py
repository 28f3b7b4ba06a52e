"""The table of tasks as rows of fixed columns. Pure."""

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, NamedTuple

from introeval_tui.rows import words
from introeval_tui.rows.cells import Piece, Row, fit, spread
from introeval_tui.rows.format import ahead, bar, coarse, parse, took
from introeval_tui.rows.state import ListView, OrderBy, Query, Scene
from introeval_tui.rows.target import Listing

if TYPE_CHECKING:
    from daemon.contracts.wire.tasks import TaskLine

_BAR = 10
_TIGHT = 72  # cells; a narrower table leaves out the age
_ROOMY = 92  # cells; a wider table also has the video's length and the retries
ORDER_OF = {
    "ID": OrderBy.QUEUE,
    "STUDENT": OrderBy.STUDENT,
    "STATE": OrderBy.STATUS,
    "AGE": OrderBy.AGE,
    "ETA": OrderBy.ETA,
}
"""The order that a click on a heading asks for."""


class Column(NamedTuple):
    """One column: its heading, its width in cells including a gap, and its alignment."""

    name: str
    width: int
    align: str = "<"


def columns(width: int, view: ListView = ListView.OPEN) -> list[Column]:
    """The columns for a table of `width` cells. Progress and reason share what the others leave."""
    student = 18 if width >= _ROOMY else 14 if width >= _TIGHT else 9
    before = [Column("", 2), Column("ID", 6), Column("STUDENT", student), Column("STATE", 15)]
    after = [Column("AGE", 6, ">"), Column("ETA", 7, ">")]
    if view in (ListView.FAILED, ListView.DONE):
        del after[1]
    if width < _TIGHT:
        del after[0]
    elif width >= _ROOMY:
        after = [Column("VIDEO", 7, ">"), Column("RETRY", 6, ">"), *after]
    said = width - sum(column.width for column in (*before, *after))
    return [*before, Column("PROGRESS OR REASON", max(4, said)), *after]


def heading(shown: list[Column], query: Query) -> Row:
    """The row with the names of the columns; the one that sorts has an arrow."""
    arrow = "▲" if query.descending else "▼"
    names = [name for name, order in ORDER_OF.items() if order is query.order]
    return [
        (_cell(f"{column.name}{arrow}" if column.name in names else column.name, column), "bold dim")
        for column in shown
    ]


def _cell(text: str, column: Column) -> str:
    if column.align == ">":
        return fit(text, column.width - 1, ">") + " "
    return fit(text, column.width - 1) + " "


def task_row(
    task: "TaskLine | None",
    shown: list[Column],
    scene: Scene,
    *,
    cursor: bool,
    marked: bool,
    pending: str | None,
) -> Row:
    """The row of one task. `pending` is a request for it that is not fulfilled yet."""
    if task is None:
        return [(_cell("…" if column.name == "ID" else "", column), "dim") for column in shown]
    look = words.look(task, scene.now)
    if pending is not None:
        look = words.Look("↻", f"{pending}…", "yellow")
    cells: dict[str, Piece] = {
        "": mark(cursor=cursor, marked=marked),
        "ID": (f"{task.id:04d}", ""),
        "STUDENT": (task.student, ""),
        "STATE": (f"{look.sign} {look.word}", look.style),
        "PROGRESS OR REASON": _said(task, scene.now, look.style),
        "VIDEO": (took(task.duration_s), "dim"),
        "RETRY": (str(task.retry_count) if task.retry_count else "-", ""),
        "AGE": (_age(task, scene.now), ""),
        "ETA": (_eta(task, scene), ""),
    }
    whole = "reverse" if cursor else "dim" if scene.stale else None
    return [
        (_cell(text, column), style if whole is None else whole)
        for column, (text, style) in ((column, cells[column.name]) for column in shown)
    ]


def mark(*, cursor: bool, marked: bool) -> Piece:
    """The sign before a row: marked, or under the cursor."""
    if marked:
        return "+", "bold yellow"
    return ">" if cursor else "", "bold"


def _eta(task: "TaskLine", scene: Scene) -> str:
    eta = parse(task.eta)
    if eta is None or scene.no_forecast or task.held or task.status in words.FINAL:
        return "-"
    return ahead(eta - scene.now)


def _said(task: "TaskLine", now: float, style: str) -> Piece:
    """The progress of a running task, and the reason of any."""
    reason = words.reason(task, now)
    if task.progress is not None and task.status in words.RUNNING:
        done = f"{bar(task.progress, _BAR)} {min(100, int(100 * task.progress)):>3}%"
        return f"{done}  {reason}" if reason else done, style
    return reason, style if task.status in words.FINAL and not task.acknowledged else "dim"


def _age(task: "TaskLine", now: float) -> str:
    """The time since it was claimed or, when it has ended, since then."""
    since = parse(task.ended_at if task.status in words.FINAL and task.ended_at else task.claimed_at)
    return coarse(None if since is None else now - since)


def table_rows(
    listing: Listing,
    scene: Scene,
    width: int,
    height: int,
    *,
    first: int,
    cursor: int,
    query: Query | None = None,
    marks: Set[str] = frozenset(),
    pending: Mapping[str, str] | None = None,
) -> list[Row]:
    """The heading and the tasks from place `first` on, at most `height` rows together."""
    query = query or Query()
    shown = columns(width, query.view)
    rows = [heading(shown, query)]
    asked = pending or {}
    for place in range(first, min(first + height - 1, listing.total)):
        item = listing.at(place)
        key = "" if item is None else item.key
        rows.append(
            task_row(
                None if item is None else item.task,
                shown,
                scene,
                cursor=place == cursor,
                marked=key in marks,
                pending=asked.get(key),
            )
        )
    return rows


def title_row(listing: Listing, query: Query, marks: int, width: int, *, focused: bool) -> Row:
    """The line above the list: its length, the view, the order, the marks and the filter."""
    if query.view is ListView.ATTENTION:
        left = f"─[1]Attention {listing.total}"
        left += "".join(f" ─ {name.replace('_', ' ')} {count}" for name, count in listing.counts)
    else:
        order = f"{query.order}{' descending' if query.descending else ''}"
        left = f"─[1]Tasks {listing.total} ─ {query.view} ─ sort:{order}"
    left += f" ─ {marks} marked" if marks else ""
    right = f" /{query.text} " if query.text else " /filter "
    right = fit(right, min(len(right), 30)) + "──"
    return rule(left, right, width, focused=focused)


def rule(left: str, right: str, width: int, *, focused: bool) -> Row:
    """A panel's title in a line over the whole width."""
    style = "bold cyan" if focused else "dim"
    room = max(0, width - len(right))
    left = fit(left + " ", min(room, len(left) + 1))
    return spread(width, [(left + "─" * (room - len(left)), style)], [(right, style)] if right else [])
