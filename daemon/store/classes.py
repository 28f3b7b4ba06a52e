"""Classes that were opened, their rosters, and the tasks of each."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from daemon.contracts.values import Claim, ClaimStep
from daemon.core.classes.roster import Roster, RosterEntry
from daemon.core.classes.standing import ClassTask
from daemon.core.errors import IllegalTransition, UnknownClass
from daemon.core.spelling import folded
from daemon.core.tasks.task import Outcome
from daemon.core.timestamps import from_iso, to_iso
from daemon.store import audit, claims
from daemon.store.class_models import ClassRow, RosterRow
from daemon.store.codec import dumps, flag_codes
from daemon.store.database import Database, reads, writes

OPEN_CLASS = (
    "SELECT id FROM classes WHERE closed_at IS NULL AND (closed_at IS NULL) = 1"  # as its index has it
)
_NAME = "SELECT name FROM classes WHERE id = ?"
_TASKS = """
    SELECT id, user_id, filename, upload_timestamp, outcome, flags, revision,
        json_extract(llama_result, '$.overall_rating'), json_extract(decision, '$.by'),
        json_extract(decision, '$.at')
    FROM processing_tasks WHERE {} ORDER BY upload_timestamp, id
"""
_OF_CLASS = _TASKS.format("class_id = ?")
_OF_SPAN = _TASKS.format("class_id IS NULL AND upload_timestamp >= ? AND upload_timestamp < ?")


@dataclass(frozen=True, slots=True)
class LabClass:
    """A class that was opened. Times are in seconds since the epoch; `closed_at` is None while it is open."""

    id: int
    name: str
    opened_at: float
    opened_by: str | None
    closed_at: float | None
    deadline: float | None
    rubric: str | None
    archive_days: float | None
    students: int


@writes
def open_class(
    db: Database,
    name: str,
    *,
    deadline: float | None,
    rubric: str | None,
    archive_days: float | None,
    entries: Sequence[RosterEntry] | None,
    now: float,
    actor: str | None,
) -> LabClass:
    """Open a class, or one again that was closed. What is claimed from now on belongs to it. Without
    `entries` its roster stays.

    Raises IllegalTransition while another one is open.
    """
    if (known := opened(db)) is not None:
        told = f"the class {known.name} is open" + (" already" if known.name == name else "")
        raise IllegalTransition(f"{told}; to end it, run: introeval class close")
    given = {"deadline": deadline, "rubric": rubric, "archive_days": archive_days}
    before = _found(db, ClassRow.name == name)
    if before is None:
        ClassRow.insert(name=name, opened_at=now, opened_by=actor, **given).execute(db)
    else:
        kept = {key: value for key, value in given.items() if value is not None}
        columns = {"deadline": None, **kept, "closed_at": None}
        ClassRow.update(**columns).where(ClassRow.id == before.id).execute(db)
    after = named(db, name)
    _told(db, "class opened", after, now, actor, before and _state(before))
    return after if entries is None else set_roster(db, name, entries, now, actor)


@writes
def close_class(db: Database, now: float, actor: str | None) -> LabClass:
    """Close the open class: what comes later belongs to the class of its day. Raises IllegalTransition."""
    before = opened(db)
    if before is None:
        raise IllegalTransition("no class is open; to open one, run: introeval class open NAME")
    ClassRow.update(closed_at=now).where(ClassRow.id == before.id).execute(db)
    after = named(db, before.name)
    _told(db, "class closed", after, now, actor, _state(before))
    return after


@writes
def set_deadline(db: Database, at: float | None, now: float, actor: str | None) -> None:
    """Set the deadline of the open class, if there is one."""
    before = opened(db)
    if before is not None:
        ClassRow.update(deadline=at).where(ClassRow.id == before.id).execute(db)
        _told(db, "class deadline", named(db, before.name), now, actor, _state(before))


@writes
def set_roster(
    db: Database, name: str, entries: Sequence[RosterEntry], now: float, actor: str | None
) -> LabClass:
    """Replace the roster of a class. Raises UnknownClass."""
    before = named(db, name)
    db.rosters.clear()
    RosterRow.delete().where(RosterRow.class_id == before.id).execute(db)
    rows = [
        (before.id, place, entry.student, entry.name, entry.group, entry.email, dumps(entry.aliases))
        for place, entry in enumerate(entries)
    ]
    db.connection().executemany("INSERT INTO roster VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    after = named(db, name)
    _told(db, "class roster", after, now, actor, _state(before))
    return after


@writes
def take_roster(db: Database, claim: Claim, entries: Sequence[RosterEntry], now: float) -> None:
    """Replace the roster of the open class by the file of a claim, which is done with. Raises
    IllegalTransition without an open class.
    """
    one = opened(db)
    if one is None:
        raise IllegalTransition("no class is open; to open one, run: introeval class open NAME")
    set_roster(db, one.name, entries, now, claim.account)
    claims.step(db, [claim.id], ClaimStep.DONE)


@reads
def opened(db: Database) -> LabClass | None:
    """The open class, if there is one."""
    return _found(db, ClassRow.closed_at.is_null())


@reads
def named(db: Database, name: str) -> LabClass:
    """The class of a name. Raises UnknownClass."""
    found = _found(db, ClassRow.name == name)
    if found is None:
        raise UnknownClass(f"there is no class {name}; run: introeval class list")
    return found


@reads
def every(db: Database) -> list[LabClass]:
    """All classes, the newest first."""
    rows = ClassRow.select().order_by(ClassRow.opened_at.desc(), ClassRow.id.desc()).execute(db)
    return [_class(db, row) for row in rows]


@reads
def roster(db: Database, class_id: int) -> Roster:
    """The roster of a class, in its order."""
    rows = RosterRow.select().where(RosterRow.class_id == class_id).order_by(RosterRow.place).execute(db)
    return Roster(map(_entry, rows))


@reads
def open_roster(db: Database) -> Roster:
    """The roster of the open class; without one, that of nobody."""
    opened_class = db.execute_sql(OPEN_CLASS).fetchone()
    return Roster() if opened_class is None else roster_in_use(db, opened_class[0])


def roster_in_use(db: Database, class_id: int | None) -> Roster:
    """The roster of a task's class, remembered: each claim and each form asks for it. In a transaction."""
    if class_id is None:
        return Roster()
    if class_id not in db.rosters:
        db.rosters[class_id] = roster(db, class_id)
    return db.rosters[class_id]


