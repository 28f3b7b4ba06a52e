"""The rows of the list: a task, or a thing that wants a person, and the requests that each allows. Pure."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daemon.contracts.wire.attention import AttentionLine, AttentionPage
    from daemon.contracts.wire.tasks import TaskLine, TaskPage

ACKNOWLEDGE = "acknowledge"


@dataclass(frozen=True, slots=True)
class Target:
    """One row of a list. `key` names it in a request; `can` are the requests that the daemon accepts now."""

    key: str
    who: str
    what: str
    can: frozenset[str]
    task_id: int | None = None
    task: "TaskLine | None" = None
    line: "AttentionLine | None" = None

    @property
    def name(self) -> str:
        """Its name in a sentence: the id of a task, else what it is."""
        return f"{self.task_id:04d}" if self.task_id is not None else self.what

    def allows(self, verb: str) -> bool:
        """Whether the daemon accepts the request now: of decisions here only to take a model's rating."""
        if verb == "decide" and (
            self.task is None or self.task.rating is None or self.task.decided_by is not None
        ):
            return False
        return verb in self.can


@dataclass(frozen=True, slots=True)
class Listing:
    """The loaded part of a list: `items` begin at place `offset` of `total`. `counts` is by kind."""

    items: tuple[Target, ...] = ()
    offset: int = 0
    total: int = 0
    counts: tuple[tuple[str, int], ...] = ()

    def at(self, index: int) -> Target | None:
        """The item at a place in the whole list; None when that page is not loaded."""
        place = index - self.offset
        return self.items[place] if 0 <= place < len(self.items) else None

    def find(self, key: str) -> int | None:
        """The place of an item in the whole list; None when it is not loaded."""
        for place, item in enumerate(self.items):
            if item.key == key:
                return self.offset + place
        return None


def of_task(task: "TaskLine") -> Target:
    """The row of a task."""
    return Target(f"task:{task.id}", task.student, task.filename, frozenset(task.can), task.id, task)


def of_line(line: "AttentionLine") -> Target:
    """The row of a thing that wants a person."""
    can = frozenset({ACKNOWLEDGE, line.verb} if line.verb else {ACKNOWLEDGE})
    return Target(line.key, line.who or "", line.what, can, line.task_id, None, line)


def of_tasks(page: "TaskPage", offset: int = 0) -> Listing:
    """A page of tasks."""
    return Listing(tuple(of_task(task) for task in page.tasks), offset, page.total)


def of_attention(page: "AttentionPage", offset: int = 0, text: str = "") -> Listing:
    """A page of what wants a person; with a `text`, only the lines that have it."""
    lines = [line for line in page.lines if text in _searched(line)] if text else page.lines
    items = tuple(of_line(line) for line in lines)
    total = len(items) if text else page.total
    return Listing(items, offset, total, tuple((kind, n) for kind, n in page.counts.items() if n))


def _searched(line: "AttentionLine") -> str:
    return " ".join((line.key, line.kind.replace("_", " "), line.who or "", line.what, line.reason)).lower()
