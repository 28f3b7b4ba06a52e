"""A class as it is shown: read from the database, by the daemon or without one."""

from datetime import date

from daemon.config.records import ReviewSettings
from daemon.contracts.wire.classes import ClassLine, ClassList, ClassShown, StudentLine
from daemon.core.classes.roster import Roster
from daemon.core.classes.standing import ClassTask, StudentStanding, count, standings
from daemon.core.timestamps import to_iso
from daemon.store import classes
from daemon.store.classes import LabClass
from daemon.store.database import Database, reads
from daemon.store.membership import membership


@reads
def class_list(db: Database) -> ClassList:
    """All classes that were opened, the newest first."""
    one = classes.opened(db)
    return ClassList(
        opened=None if one is None else one.name, classes=[line(each) for each in classes.every(db)]
    )


@reads
def class_shown(db: Database, name: str, rules: ReviewSettings, now: float) -> ClassShown:
    """A class with its students: of this name, of a day such as 2026-11-26, or the current one.

    Raises UnknownClass.
    """
    found, roster, tasks = members(db, name, now)
    deadline = found.deadline if isinstance(found, LabClass) else None
    lines = standings(roster, tasks, rules.release, rules.counts, deadline)
    head = line(found) if isinstance(found, LabClass) else ClassLine(name=found.isoformat())
    return ClassShown(
        **head.model_dump(),
        counts=dict(count(lines)),
        lines=[_student(each, listed=bool(roster.entries)) for each in lines],
    )


def members(db: Database, name: str, now: float) -> tuple[LabClass | date, Roster, list[ClassTask]]:
    """A class or a day with its roster and its tasks. Raises UnknownClass."""
    of = membership(db, name, now)
    if of.class_id is None:
        return date.fromisoformat(of.name), Roster(), classes.submitted_between(db, of.begin, of.end)
    return classes.named(db, of.name), classes.roster(db, of.class_id), classes.submitted(db, of.class_id)


def line(one: LabClass) -> ClassLine:
    """A class in a list."""
    return ClassLine(
        name=one.name,
        opened_at=to_iso(one.opened_at),
        opened_by=one.opened_by,
        closed_at=None if one.closed_at is None else to_iso(one.closed_at),
        deadline=None if one.deadline is None else to_iso(one.deadline),
        rubric=one.rubric,
        archive_days=one.archive_days,
        students=one.students,
    )


def _student(one: StudentStanding, *, listed: bool) -> StudentLine:
    standing = StudentLine(
        student=one.student,
        standing=one.standing,
        held=one.held,
        late=one.late,
        unknown=listed and one.entry is None,
        tasks=[task.id for task in one.tasks],
    )
    of_roster = {} if one.entry is None else one.entry.model_dump()
    return standing.model_copy(update=of_roster | _counting(one.counts))


def _counting(task: ClassTask | None) -> dict[str, object]:
    """What a line says of the task that counts."""
    if task is None:
        return {}
    return {
        "counts": task.id,
        "filename": task.filename,
        "rating": task.rating,
        "flags": list(task.flag_codes),
        "decided_by": task.decided_by,
        "revision": task.revision,
    }
