"""Claims in the database: files on their way out of the inbox."""

from collections.abc import Sequence

from peewee import chunked

from daemon.contracts.documents import Document
from daemon.contracts.values import Claim, ClaimStep
from daemon.core.errors import StoreError
from daemon.store.database import Database, reads, writes
from daemon.store.documents import add_document
from daemon.store.models import ClaimRow
from daemon.store.statements import insert

_OPEN_STEPS = (ClaimStep.SEEN.value, ClaimStep.SPOOLED.value)
_AT_ONCE = 400  # SQLite allows at least 999 variables in a statement


@writes
def add(db: Database, claims: Sequence[Claim]) -> None:
    """Insert claims, each at the step that it names."""
    for claim in claims:
        insert(
            db,
            ClaimRow,
            id=claim.id,
            path=claim.path,
            filename=claim.filename,
            student=claim.student,
            device=claim.device,
            inode=claim.inode,
            size_bytes=claim.size_bytes,
            mtime_ns=claim.mtime_ns,
            claimed_at=claim.claimed_at,
            reason=claim.reason,
            step=claim.step.value,
            owner=claim.owner,
            account=claim.account,
        )


@writes
def step(db: Database, ids: Sequence[str], to: ClaimStep) -> None:
    """Move open claims to a later step. Raises StoreError when one of them is unknown or closed."""
    moved = 0
    for some in chunked(ids, _AT_ONCE):
        known = ClaimRow.id.in_(some) & ClaimRow.step.in_(_OPEN_STEPS)
        moved += ClaimRow.update(step=to.value).where(known).execute(db)
    if moved != len(set(ids)):
        raise StoreError(
            f"only {moved} of {len(set(ids))} claims are open and can become {to}: {', '.join(ids)}"
        )


@reads
def still_open(db: Database) -> list[Claim]:
    """The claims that are neither done nor lost, oldest first; at a start, those that a crash interrupted."""
    query = ClaimRow.select().where(ClaimRow.step.in_(_OPEN_STEPS)).order_by(ClaimRow.claimed_at, ClaimRow.id)
    return [_claim(row) for row in query.execute(db)]


@reads
def closed(db: Database, ids: Sequence[str]) -> list[Claim]:
    """The claims among `ids` (at most 400) that are done or lost."""
    mine = ClaimRow.id.in_(ids) & ClaimRow.step.not_in(_OPEN_STEPS)
    return [_claim(row) for row in ClaimRow.select().where(mine).execute(db)]


@writes
def refuse(db: Database, refusals: Sequence[tuple[Claim, Document]]) -> None:
    """Close the claims of refused files, each with the document that says why."""
    for claim, document in refusals:
        add_document(db, document, created_at=claim.claimed_at)
    respell(db, [claim for claim, _ in refusals])
    step(db, [claim.id for claim, _ in refusals], ClaimStep.DONE)


@writes
def open_package(db: Database, whole: Claim, members: Sequence[Claim], reasons: Sequence[Document]) -> None:
    """Close the claim of a package, with the claims of its members and the reasons for what is refused."""
    add(db, members)
    for document in reasons:
        add_document(db, document, created_at=whole.claimed_at)
    step(db, [whole.id], ClaimStep.DONE)


def respell(db: Database, claims: Sequence[Claim]) -> None:
    """Store the students of claims, which are about to be closed, as these spell them."""
    for claim in claims:
        other = (ClaimRow.id == claim.id) & (ClaimRow.student != claim.student)
        ClaimRow.update(student=claim.student).where(other).execute(db)


def _claim(row: ClaimRow) -> Claim:
    return Claim(
        id=row.id,
        path=bytes(row.path),
        filename=row.filename,
        student=row.student,
        device=row.device,
        inode=row.inode,
        size_bytes=row.size_bytes,
        mtime_ns=row.mtime_ns,
        claimed_at=row.claimed_at,
        reason=row.reason,
        step=ClaimStep(row.step),
        owner=row.owner,
        account=row.account,
    )
