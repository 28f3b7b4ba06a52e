"""Births: spooled claims become tasks."""

from collections.abc import Sequence
from dataclasses import replace

from daemon.contracts.documents import Document, Kind
from daemon.contracts.values import Birth, Born, Change, ClaimStep, Failed, Ticket
from daemon.core.content.document import Flag
from daemon.core.content.receipt import part_bytes, receipt
from daemon.core.intake.naming import Refused, receipt_name
from daemon.core.intake.ownership import OTHER_ACCOUNT
from daemon.core.tasks.task import OPEN, SHARED_NAME, Event, Phase, Status, Task
from daemon.core.timestamps import to_iso
from daemon.store import claims, codec, commits, history, users
from daemon.store.classes import OPEN_CLASS
from daemon.store.database import Database, writes
from daemon.store.documents import add_document
from daemon.store.measured import set_estimates
from daemon.store.models import CountRow, TaskRow
from daemon.store.registered import unclaimed
from daemon.store.statements import insert

_SAME_CONTENT = "same_content"
_OPEN = tuple(status.value for status in OPEN)
_STANDS = ", ".join(f"'{status}'" for status in (*_OPEN, Status.COMPLETED.value))
# As SQL: each file of a burst needs them, and peewee would build them anew each time.
_ADD_USER = "INSERT OR IGNORE INTO users (username, created_at) VALUES (?, ?)"
_STANDING = f"""
    SELECT account, MIN(id), MIN(CASE WHEN sha256 = ? THEN id END) FROM processing_tasks
    WHERE user_id = ? AND status IN ({_STANDS}) AND claim_id IS NOT NULL
    GROUP BY account
"""
_FIRST_TWIN = "SELECT MIN(id) FROM processing_tasks WHERE sha256 = ? AND user_id <> ?"


@writes
def create_tasks(db: Database, births: Sequence[Birth], now: float) -> list[Born]:
    """Turn spooled claims into tasks, with users, history, receipts and the claims' last step.

    Gives one Born for each birth, in their order, its claim with the student as first spelled. The claim of a
    refused one stays open: refuse it, too.
    """
    written, births = births, _spelled(db, births)
    changed = {new.claim.id for old, new in zip(written, births, strict=True) if old is not new}
    students = {(birth.claim.student, to_iso(now)) for birth in births}
    db.connection().executemany(_ADD_USER, sorted(students))
    opened = db.execute_sql(OPEN_CLASS).fetchone()
    class_id = None if opened is None else opened[0]
    born = [_create_task(db, birth, now, class_id) for birth in births]
    claims.respell(db, [one.claim for one in born if one.task is not None and one.claim.id in changed])
    claims.step(db, [one.claim.id for one in born if one.task is not None], ClaimStep.DONE)
    _add_receipts(db, [one.task for one in born if one.task is not None], now)
    return born


def _spelled(db: Database, births: Sequence[Birth]) -> list[Birth]:
    """The births, each of its student as first spelled: `S060` is of `s060`."""
    names = {birth.claim.student for birth in births if birth.claim.student is not None}
    spelling = users.spellings(db, names)
    first: dict[str, str] = {}
    spelled = []
    for birth in births:
        name = birth.claim.student or ""
        as_known = spelling.get(name) or first.setdefault(name.casefold(), name)
        spelled.append(
            birth if as_known == name else replace(birth, claim=replace(birth.claim, student=as_known))
        )
    return spelled


def _create_task(db: Database, birth: Birth, now: float, class_id: int | None) -> Born:
    student = birth.claim.student
    if student is None:
        raise ValueError(f"claim {birth.claim.id} names no student and must be refused")
    same, again, other = _standing(db, student, birth.sha256, birth.claim.account)
    if again is not None:
        return Born(birth.claim, None, Refused.DUPLICATE, again)
    if db.resubmission == "reject" and same is not None and not _is_shared(birth):
        return Born(birth.claim, None, Refused.HANDED_IN, same)
    if other is not None:
        birth = replace(birth, flags=(*birth.flags, _other_account(*other)))
    task = _insert(db, birth, student, now, class_id)
    detail = {**birth.groups, "claim": birth.claim.id, "account": birth.claim.account}
    history.record(db, task, "claimed", now, before=None, detail=detail)
    if birth.fault is not None:
        failed = replace(task, status=Status.FAILED)
        outcome = Failed(Ticket(task.id, task.revision, task.attempt), birth.fault)
        commits.commit(db, [Change(task, failed, Event.FAILED, now, outcome=outcome)])
        task = failed
    return Born(birth.claim, task)


