"""Tasks that another program inserted, with a student and a path. They have no claim until their file has."""

import os
from dataclasses import dataclass, replace

from daemon.contracts.values import Change, Failed, Ticket
from daemon.core.errors import Blame, Fault
from daemon.core.tasks.task import OPEN, Event, Status
from daemon.core.timestamps import to_iso
from daemon.store import codec
from daemon.store.commits import commit
from daemon.store.database import Database, reads, writes
from daemon.store.found import find

_OPEN = ", ".join(f"'{status.value}'" for status in OPEN)
_UNCLAIMED = (
    f"SELECT id, user_id, file_path FROM processing_tasks WHERE claim_id IS NULL AND status IN ({_OPEN})"
)
_TAKEN = """
    SELECT MAX(task.id) FROM claims JOIN processing_tasks AS task ON task.claim_id = claims.id
    WHERE claims.path = ? AND task.user_id = ?
"""

# Whatever the other program has put into the columns that are read as times and numbers.
_PLAIN = """
    UPDATE processing_tasks SET retry_count = 0, priority = 0, batch_id = NULL, not_before = NULL,
    estimated_completion = NULL, stt_result = NULL, mistral_result = NULL, llama_result = NULL,
    upload_timestamp = COALESCE(strftime('%Y-%m-%dT%H:%M:%f', upload_timestamp) || '000Z', ?),
    began_at = ?, last_updated = ? WHERE id = ?
"""


@dataclass(frozen=True, slots=True)
class Registered:
    """A task without a claim. `path` is absolute, as a scan of the inbox names the file."""

    id: int
    student: str
    path: bytes


@reads
def unclaimed(db: Database) -> list[Registered]:
    """The open tasks that have no claim."""
    rows = db.execute_sql(_UNCLAIMED).fetchall()
    return [Registered(id_, student, os.fsencode(os.path.abspath(path))) for id_, student, path in rows]


@reads
def taken_as(db: Database, one: Registered) -> int | None:
    """The task of the same student that was made from the same file before."""
    (task_id,) = db.execute_sql(_TAKEN, (one.path, one.student)).fetchone()
    return None if task_id is None else int(task_id)


@writes
def fail(db: Database, one: Registered, code: str, message: str, now: float) -> None:
    """End a task that can get no claim, with a result that says why. Does nothing if it has one by now."""
    if one not in unclaimed(db):
        return
    db.execute_sql("INSERT OR IGNORE INTO users (username) VALUES (?)", (one.student,))
    db.execute_sql(_PLAIN, (to_iso(now), to_iso(now), to_iso(now), one.id))
    task = codec.to_task(find(db, one.id))
    fault = Fault(Blame.PERMANENT, code, message)
    outcome = Failed(Ticket(task.id, task.revision, task.attempt), fault)
    commit(db, [Change(task, replace(task, status=Status.FAILED), Event.FAILED, now, outcome=outcome)])
