"""What is deleted once its time is over: finished tasks with all that was made of them, and rosters.

Times are in seconds of witnessed time. While a class is open nothing of it expires.
"""

from collections.abc import Sequence

from daemon.core.tasks.task import FINAL, Task
from daemon.store import audit
from daemon.store.class_models import ClassRow, RosterRow
from daemon.store.database import Database, reads, writes
from daemon.store.found import find_all
from daemon.store.models import ClaimRow, TaskRow, UserRow

_FINAL = tuple(status.value for status in FINAL)
_KEPT = ("archive", "gone")
_EVER = 0.0  # below any time: unlike IS NOT NULL, a comparison uses the index


@writes
def begin(db: Database, witnessed: float) -> None:
    """Begin the time of what has ended since the last call: delivered tasks without a video, and classes."""
    unseen = (TaskRow.video == "gone") & TaskRow.kept_from.is_null() & (TaskRow.delivered_at > _EVER)
    TaskRow.update(kept_from=witnessed).where(unseen & TaskRow.status.in_(_FINAL)).execute(db)
    closed = ClassRow.closed_at.is_null(False)
    ClassRow.update(kept_from=None).where(~closed & ClassRow.kept_from.is_null(False)).execute(db)
    ClassRow.update(kept_from=witnessed).where(closed & ClassRow.kept_from.is_null()).execute(db)


@reads
def finished(db: Database, until: float, limit: int) -> list[Task]:
    """At most `limit` final tasks of no open class, whose last result was delivered, kept since `until`."""
    is_open = TaskRow.class_id.in_(ClassRow.select(ClassRow.id).where(ClassRow.closed_at.is_null()))
    due = TaskRow.video.in_(_KEPT) & (TaskRow.kept_from <= until) & (TaskRow.delivered_at > _EVER)
    ended = TaskRow.status.in_(_FINAL) & (TaskRow.class_id.is_null() | ~is_open)
    return find_all(db, due & ended, limit)


@writes
def delete(db: Database, tasks: Sequence[Task], at: float) -> None:
    """Delete tasks, with their results and history, their claims, and the students who have no other."""
    ids = [task.id for task in tasks]
    if not ids:
        return
    claims = [row.claim_id for row in TaskRow.select(TaskRow.claim_id).where(TaskRow.id.in_(ids)).execute(db)]
    TaskRow.delete().where(TaskRow.id.in_(ids)).execute(db)  # cascades to documents, history and notices
    ClaimRow.delete().where(ClaimRow.id.in_(claims)).execute(db)
    students = {task.student for task in tasks}
    left = TaskRow.select(TaskRow.user_id).where(TaskRow.user_id.in_(students))
    UserRow.delete().where(UserRow.username.in_(students) & UserRow.username.not_in(left)).execute(db)
    what = "results expired"
    audit.append(db, at=at, actor=None, what=what, subject=audit.WHOLE, before={"tasks": ids}, after=None)


@writes
def delete_rosters(db: Database, until: float, at: float) -> int:
    """Delete the rosters of classes that are closed since `until`. Gives how many."""
    due = ClassRow.select(ClassRow.id, ClassRow.name).where(ClassRow.kept_from <= until)
    deleted = 0
    for row in list(due.execute(db)):
        if RosterRow.delete().where(RosterRow.class_id == row.id).execute(db):
            audit.append(
                db,
                at=at,
                actor=None,
                what="expired",
                subject=f"class {row.name}",
                before="roster",
                after=None,
            )
            deleted += 1
    db.rosters.clear()
    return deleted
