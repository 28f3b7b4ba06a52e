"""The open tasks in memory, and their changes that are not committed yet."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import structlog

from daemon.contracts.values import (
    Change,
    Extracted,
    Failed,
    Rated,
    StageOutcome,
    Ticket,
    Transcribed,
    Unscorable,
)
from daemon.core.intake.ownership import Ownership
from daemon.core.tasks.lifecycle import RetryPolicy, advance, after_fault
from daemon.core.tasks.task import FINAL, RUNNING, Event, Task

log = structlog.get_logger()

_EVENT_OF: dict[type[StageOutcome], Event] = {
    Transcribed: Event.TRANSCRIBED,
    Unscorable: Event.UNSCORABLE,
    Extracted: Event.EXTRACTED,
    Rated: Event.RATED,
}


def superseded(tasks: Iterable[Task], ownership: Ownership) -> list[Task]:
    """The tasks that have not started and whose student has since submitted a newer video.

    A video that another account has submitted under the student's name does not count as the student's, and
    one of several that came at once under a new name may be another student's.
    """
    newest: dict[str, dict[str | None, tuple[float, int]]] = {}
    listed = [task for task in tasks if not task.shared_name]
    for task in listed:
        of_student = newest.setdefault(task.student, {})
        of_student[task.account] = max(of_student.get(task.account, (0.0, 0)), (task.claimed_at, task.id))
    waiting = (t for t in listed if t.attempt == 0 and t.revision == 1 and t.status not in RUNNING)
    return [
        task
        for task in waiting
        if any(
            latest > (task.claimed_at, task.id) and ownership.concerns(task.account, account)
            for account, latest in newest[task.student].items()
        )
    ]


class TaskBook:
    """The one place in memory where a task changes. No side effect of a change may come before its commit."""

    def __init__(
        self,
        retry: RetryPolicy,
        clock: Callable[[], float],
        *,
        ownership: Ownership | None = None,
        newest_only: Ownership | None = None,
    ) -> None:
        """`newest_only`: whose newer video cancels a student's earlier ones; None when nobody's does.

        By `ownership`, tasks of accounts that are everybody's stand here as those of none.
        """
        self._retry, self._clock = retry, clock
        self._ownership = ownership or Ownership()
        self._newest_only = newest_only
        self._tasks: dict[int, Task] = {}
        self._asked_early: set[int] = set()  # a person asked for them before `add` was called
        self.changes: list[Change] = []
        self.last_claim_at = 0.0

    @property
    def tasks(self) -> Sequence[Task]:
        """Every open task."""
        return list(self._tasks.values())

    def add(self, tasks: Iterable[Task]) -> None:
        """Add open tasks of the database."""
        for task in tasks:
            if task.id in self._asked_early:  # it was put here already, and may have ended since
                self._asked_early.discard(task.id)
            else:
                self._tasks.setdefault(task.id, self._counted(task))
            self.last_claim_at = max(self.last_claim_at, task.claimed_at)
        if self._newest_only is not None:
            for task in superseded(self._tasks.values(), self._newest_only):
                self.move(task.id, Event.CANCELLED)

    def put(self, task: Task) -> None:
        """Replace a task by its row in the database, after a person's request changed it there."""
        if task.id not in self._tasks and task.revision == 1:
            self._asked_early.add(task.id)
        self._tasks[task.id] = self._counted(task)

    def _counted(self, task: Task) -> Task:
        account = self._ownership.counted(task.account)
        return task if account == task.account else replace(task, account=account)

    def get(self, task_id: int) -> Task | None:
        """An open task."""
        return self._tasks.get(task_id)

    def answered(self, ticket: Ticket) -> Task | None:
        """The running task whose current attempt the ticket names, or None: the outcome is then dropped."""
        task = self._tasks.get(ticket.task_id)
        if task is None or task.status not in RUNNING:
            return None
        return task if (task.revision, task.attempt) == (ticket.revision, ticket.attempt) else None

    def move(
        self, task_id: int, event: Event, batch_id: int | None = None, *, node: str | None = None
    ) -> Task:
        """Apply an event that needs no outcome to a task, at the `node` of another machine or here.

        Gives the changed task.
        """
        task = self._tasks[task_id]
        after = advance(task, event, batch_id=batch_id)
        self._change(task, event, after, node=node)
        return after

    def end(
        self, task: Task, outcome: StageOutcome, seconds: float | None, *, node: str | None = None
    ) -> None:
        """End an attempt with its outcome. A requested cancel takes precedence over the outcome."""
        if isinstance(outcome, Failed):
            event, after = after_fault(task, outcome.fault, self._clock(), self._retry)
            at = {} if node is None else {"node": node}
            log.info("attempt failed", task=task.id, **at, code=outcome.fault.code, then=event.value)
        else:
            event = Event.CANCELLED if task.cancel_requested else _EVENT_OF[type(outcome)]
            after = advance(task, event)
        told = None if event is Event.CANCELLED else outcome
        self._change(task, event, after, seconds, told, node)

    def _change(
        self,
        before: Task,
        event: Event,
        after: Task,
        seconds: float | None = None,
        outcome: StageOutcome | None = None,
        node: str | None = None,
    ) -> None:
        self.changes.append(Change(before, after, event, self._clock(), seconds, outcome, node))
        if after.status in FINAL:
            del self._tasks[after.id]
        else:
            self._tasks[after.id] = after
