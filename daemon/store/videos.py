"""Where the claimed videos lie: spool, archive, or gone. Called within a transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from peewee import Expression, SqliteDatabase

from daemon.core.errors import IllegalTransition, UnknownStudent
from daemon.core.naming import reason_name, rejected_name, temporary_name
from daemon.core.task import FINAL, Task
from daemon.store.codec import to_task
from daemon.store.models import ClaimRow, DocumentRow, TaskRow, UserRow

_FINAL = tuple(status.value for status in FINAL)
_EVER = 0.0  # any time: unlike IS NOT NULL, a comparison is looked up in the index


def archivable(db: SqliteDatabase, limit: int) -> list[Task]:
    """Final tasks whose last result is delivered and whose video still lies in the spool."""
    due = (TaskRow.video == "spool") & (TaskRow.delivered_at > _EVER) & TaskRow.status.in_(_FINAL)
    return _tasks(db, due, limit)


def archived(db: SqliteDatabase, moved: Sequence[tuple[int, Path]], now: float) -> None:
    """Record where the videos of tasks lie now."""
    for task_id, path in moved:
        columns = {"video": "archive", "file_path": str(path), "archived_at": now}
        TaskRow.update(**columns).where(TaskRow.id == task_id).execute(db)


def removed(db: SqliteDatabase, ids: Sequence[int]) -> None:
    """Record that the videos of tasks are gone."""
    for task_id in ids:
        TaskRow.update(video="gone").where(TaskRow.id == task_id).execute(db)


def _tasks(db: SqliteDatabase, due: Expression, limit: int) -> list[Task]:
    return [to_task(row) for row in TaskRow.select().where(due).limit(limit).execute(db)]


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a student: tasks, the paths of videos, and the names of files of the outbox and of the
    folder of refused videos.
    """

    student: str
    tasks: int
    videos: tuple[Path, ...]
    papers: tuple[str, ...]
    refused: tuple[str, ...]


def kept_of(db: SqliteDatabase, student: str) -> Kept:
    """What is kept of a student.

    Raises UnknownStudent, and IllegalTransition while a task is open or a video is being taken in.
    """
    rows = list(TaskRow.select().where(TaskRow.user_id == student).execute(db))
    for row in rows:
        if row.status not in _FINAL:
            raise IllegalTransition(
                f"task {row.id} of {student} is {row.status}; cancel it, then forget {student}"
            )
    claims = list(ClaimRow.select().where(ClaimRow.student == student).execute(db))
    if any(claim.step in ("seen", "spooled") for claim in claims):
        raise IllegalTransition(f"a video of {student} is being taken in; wait for it, then try again")
    if not rows and not claims:
        raise UnknownStudent(f"nothing is kept of a student {student!r}; see `introeval tasks`")
    papers: list[str] = []
    for row in rows:
        papers += _papers(db, DocumentRow.task_id == row.id)
    for claim in claims:
        papers += _papers(db, DocumentRow.name == reason_name(claim.id, claim.filename))
    return Kept(
        student=student,
        tasks=len(rows),
        videos=tuple(Path(row.file_path) for row in rows if row.video != "gone"),
        papers=tuple(papers),
        refused=tuple(rejected_name(claim.id, claim.filename) for claim in claims),
    )


def _papers(db: SqliteDatabase, condition: Expression) -> list[str]:
    """The names of documents, and of what is left of them where an outbox was full."""
    found = DocumentRow.select(DocumentRow.id, DocumentRow.name).where(condition).execute(db)
    return [name for paper in found for name in (paper.name, temporary_name(paper.name, paper.id))]


def forget(db: SqliteDatabase, student: str) -> list[Path]:
    """Delete all that is kept of a student. Their tasks' ids are never given again. Raises as `kept_of`."""
    kept = kept_of(db, student)
    TaskRow.delete().where(TaskRow.user_id == student).execute(db)  # documents and history go along
    mine = list(ClaimRow.select().where(ClaimRow.student == student).execute(db))
    for name in (reason_name(claim.id, claim.filename) for claim in mine):
        DocumentRow.delete().where(DocumentRow.name == name).execute(db)
    ClaimRow.delete().where(ClaimRow.student == student).execute(db)
    UserRow.delete().where(UserRow.username == student).execute(db)
    return list(kept.videos)
