"""What is kept for a time: since when, in seconds of witnessed time."""

from collections.abc import Iterable
from dataclasses import asdict

from peewee import chunked

from daemon.core.keeping.witness import Reading, Witness, look
from daemon.core.tasks.task import FINAL, Task
from daemon.store import settings
from daemon.store.codec import to_task
from daemon.store.database import Database, reads, writes
from daemon.store.models import ClaimRow, KeptFileRow, TaskRow
from daemon.system.shelves import claim_of

_WITNESS = "witness"
_FINAL = tuple(status.value for status in FINAL)
_AT_ONCE = 400  # SQLite allows at least 999 variables in a statement


@writes
def witness(db: Database, now: Reading) -> Witness:
    """Go on with the count of the time that was witnessed. Tasks whose video came into the archive since
    are kept from now on.
    """
    last = settings.get(db, _WITNESS)
    seen = look(Witness(**last) if last else None, now)
    settings.put(db, _WITNESS, asdict(seen))
    new = (TaskRow.video == "archive") & TaskRow.kept_from.is_null()
    TaskRow.update(kept_from=seen.witnessed).where(new).execute(db)
    return seen


@reads
def expired(db: Database, until: float, limit: int) -> list[Task]:
    """Final tasks whose video is in the archive since `until`, in witnessed seconds, or longer."""
    due = (TaskRow.video == "archive") & (TaskRow.kept_from <= until) & TaskRow.status.in_(_FINAL)
    return [to_task(row) for row in TaskRow.select().where(due).limit(limit).execute(db)]


@writes
def expired_files(
    db: Database, there: Iterable[bytes], witnessed: float, until: float, limit: int
) -> list[bytes]:
    """Of the files that are `there`, some that are kept since `until` or longer.

    The count begins for those that are new, and ends for those that are gone, with the claims that they were
    of.
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
    """Record that such files are gone, and delete the refused claims that they were of, and those that
    lost their file before `lost_before`, in seconds since the epoch.
    """
    _drop_files(db, names)
    _drop_claims(db, claims)
    lost = (ClaimRow.step == "lost") & (ClaimRow.claimed_at < lost_before)
    ClaimRow.delete().where(lost).execute(db)  # nothing but the row is lost


def _drop_files(db: Database, names: Iterable[bytes]) -> None:
    """No longer count for files that are gone."""
    for some in chunked(names, _AT_ONCE):
        KeptFileRow.delete().where(KeptFileRow.name.in_(some)).execute(db)


def _drop_claims(db: Database, ids: Iterable[str]) -> None:
    """Delete those of the claims that are closed and that no task came of."""
    for some in chunked(ids, _AT_ONCE):
        born = TaskRow.select(TaskRow.claim_id).where(TaskRow.claim_id.in_(some))
        closed = ClaimRow.id.in_(some) & ClaimRow.step.in_(("done", "lost")) & ClaimRow.id.not_in(born)
        ClaimRow.delete().where(closed).execute(db)
