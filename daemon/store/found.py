"""The row of one task, and all that are open."""

from peewee import SQL, Expression

from daemon.core.errors import UnknownTask
from daemon.core.tasks.task import OPEN, Task
from daemon.store import codec
from daemon.store.database import Database, reads
from daemon.store.models import TaskRow

_FIND = "SELECT * FROM processing_tasks WHERE id = ?"  # peewee takes 1 ms to build it
_ALL_COLUMNS = SQL('"t1".*')  # and as long to name them one by one


def find(db: Database, task_id: int) -> TaskRow:
    """The row of a task. Raises UnknownTask."""
    rows: list[TaskRow] = list(TaskRow.raw(_FIND, task_id).execute(db))
    if not rows:
        raise UnknownTask(f"there is no task {task_id}; run: introeval tasks")
    return rows[0]


@reads
def open_tasks(db: Database) -> list[Task]:
    """All tasks that are not final, by id, but those that another program inserted and that have no claim."""
    mine = TaskRow.status.in_([status.value for status in OPEN]) & TaskRow.claim_id.is_null(False)
    return sorted(find_all(db, mine), key=lambda task: task.id)


def find_all(db: Database, which: Expression, limit: int | None = None) -> list[Task]:
    """At most `limit` tasks."""
    return [codec.to_task(row) for row in TaskRow.select(_ALL_COLUMNS).where(which).limit(limit).execute(db)]
