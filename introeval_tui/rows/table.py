"""The table of tasks as rows of fixed columns. Pure."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from introeval_tui.rows import words
from introeval_tui.rows.cells import Piece, Row, fit, spread
from introeval_tui.rows.format import ahead, bar, coarse, parse, took
from introeval_tui.rows.state import ListView, Query, Scene

if TYPE_CHECKING:
    from daemon.contracts.wire.tasks import TaskLine

_BAR = 5
_TIGHT = 72  # cells; a narrower table leaves out the age
_ROOMY = 92  # cells; a wider table also has video and attempts


class Column(NamedTuple):
    """One column: its heading, its width in cells including a gap, and its alignment."""

    name: str
    width: int
    align: str = "<"


@dataclass(frozen=True, slots=True)
class Listing:
    """The loaded part of the list: `tasks` begin at place `offset` of `total`."""

    tasks: "tuple[TaskLine, ...]" = ()
    offset: int = 0
    total: int = 0

    def at(self, index: int) -> "TaskLine | None":
        """The task at a place in the whole list; None when that page is not loaded."""
        place = index - self.offset
        return self.tasks[place] if 0 <= place < len(self.tasks) else None

    def find(self, task_id: int) -> int | None:
        """The place of a task in the whole list; None when it is not loaded."""
        for place, task in enumerate(self.tasks):
            if task.id == task_id:
                return self.offset + place
        return None


def columns(width: int) -> list[Column]:
    """The columns for a table of `width` cells. The step gets what the others leave."""
    student = 18 if width >= _ROOMY else 14 if width >= _TIGHT else 10
    before = [Column("", 2), Column("ID", 7), Column("STUDENT", student), Column("STATE", 13)]
    after = [Column("PROGRESS", 12), Column("AGE", 6, ">"), Column("ETA", 7, ">")]
    if width < _TIGHT:
        del after[1]
    elif width >= _ROOMY:
        after = [Column("VIDEO", 7, ">"), Column("TRY", 4, ">"), *after]
    step = width - sum(column.width for column in (*before, *after))
    return [*before, Column("STEP", max(4, step)), *after]


def heading(shown: list[Column]) -> Row:
    """The row with the names of the columns."""
    return [(_cell(column.name, column), "bold dim") for column in shown]


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
        "": _mark(cursor=cursor, marked=marked),
        "ID": (f"{task.id:04d}", ""),
        "STUDENT": (task.student, ""),
        "STATE": (f"{look.sign} {look.word}", look.style),
        "STEP": (words.step(task, scene.now), "red" if task.status == "failed" else ""),
        "VIDEO": (took(task.duration_s), "dim"),
        "TRY": (str(task.retry_count) if task.retry_count else "-", ""),
        "PROGRESS": (_progress(task), look.style),
        "AGE": (_age(task, scene.now), ""),
        "ETA": (_eta(task, scene), ""),
    }
    whole = "reverse" if cursor else "dim" if scene.stale else None
    return [
        (_cell(text, column), style if whole is None else whole)
        for column, (text, style) in ((column, cells[column.name]) for column in shown)
    ]


def _mark(*, cursor: bool, marked: bool) -> Piece:
    if marked:
        return "+", "bold yellow"
    return ">" if cursor else "", "bold"


def _eta(task: "TaskLine", scene: Scene) -> str:
    eta = parse(task.eta)
    if eta is None or scene.stale or task.status in words.FINAL:
        return "-"
    return ahead(eta - scene.now)


def _progress(task: "TaskLine") -> str:
    if task.progress is not None and task.status in words.RUNNING:
        return f"{bar(task.progress, _BAR)} {min(100, int(100 * task.progress)):>3}%"
    if task.status == "failed":
        return f"{task.retry_count} attempts" if task.retry_count else "-"
    return "-"


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
    marks: Set[int] = frozenset(),
    pending: Mapping[int, str] | None = None,
) -> list[Row]:
    """The heading and the tasks from place `first` on, at most `height` rows together."""
    shown = columns(width)
    rows = [heading(shown)]
    asked = pending or {}
    for place in range(first, min(first + height - 1, listing.total)):
        task = listing.at(place)
        key = None if task is None else task.id
        rows.append(
            task_row(
                task,
                shown,
                scene,
                cursor=place == cursor,
                marked=key in marks,
                pending=None if key is None else asked.get(key),
            )
        )
    return rows


def empty_rows(scene: Scene, query: Query, width: int) -> list[Row]:
    """The row under the heading when no task matches."""
    known = scene.known
    if known.status is None or known.page is None:
        said = "…"
    elif query.text:
        kind = "" if query.view is ListView.ALL else f"{query.view} "
        said = f'no {kind}task matches "{query.text}"; Esc shows all'
    elif query.view is not ListView.OPEN:
        said = "no such task yet" if query.view is ListView.ALL else f"no task is {query.view}"
    elif known.status.inbox is not None:
        said = f"waiting for videos in {known.status.inbox.path}"
    else:
        said = "nothing is open"
    return [[(fit(f"   {said}", width), "dim")]]


def title_row(listing: Listing, query: Query, marks: int, width: int, *, focused: bool) -> Row:
    """The line above the table: the number of tasks, the view, the order, the marks and the filter."""
    arrow = "descending" if query.descending else ""
    left = f"─[1]Tasks {listing.total} ─ {query.view} ─ sort:{query.order}{' ' + arrow if arrow else ''}"
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