@reads
def submitted(db: Database, class_id: int) -> list[ClassTask]:
    """The tasks of a class, in the order of their claims."""
    return list(_submitted(db.execute_sql(_OF_CLASS, (class_id,)).fetchall()))


@reads
def submitted_between(db: Database, begin: float, end: float) -> list[ClassTask]:
    """The tasks of no opened class that were claimed in a span of time."""
    return list(_submitted(db.execute_sql(_OF_SPAN, (to_iso(begin), to_iso(end))).fetchall()))


def listed_as(db: Database, student: str) -> list[tuple[int, int, RosterEntry]]:
    """The entries of a student's id in all rosters, each with its class and its place there."""
    rows = RosterRow.select().execute(db).iterator()
    return [(row.class_id, row.place, _entry(row)) for row in rows if folded(row.student) == folded(student)]


def ids_of(db: Database, named: str) -> list[str]:
    """The ids of whom the rosters call so: in each an id goes first, and another name counts where one entry
    alone has it.
    """
    found: dict[str, str] = {}
    for (class_id,) in RosterRow.select(RosterRow.class_id).distinct().tuples().execute(db):
        if (entry := roster(db, class_id).find(named)) is not None:
            found.setdefault(folded(entry.student), entry.student)
    return sorted(found.values())


def strike(db: Database, student: str) -> None:
    """Delete the entries of a student from all rosters. The places of the others stay."""
    for class_id, place, _ in listed_as(db, student):
        mine = (RosterRow.class_id == class_id) & (RosterRow.place == place)
        RosterRow.delete().where(mine).execute(db)
    db.rosters.clear()


def name_of(db: Database, class_id: int | None) -> str | None:
    """The name of a task's class; None in the class of a day."""
    if class_id is None:
        return None
    (name,) = db.execute_sql(_NAME, (class_id,)).fetchone()
    return str(name)


def _entry(row: RosterRow) -> RosterEntry:
    return RosterEntry(
        student=row.student,
        name=row.name,
        group=row.group_name,
        email=row.email,
        aliases=json.loads(row.aliases),
    )


def _found(db: Database, where: object) -> LabClass | None:
    rows = list(ClassRow.select().where(where).execute(db))
    return _class(db, rows[0]) if rows else None


def _class(db: Database, row: ClassRow) -> LabClass:
    students = RosterRow.select().where(RosterRow.class_id == row.id).count(db)
    return LabClass(
        row.id,
        row.name,
        row.opened_at,
        row.opened_by,
        row.closed_at,
        row.deadline,
        row.rubric,
        row.archive_days,
        students,
    )


def _submitted(rows: Iterable[Sequence[object]]) -> Iterable[ClassTask]:
    for id_, student, filename, claimed_at, outcome, flags, revision, rating, by, at in rows:
        yield ClassTask(
            id=int(str(id_)),
            student=str(student),
            filename=str(filename),
            claimed_at=from_iso(str(claimed_at)),
            outcome=None if outcome is None else Outcome(str(outcome)),
            flag_codes=flag_codes(str(flags)),
            rating=None if rating is None else int(str(rating)),
            decided_by=None if by is None else str(by),
            revision=int(str(revision)),
            decided_at="" if at is None else str(at),
        )


def _told(db: Database, what: str, after: LabClass, now: float, actor: str | None, before: object) -> None:
    subject = audit.about_class(after.name)
    audit.append(db, at=now, actor=actor, what=what, subject=subject, before=before, after=_state(after))


def _state(one: LabClass) -> dict[str, object]:
    return {
        "closed": one.closed_at is not None,
        "deadline": None if one.deadline is None else to_iso(one.deadline),
        "rubric": one.rubric,
        "archive_days": one.archive_days,
        "students": one.students,
    }
