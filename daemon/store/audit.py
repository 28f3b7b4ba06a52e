"""The audit: who ordered what and when, what was before and after, and what was delivered.

An entry is written in the transaction of the change that it records. The table is append-only, and each entry
is chained to the one before: see `daemon.core.keeping.chain`.
"""

import json
import secrets
from collections.abc import Callable, Collection, Iterator

from daemon.core.keeping.chain import BEGIN, FORGET, ChainEntry, Sealed, canonical, chained, seal
from daemon.core.keeping.traces import Traces
from daemon.core.timestamps import to_iso
from daemon.store.database import Database, reads, writes
from daemon.store.insert import insert
from daemon.store.models import AuditRow

BY_ITSELF = "introeval (itself)"
"""The account of what the daemon did without an order. No account has a space."""
DELIVERED = "delivered"
"""The kind of entry that has the SHA-256 of a result's file."""
WHOLE = "daemon"
"""The subject of an order for the whole daemon."""
_WITHHELD = "(a forgotten student)"
_SALT_BYTES = 16
_LAST = "SELECT number, hash FROM audit WHERE number = (SELECT max(number) FROM audit)"


def of_task(task_id: int) -> str:
    """The subject of an entry about a task."""
    return f"task {task_id}"


@writes
def append(
    db: Database, *, at: float, actor: str | None, what: str, subject: str, before: object, after: object
) -> None:
    """Add an entry, in the caller's transaction if there is one.

    `what` is a fixed word, since it is never deleted. What can name a student belongs into `subject`,
    `before` and `after`, which are plain JSON. Without an account, the daemon did it by itself.
    """
    number, previous = db.execute_sql(_LAST).fetchone() or (0, BEGIN)
    entry = chained(
        number + 1,
        to_iso(at),
        what,
        seal(actor or BY_ITSELF, secrets.token_hex(_SALT_BYTES)),
        seal(
            canonical({"subject": subject, "before": before, "after": after}), secrets.token_hex(_SALT_BYTES)
        ),
        previous,
    )
    insert(db, AuditRow, **_columns(entry))


@reads
def entries(db: Database) -> list[ChainEntry]:
    """All entries, oldest first."""
    return list(_entries(db))


@writes
def forget(db: Database, traces: Traces, tasks: Collection[int], *, at: float, actor: str | None) -> None:
    """Empty what names a student, and add the entry that says which entries that were.

    `tasks` are the student's. An entry of another's task names no student but that one; nor does one about
    the daemon.
    """
    student, mine = traces.student, frozenset(map(of_task, tasks))
    found = traces.in_files().found
    emptied: dict[str, list[int]] = {"actor": [], "details": []}
    for entry in _entries(db):
        if entry.actor.text == student:
            emptied["actor"].append(entry.number)
        if entry.what != FORGET and _is_about(entry.details.text, mine, found):
            emptied["details"].append(entry.number)
    for name, numbers in emptied.items():
        for number in numbers:
            db.execute_sql(f"UPDATE audit SET {name} = NULL, {name}_salt = NULL WHERE number = ?", (number,))
    actor = _WITHHELD if actor == student else actor
    append(db, at=at, actor=actor, what=FORGET, subject="student", before=None, after=emptied)


def _is_about(details: str | None, mine: Collection[str], found: Callable[[bytes], bool]) -> bool:
    if details is None:
        return False
    subject = json.loads(details)["subject"]
    if subject.startswith("task "):
        return subject in mine
    return subject != WHOLE and found(details.encode())


def _entries(db: Database) -> Iterator[ChainEntry]:
    for row in AuditRow.select().order_by(AuditRow.number).execute(db).iterator():
        yield ChainEntry(
            row.number,
            row.at,
            row.what,
            Sealed(row.actor, row.actor_salt, row.actor_digest),
            Sealed(row.details, row.details_salt, row.details_digest),
            row.previous,
            row.hash,
        )


def _columns(entry: ChainEntry) -> dict[str, str | int | None]:
    return {
        "number": entry.number,
        "at": entry.at,
        "what": entry.what,
        "actor": entry.actor.text,
        "actor_salt": entry.actor.salt,
        "actor_digest": entry.actor.digest,
        "details": entry.details.text,
        "details_salt": entry.details.salt,
        "details_digest": entry.details.digest,
        "previous": entry.previous,
        "hash": entry.hash,
    }
