"""How long videos and files are kept, counted in seconds of witnessed time."""

import json
from collections.abc import Iterable
from dataclasses import asdict

from peewee import chunked

from daemon.contracts.documents import Kind
from daemon.core.intake.naming import printable
from daemon.core.keeping.witness import Reading, Witness, look
from daemon.core.tasks.task import FINAL, Task
from daemon.store import settings
from daemon.store.class_models import ClassRow
from daemon.store.database import Database, reads, writes
from daemon.store.found import find_all
from daemon.store.models import ClaimRow, DocumentRow, KeptFileRow, TaskRow
from daemon.system.shelves import claim_of

_WITNESS = "witness"
_FINAL = tuple(status.value for status in FINAL)
DAY_S = 86_400.0
_EVER = 0.0  # below any time: unlike IS NOT NULL, a comparison uses the index
_AT_ONCE = 400  # SQLite allows at least 999 variables in a statement


@writes
def witness(db: Database, now: Reading) -> Witness:
    """Advance the witnessed time to the clocks `now`. For videos archived since the last call the retention
    begins here.
    """
    last = settings.get(db, _WITNESS)
    seen = look(Witness(**last) if last else None, now)
    settings.put(db, _WITNESS, asdict(seen))
    new = (TaskRow.video == "archive") & TaskRow.kept_from.is_null()
    TaskRow.update(kept_from=seen.witnessed).where(new).execute(db)
    return seen


@reads
def expired(db: Database, witnessed: float, keep_s: float, limit: int) -> list[Task]:
    """At most `limit` final tasks whose video has been archived for `keep_s`, or for as long as their class
    keeps it, in witnessed seconds.
    """
    archived = (TaskRow.video == "archive") & TaskRow.status.in_(_FINAL)
    of = {
        row.id: row.archive_days * DAY_S
        for row in ClassRow.select().where(ClassRow.archive_days.is_null(False)).execute(db)
    }
    other = TaskRow.class_id.is_null() | TaskRow.class_id.not_in(list(of))
    due = other & (TaskRow.kept_from <= witnessed - keep_s)
    for class_id, class_keep_s in of.items():
        due |= (TaskRow.class_id == class_id) & (TaskRow.kept_from <= witnessed - class_keep_s)
    return find_all(db, archived & due, limit)


@writes
def expired_files(
    db: Database, there: Iterable[bytes], witnessed: float, until: float, limit: int
) -> list[bytes]:
    """At most `limit` of the files `there` that are kept since `until` (witnessed seconds) or longer.

    New files are kept since `witnessed`. Those that are gone are dropped, with their closed claims.
    """
    now = set(there)
    known = {bytes(row.name): row.kept_from for row in KeptFileRow.select().execute(db)}
    for name in now - known.keys():
        KeptFileRow.insert(name=name, kept_from=witnessed).execute(db)
        known[name] = witnessed
    gone = known.keys() - now
    _drop_files(db, gone)
    _drop_claims(db, map(claim_of, gone))
    return [name for name in sorted(now) if known[name] <= until][:limit]


@writes
def files_removed(db: Database, names: Iterable[bytes], claims: Iterable[str], lost_before: float) -> None:
    """Drop files that were removed, their closed claims, and the claims that lost their file before
    `lost_before`, in seconds since the epoch.
    """
    _drop_files(db, names)
    _drop_claims(db, claims)
    lost = (ClaimRow.step == "lost") & (ClaimRow.claimed_at < lost_before)
    ClaimRow.delete().where(lost).execute(db)  # there is no file to keep


def _drop_files(db: Database, names: Iterable[bytes]) -> None:
    """Stop the count of files that are gone."""
    for some in chunked(names, _AT_ONCE):
        KeptFileRow.delete().where(KeptFileRow.name.in_(some)).execute(db)


def _drop_claims(db: Database, ids: Iterable[str]) -> None:
    """Delete the claims among `ids` that are closed and became no task, with the delivered reasons of their
    refusals.
    """
    for some in chunked(ids, _AT_ONCE):
        born = TaskRow.select(TaskRow.claim_id).where(TaskRow.claim_id.in_(some))
        closed = ClaimRow.id.in_(some) & ClaimRow.step.in_(("done", "lost")) & ClaimRow.id.not_in(born)
        for claim in list(ClaimRow.select().where(closed).execute(db)):
            DocumentRow.delete().where(DocumentRow.id.in_(_reasons_of(db, claim))).execute(db)
        ClaimRow.delete().where(closed).execute(db)


def _reasons_of(db: Database, claim: ClaimRow) -> list[int]:
    """The delivered reasons of a refused file, or of what was refused in a package, which has no claim."""
    at_once = (DocumentRow.kind == Kind.REASON.value) & (DocumentRow.created_at == claim.claimed_at)
    found = DocumentRow.select().where(at_once & (DocumentRow.delivered_at > _EVER)).execute(db)
    mine, inside = f"_rejected/{claim.id}-", f"{printable(claim.filename)}/"
    return [
        row.id
        for row in found
        if row.name.startswith(mine) or inside in (json.loads(bytes(row.content)).get("path") or "")
    ]
