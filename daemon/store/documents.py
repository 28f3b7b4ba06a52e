"""Documents: the frozen bytes of the outbox's files, and which of them are delivered."""

import json
import math
from collections.abc import Sequence
from hashlib import sha256

from daemon.contracts.documents import Document, Kind
from daemon.contracts.wire.words import Verb
from daemon.core.keeping.chain import DELIVERED
from daemon.core.notices import NoticeKind
from daemon.core.timestamps import to_iso
from daemon.store import audit, notices
from daemon.store.database import Database, reads, writes
from daemon.store.models import DocumentRow, TaskRow
from daemon.store.statements import insert

_REFUSED = "FROM documents WHERE kind = 'reason'"  # SQLite uses its index only for a literal
_ACKNOWLEDGE = """
    UPDATE documents SET acknowledged_at = ?, acknowledged_by = ?
    WHERE kind = 'reason' AND acknowledged_at IS NULL AND name > ? AND name < ?
"""


def add_document(
    db: Database,
    document: Document,
    *,
    created_at: float,
    revision: int | None = None,
    tells: NoticeKind = NoticeKind.OUTCOME,
) -> None:
    """Store a document, whose id the database gives. A notice tells of a result."""
    insert(
        db,
        DocumentRow,
        kind=document.kind.value,
        task_id=document.task_id,
        revision=revision,
        name=document.name,
        content=document.content,
        created_at=created_at,
    )
    if document.kind is Kind.RESULT and document.task_id is not None and db.notices.receivers:
        said = {"outcome": json.loads(document.content)["outcome"], "result": document.name}
        notices.add(db, tells, document.task_id, revision or 1, created_at, said)


@reads
def undelivered(db: Database, limit: int, after_id: int = 0) -> list[Document]:
    """At most `limit` documents above `after_id` that are not durable in the outbox yet, oldest first."""
    waiting = DocumentRow.delivered_at.is_null() & (DocumentRow.id > after_id)
    query = DocumentRow.select().where(waiting).order_by(DocumentRow.id).limit(limit)
    return [_document(row) for row in query.execute(db)]


@writes
def delivered(db: Database, ids: Sequence[int], now: float) -> None:
    """Mark documents as durable in the outbox, and tasks whose present revision's result is among them.

    Each result is an entry of the audit with the SHA-256 of its file.
    """
    for id_ in ids:
        missing = (DocumentRow.id == id_) & DocumentRow.delivered_at.is_null()
        if not DocumentRow.update(delivered_at=now).where(missing).execute(db):
            continue  # marked again after a crash: the first time counts
        row = DocumentRow.select().where(DocumentRow.id == id_).execute(db)[0]
        if row.kind == Kind.RESULT:
            current = (TaskRow.id == row.task_id) & (TaskRow.revision == row.revision)
            TaskRow.update(delivered_at=now).where(current).execute(db)
            digest = sha256(bytes(row.content)).hexdigest()
            audit.append(
                db,
                at=now,
                actor=None,
                what=DELIVERED,
                subject=audit.of_task(row.task_id),
                before=None,
                after={"revision": row.revision, "name": row.name, "sha256": digest},
            )
            said = {"result": row.name, "sha256": digest}
            notices.add(db, NoticeKind.DELIVERY, row.task_id, row.revision, now, said)


def rows_of(db: Database, task_id: int) -> list[DocumentRow]:
    """All documents of a task, oldest first."""
    return list(
        DocumentRow.select().where(DocumentRow.task_id == task_id).order_by(DocumentRow.id).execute(db)
    )


@reads
def results(db: Database, task_id: int, until: float = math.inf) -> list[bytes]:
    """The bytes of a task's results, one for each revision that ended until a time, in their order."""
    mine = (DocumentRow.task_id == task_id) & (DocumentRow.kind == Kind.RESULT.value)
    if until < math.inf:
        mine &= DocumentRow.created_at <= until
    query = DocumentRow.select().where(mine).order_by(DocumentRow.revision)
    return [bytes(row.content) for row in query.execute(db)]


@reads
def refused_since(db: Database, since: float) -> int:
    """The number of files that were refused since then."""
    (count,) = db.execute_sql(f"SELECT COUNT(*) {_REFUSED} AND created_at >= ?", (to_iso(since),)).fetchone()
    return int(count)


@reads
def refused(
    db: Database, limit: int, *, wanting_only: bool = False, offset: int = 0
) -> list[tuple[str, bytes, bool]]:
    """The last refusals, the newest first: the document's path below the outbox, its bytes, and whether it is
    acknowledged. `wanting_only`: without these.
    """
    chosen = f"{_REFUSED} AND acknowledged_at IS NULL" if wanting_only else _REFUSED
    query = (
        f"SELECT name, content, acknowledged_at {chosen} ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?"
    )
    rows = db.execute_sql(query, (limit, offset)).fetchall()
    return [(name, bytes(content), seen is not None) for name, content, seen in rows]


@writes
def acknowledge_refused(db: Database, claim_id: str, now: float, actor: str | None) -> bool:
    """Record that a person has seen a refusal. Whether there is one, and nobody had seen it."""
    values = (to_iso(now), actor, f"_rejected/{claim_id}-", f"_rejected/{claim_id}.")  # "." comes after "-"
    if not db.execute_sql(_ACKNOWLEDGE, values).rowcount:
        return False
    audit.append(
        db,
        at=now,
        actor=actor,
        what=Verb.ACKNOWLEDGE.value,
        subject=f"refused {claim_id}",
        before={"acknowledged": False},
        after={"acknowledged": True},
    )
    return True


def _document(row: DocumentRow) -> Document:
    return Document(row.id, Kind(row.kind), row.name, bytes(row.content), row.task_id)
