"""Where claimed videos are: in the spool, in the archive, or gone."""

from collections.abc import Sequence
from pathlib import Path

from daemon.core.tasks.task import FINAL, Task
from daemon.store.database import Database, reads, writes
from daemon.store.found import find_all
from daemon.store.models import TaskRow

_FINAL = tuple(status.value for status in FINAL)
_EVER = 0.0  # below any time: unlike IS NOT NULL, a comparison uses the index


@reads
def archivable(db: Database, limit: int) -> list[Task]:
    """At most `limit` final tasks whose last result is delivered and whose video is still in the spool."""
    due = (TaskRow.video == "spool") & (TaskRow.delivered_at > _EVER) & TaskRow.status.in_(_FINAL)
    return find_all(db, due, limit)


@writes
def archived(db: Database, moved: Sequence[tuple[int, Path]], now: float) -> None:
    """Record the paths of videos that were moved into the archive."""
    for task_id, path in moved:
        columns = {"video": "archive", "file_path": str(path), "archived_at": now}
        TaskRow.update(**columns).where(TaskRow.id == task_id).execute(db)


@writes
def removed(db: Database, ids: Sequence[int]) -> None:
    """Record that the videos of tasks are gone."""
    for task_id in ids:
        TaskRow.update(video="gone").where(TaskRow.id == task_id).execute(db)
