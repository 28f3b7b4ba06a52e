"""The audit: who ordered what and when, what was before and after, and what was delivered.

An entry is written in the transaction of the change that it records. The table is append-only, and each entry
is chained to the one before: see `daemon.core.keeping.chain`.
"""

import json
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daemon.contracts.documents import Kind
from daemon.core.keeping.chain import (
    BEGIN,
    FORGET,
    PARTS,
    TASK,
    ChainEntry,
    Sealed,
    canonical,
    chained,
    delivery,
    forgotten,
    seal,
)
from daemon.core.keeping.traces import Traces
from daemon.core.tasks.task import Stage
from daemon.core.timestamps import to_iso
from daemon.store.database import Database, reads, writes
from daemon.store.models import AuditRow, DocumentRow, SettingRow, TaskRow
from daemon.store.statements import insert

if TYPE_CHECKING:
    from daemon.core.keeping.bundle import DeliveredResult

BY_ITSELF = "(introeval)"
"""The account of what the daemon did without an order. No account has parentheses."""
WHOLE = "daemon"
"""The subject of an order for the whole daemon."""
_IN_FORCE = "in force"
_CLASS = "class "
"""The subject of an entry about a class begins so, and goes on with its day."""
_WITHHELD = "(a forgotten student)"
_SALT_BYTES = 16
_LAST = "SELECT number, hash FROM audit WHERE number = (SELECT max(number) FROM audit)"


def of_task(task_id: int) -> str:
    """The subject of an entry about a task."""
    return f"{TASK}{task_id}"


def about_class(name: str) -> str:
    """The subject of an entry about a class."""
    return f"{_CLASS}{name}"


@writes
def append(
    db: Database, *, at: float, actor: str | None, what: str, subject: str, before: object, after: object
) -> None:
    """Add an entry, in the caller's transaction if there is one.

    `what` is a fixed word, since it is never deleted. What can name a student belongs into `subject`,
    `before` and `after`, which are plain JSON. Without an account, the daemon did it by itself.
    """
    number, previous = head(db)
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
def head(db: Database) -> tuple[int, str]:
    """The number and the hash of the newest entry."""
    found: tuple[int, str] | None = db.execute_sql(_LAST).fetchone()
    return found or (0, BEGIN)


@reads
def entries(db: Database) -> list[ChainEntry]:
    """All entries, oldest first."""
    return list(_entries(db))


@writes
def in_force(db: Database, now: Mapping[str, object], at: float) -> None:
    """Add an entry if what is in force differs from what was at the last one: the values that differ."""
    rows = list(SettingRow.select().where(SettingRow.key == _IN_FORCE).execute(db))
    before: dict[str, object] = json.loads(rows[0].value) if rows else {}
    differ = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    if not differ:
        return
    SettingRow.insert(key=_IN_FORCE, value=canonical(dict(now))).on_conflict_replace().execute(db)
    append(
        db,
        at=at,
        actor=None,
        what=_IN_FORCE,
        subject=WHOLE,
        before={key: before.get(key) for key in differ} if before else None,
        after={key: now.get(key) for key in differ},
    )


@dataclass(frozen=True, slots=True)
class ClassRecord:
    """The whole chain, the numbers of the entries of a class, and the results that it was given."""

    chain: list[ChainEntry]
    mine: frozenset[int]
    results: "list[DeliveredResult]"


@reads
def of_class(
    db: Database, name: str, begin: float, end: float, *, class_id: int | None = None
) -> ClassRecord:
    """The record of a class of this name: of the tasks with its id; without one, of those that came from
    `begin` to before `end`, its day.

    An entry belongs to the class of its task; one of no task to the class that it names, or else to that of
    its day. One about a calibration belongs also to the classes whose results it corrected, an order to
    forget to those of what it emptied, and what came in force to all later ones.
    """
    from daemon.core.keeping.bundle import DeliveredResult

    came = (
        (TaskRow.upload_timestamp >= begin) & (TaskRow.upload_timestamp < end)
        if class_id is None
        else TaskRow.class_id == class_id
    )
    tasks = [row.id for row in TaskRow.select(TaskRow.id).where(came).order_by(TaskRow.id).execute(db)]
    chain = list(_entries(db))
    recorded = {found[:2] for entry in chain if (found := delivery(entry))}
    results = [
        DeliveredResult(task, row.revision, row.name, bytes(row.content))
        for task in tasks
        for row in _documents(db, task)
        if row.kind == Kind.RESULT.value
        and row.revision is not None
        and (row.delivered_at is not None or (task, row.revision) in recorded)  # or is delivered again now
    ]
    subjects = frozenset([*map(of_task, tasks), about_class(name), *_calibrations(results)])
    first, last = to_iso(begin), to_iso(end)
    mine = {each.number for each in chain if _belongs(each, subjects, on_day=first <= each.at < last)}
    mine |= {each.number for each in chain if each.what == _IN_FORCE and each.at < last}
    mine |= {each.number for each in chain if any(number in mine for number, _ in forgotten(each))}
    return ClassRecord(chain, frozenset(mine), results)


@writes
def forget(db: Database, traces: Traces, tasks: Collection[int], *, at: float, actor: str | None) -> None:
    """Empty what names a student, and add the entry that says which entries that were.

    `tasks` are the student's. An entry of another's task names no student but that one; nor does one about
    the daemon.
    """
    student, mine = traces.student, frozenset(map(of_task, tasks))
    found = traces.in_files().found
    emptied: dict[str, list[int]] = {name: [] for name in PARTS}
    for entry in _entries(db):
        if entry.actor.text == student:
            emptied["actor"].append(entry.number)
        if _is_about(entry, mine, found):
            emptied["details"].append(entry.number)
    for name, numbers in emptied.items():
        for number in numbers:
            db.execute_sql(f"UPDATE audit SET {name} = NULL, {name}_salt = NULL WHERE number = ?", (number,))
    actor = _WITHHELD if actor == student else actor
    append(db, at=at, actor=actor, what=FORGET, subject="student", before=None, after=emptied)


def _documents(db: Database, task: int) -> Iterator[DocumentRow]:
    query = DocumentRow.select().where(DocumentRow.task_id == task).order_by(DocumentRow.id)
    yield from query.execute(db)


def _subject(entry: ChainEntry) -> str | None:
    if entry.details.text is None:
        return None
    subject: str = json.loads(entry.details.text)["subject"]
    return subject


def _is_about(entry: ChainEntry, mine: Collection[str], found: Callable[[bytes], bool]) -> bool:
    """Whether the details are about a student with these tasks, or name what `found` finds."""
    subject = _subject(entry)
    if subject is None or entry.what == FORGET or subject == WHOLE:
        return False
    return subject in mine if subject.startswith(TASK) else found((entry.details.text or "").encode())


def _belongs(entry: ChainEntry, subjects: Collection[str], *, on_day: bool) -> bool:
    subject = _subject(entry)
    if subject is not None and subject.startswith((TASK, _CLASS)):
        return subject in subjects
    return on_day or subject in subjects


def _calibrations(results: "Iterable[DeliveredResult]") -> Iterator[str]:
    """The subjects of the entries about the calibrations that the results name."""
    from daemon.core.keeping.bundle import used

    for said in used(results).get(Stage.RATE.value, ()):
        if calibration := said.get("calibration"):
            yield f"calibration {calibration['number']}"


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
