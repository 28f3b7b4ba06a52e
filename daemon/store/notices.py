"""Notices that wait for their receivers. Each is written in the transaction of the event that it tells of."""

import json
import secrets
from collections.abc import Mapping

from daemon.core.notices import NoticeKind, Receiver, TaskNotice
from daemon.core.timestamps import from_iso, to_iso
from daemon.store.codec import dumps
from daemon.store.database import Database, reads, writes
from daemon.store.record_models import NoticeRow

_KEY_BYTES = 16
_REST = "SELECT MAX(not_before) FROM notices WHERE task_id = ? AND receiver = ?"
_FIRST = """
    SELECT n.id, n.key, n.kind, n.task_id, t.user_id, n.revision, n.at, n.said, n.tries, n.not_before
    FROM notices n JOIN processing_tasks t ON t.id = n.task_id
    WHERE n.receiver = ? ORDER BY n.not_before, n.id LIMIT 1
"""


@writes
def add(
    db: Database, kind: NoticeKind, task_id: int, revision: int, at: float, said: Mapping[str, object]
) -> None:
    """Add a notice for each configured receiver, in the caller's transaction. `said` is plain JSON."""
    if not db.notices.receivers or kind not in db.notices.kinds:
        return
    key = secrets.token_hex(_KEY_BYTES)
    for receiver in db.notices.receivers:
        (rest,) = db.execute_sql(_REST, (task_id, receiver.value)).fetchone()
        db.execute_sql(
            "INSERT INTO notices (key, receiver, kind, task_id, revision, at, said, not_before)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (key, receiver.value, kind.value, task_id, revision, to_iso(at), dumps(said), rest or 0.0),
        )
    db.on_notice()


@reads
def first(db: Database, receiver: Receiver) -> TaskNotice | None:
    """The notice that a receiver gets next: the oldest of its task. None if none waits."""
    row = db.execute_sql(_FIRST, (receiver.value,)).fetchone()
    if row is None:
        return None
    id_, key, kind, task_id, student, revision, at, said, tries, not_before = row
    return TaskNotice(
        id_,
        key,
        receiver,
        NoticeKind(kind),
        task_id,
        student,
        revision,
        from_iso(at),
        json.loads(said),
        tries,
        not_before,
    )


@writes
def answered(db: Database, notice: TaskNotice) -> None:
    """Delete a notice, since its receiver has it."""
    NoticeRow.delete().where(NoticeRow.id == notice.id).execute(db)


@writes
def failed(db: Database, notice: TaskNotice, until: float) -> None:
    """Let a notice, and all later ones of its task, wait until `until`."""
    NoticeRow.update(tries=NoticeRow.tries + 1).where(NoticeRow.id == notice.id).execute(db)
    same = (NoticeRow.task_id == notice.task_id) & (NoticeRow.receiver == notice.receiver.value)
    NoticeRow.update(not_before=until).where(same).execute(db)


@writes
def begin(db: Database) -> None:
    """Drop the notices of receivers that are configured no more, and send the others at once."""
    kept = [receiver.value for receiver in db.notices.receivers]
    NoticeRow.delete().where(NoticeRow.receiver.not_in(kept)).execute(db)
    NoticeRow.update(not_before=0.0).execute(db)


@writes
def expire(db: Database, witnessed: float, until: float) -> int:
    """Drop the notices that nobody has taken since `until` (witnessed seconds). New ones wait since
    `witnessed`. Gives how many were dropped.
    """
    NoticeRow.update(kept_from=witnessed).where(NoticeRow.kept_from.is_null()).execute(db)
    return int(NoticeRow.delete().where(NoticeRow.kept_from <= until).execute(db))