def _standing(
    db: Database, student: str, sha256: str, account: str | None
) -> tuple[int | None, int | None, tuple[int, str] | None]:
    """The student's first open or completed task that concerns the account, the first of those with this
    content, and one task of another account with that account's name.
    """
    first: list[int] = []
    same_content: list[int] = []
    other: tuple[int, str] | None = None
    for theirs, task_id, with_content in db.execute_sql(_STANDING, (sha256, student)).fetchall():
        if not db.ownership.concerns(account, theirs):
            other = task_id, theirs
            continue
        first.append(task_id)
        if with_content is not None and sha256:  # "" if the file is too large to be read
            same_content.append(with_content)
    return min(first, default=None), min(same_content, default=None), other


def _is_shared(birth: Birth) -> bool:
    return any(flag.code == SHARED_NAME for flag in birth.flags)


def _other_account(task_id: int, account: str) -> Flag:
    detail = f"task {task_id} of this student was handed in by the account {account}"
    return Flag(code=OTHER_ACCOUNT, field="source", detail=detail)


def _insert(db: Database, birth: Birth, student: str, now: float, class_id: int | None) -> Task:
    claim = birth.claim
    # All empty files are alike, which says nothing of who copied from whom.
    content = birth.sha256 or None if birth.size_bytes else None
    (first,) = db.execute_sql(_FIRST_TWIN, (content, student)).fetchone()
    flags = birth.flags
    if first is not None:
        flags += (_same_content(f"came before as task {first}"),)
    row = TaskRow(
        user_id=student,
        filename=claim.filename,
        file_path=str(birth.spooled),
        upload_timestamp=claim.claimed_at,
        status=Status.UPLOADED.value,
        phase=Phase.STT.value,
        last_updated=now,
        claim_id=claim.id,
        account=claim.account,
        sha256=birth.sha256,
        size_bytes=birth.size_bytes,
        duration_s=birth.duration_s,
        began_at=claim.claimed_at,
        video="spool" if birth.kept else "gone",
        flags=codec.flags_text({"intake": flags}),
        class_id=class_id,
    )
    row.id = task_id = _registered(db, row, claim.path) or insert(db, TaskRow, **row.__data__)
    twins = (TaskRow.sha256 == content) & (TaskRow.user_id != student) & TaskRow.status.in_(_OPEN)
    for twin in TaskRow.select().where(twins).execute(db) if first is not None else ():
        known = codec.read_flags(twin.flags)
        intake = known.get("intake", ())
        if not any(flag.code == _SAME_CONTENT for flag in intake):
            known["intake"] = (*intake, _same_content(f"came again as task {task_id}"))
            TaskRow.update(flags=codec.flags_text(known)).where(TaskRow.id == twin.id).execute(db)
    return codec.to_task(row)


def _registered(db: Database, row: TaskRow, path: bytes) -> int | None:
    """The task of this student that another program inserted for this file. It becomes `row`."""
    for one in unclaimed(db):
        if (one.student, one.path) == (row.user_id, path):
            columns = dict.fromkeys(TaskRow._meta.sorted_field_names) | row.__data__ | {"id": one.id}
            TaskRow.update(**columns).where(TaskRow.id == one.id).execute(db)
            return one.id
    return None


def _same_content(how: str) -> Flag:
    return Flag(code=_SAME_CONTENT, field="source", detail=f"the same content {how}, of another student")


def _add_receipts(db: Database, tasks: Sequence[Task], now: float) -> None:
    """Add a receipt for each new task. One forecast covers all of them that are open."""
    waiting = [task for task in tasks if task.status in OPEN]
    expected = db.estimate(waiting) if db.estimate is not None and waiting else {}
    set_estimates(db, expected)
    counts = CountRow.select().where(CountRow.status.in_(_OPEN)).execute(db)
    place = sum(row.n for row in counts) - len(waiting)
    for task in tasks:
        place += task.status in OPEN
        content = part_bytes(receipt(task, place, expected.get(task.id)))
        name = receipt_name(task.student, task.id, task.filename)
        document = Document(0, Kind.RECEIPT, name, content, task.id)
        add_document(db, document, created_at=now, revision=task.revision)
