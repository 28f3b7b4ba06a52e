"""Which tasks are of a class: of one that was opened, or of a day."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from peewee import Expression

from daemon.store import classes
from daemon.store.database import Database, reads
from daemon.store.models import TaskRow

CURRENT = "current"
"""The name by which the open class is asked for, or without one that of today."""


@dataclass(frozen=True, slots=True)
class Membership:
    """The tasks of a class: those with its `class_id`; without one those of no class that were claimed from
    `begin` to before `end`, the class's day, in seconds since the epoch.
    """

    name: str
    begin: float
    end: float
    class_id: int | None = None

    @property
    def condition(self) -> Expression:
        """That a row is of the class."""
        if self.class_id is not None:
            return TaskRow.class_id == self.class_id
        claimed = TaskRow.upload_timestamp
        of_day: Expression = (claimed >= self.begin) & (claimed < self.end)
        return of_day & TaskRow.class_id.is_null()


@reads
def membership(db: Database, name: str, now: float) -> Membership:
    """The tasks of a class: of this name, of a day such as 2026-11-26, or of the current one.

    Raises UnknownClass.
    """
    try:
        day = date.fromisoformat(name)
    except ValueError:
        one = classes.opened(db) if name == CURRENT else classes.named(db, name)
        if one is not None:
            return Membership(
                one.name, one.opened_at, now if one.closed_at is None else one.closed_at, one.id
            )
        day = datetime.fromtimestamp(now).astimezone().date()
    begin, end = (datetime.combine(day + timedelta(n), time()).timestamp() for n in (0, 1))
    return Membership(day.isoformat(), begin, end)
