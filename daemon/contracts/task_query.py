"""The requests for lists. Light to import, since the commands and the daemon share them."""

from dataclasses import dataclass

from daemon.contracts.wire.words import AttentionKind, TaskOrder
from daemon.core.tasks.task import ENDS_AS, OPEN, Outcome, Status


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """The filter and order of a list of tasks; see `wire.words.TaskOrder`. No status, outcome or flag means
    every one; of several flags a task has at least one.
    """

    statuses: frozenset[Status] = frozenset()
    outcomes: frozenset[Outcome] = frozenset()
    flags: frozenset[str] = frozenset()
    student: str | None = None
    text: str = ""
    only_open: bool = False
    order: TaskOrder = TaskOrder.AGE
    descending: bool = False
    offset: int = 0
    limit: int = 100
    before: int | None = None

    @property
    def of_status(self) -> frozenset[Status]:
        """The statuses to show."""
        chosen = self.statuses or frozenset(Status)
        if self.outcomes:
            chosen &= {ENDS_AS.get(outcome, Status.COMPLETED) for outcome in self.outcomes}
        return chosen & OPEN if self.only_open else chosen

    @property
    def is_searched(self) -> bool:
        """Whether no index finds the finished tasks."""
        by_name = bool(self.outcomes) and self.order is TaskOrder.STUDENT
        return bool(self.text or self.flags) or by_name


@dataclass(frozen=True, slots=True)
class AttentionQuery:
    """The kinds to show (empty: all), and the page of them."""

    kinds: frozenset[AttentionKind] = frozenset()
    offset: int = 0
    limit: int = 100
