"""Recovery: at a start, the tasks that a crash interrupted go back to a waiting state."""

from dataclasses import replace

from peewee import fn

from daemon.contracts.values import Change, Failed, StageOutcome, Ticket
from daemon.core.content.result import SUCCEEDED
from daemon.core.errors import Blame, Fault
from daemon.core.tasks.task import PENDING, RUNNING, Event, Task, next_status
from daemon.store import settings
from daemon.store.commits import commit
from daemon.store.database import Database, writes
from daemon.store.found import open_tasks as open_tasks
from daemon.store.models import EventRow, TaskRow

DEATHS_IN_A_ROW = 8
"""A task in hand at this many deaths of the daemon, with no success committed in between, is their cause."""

_LAST_EVENT = "recovered_up_to"


@writes
def recover(db: Database, now: float) -> list[Task]:
    """Recover the tasks that a crash interrupted. Gives the open tasks, by id.

    Pending and running tasks go back to the waiting state of their stage, with their attempt unchanged. A
    task with a cancel request is cancelled. One in hand at the daemon's eighth death in a row fails.
    """
    deaths = _count_deaths(db)
    for task in open_tasks(db):
        event, outcome = _ending(task, deaths.get(task.id, 0))
        if event is not None:
            after = replace(task, status=next_status(task.status, event))
            note = {"reason": "recovered"}
            commit(db, [Change(task, after, event, now, outcome=outcome)], note)
    settings.put(db, _LAST_EVENT, _last_event(db))
    return open_tasks(db)


def _ending(task: Task, deaths: int) -> tuple[Event | None, StageOutcome | None]:
    if task.cancel_requested:
        return Event.CANCELLED, None
    if deaths >= DEATHS_IN_A_ROW:
        message = f"the daemon itself ended {deaths} times in a row while it worked on this video"
        fault = Fault(Blame.PERMANENT, "daemon_died", message)
        return Event.FAILED, Failed(Ticket(task.id, task.revision, task.attempt), fault)
    if task.status in PENDING | RUNNING:
        return Event.RELEASED, None
    return None, None


def _count_deaths(db: Database) -> dict[int, int]:
    """Count this death for the running tasks. Gives their deaths in a row, by task id."""
    in_hand = TaskRow.status.in_([status.value for status in RUNNING])
    since = settings.get(db, _LAST_EVENT, 0)
    succeeded = EventRow.event.in_([event.value for event in SUCCEEDED]) & EventRow.seconds.is_null(False)
    committed = EventRow.select(EventRow.id).where(succeeded & (EventRow.id > since)).limit(1)
    first = bool(list(committed.execute(db)))
    deaths = {}
    for row in TaskRow.select(TaskRow.id, TaskRow.daemon_deaths).where(in_hand).execute(db):
        deaths[row.id] = 1 if first else row.daemon_deaths + 1
        TaskRow.update(daemon_deaths=deaths[row.id]).where(TaskRow.id == row.id).execute(db)
    return deaths


def _last_event(db: Database) -> int:
    return EventRow.select(fn.MAX(EventRow.id)).scalar(db) or 0
