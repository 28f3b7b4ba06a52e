"""The row of one task, and all that are open."""

from daemon.core.errors import UnknownTask
from daemon.core.tasks.task import OPEN, Task
from daemon.store import codec
from daemon.store.database import Database, reads
from daemon.store.models import TaskRow

_FIND = "SELECT * FROM processing_tasks WHERE id = ?"  # peewee takes 1 ms to build it


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
    return sorted(
        (codec.to_task(row) for row in TaskRow.select().where(mine).execute(db)), key=lambda task: task.id
    )
