"""Classes, the standing of their students, and decisions."""

from typing import Annotated

from pydantic import Field

from daemon.contracts.wire.base import WireModel
from daemon.core.classes.decision import Wanted as DecisionWanted
from daemon.core.classes.roster import MOST_ENTRIES, RosterEntry

__all__ = [
    "ClassLine",
    "ClassList",
    "ClassShown",
    "ClassWanted",
    "DecisionWanted",
    "RosterWanted",
    "StudentLine",
]

Entries = Annotated[list[RosterEntry], Field(max_length=MOST_ENTRIES)]


class ClassLine(WireModel):
    """A class in a list; of that of a day only the name is known. `students` are those of its roster."""

    name: str
    opened_at: str | None = None
    opened_by: str | None = None
    closed_at: str | None = None
    deadline: str | None = None
    rubric: str | None = None
    archive_days: float | None = None
    students: int = 0


class ClassList(WireModel):
    """All classes that were opened, the newest first, and the name of the open one."""

    opened: str | None
    classes: list[ClassLine]


class StudentLine(WireModel):
    """A student of a class. `standing` is missing, in_work, unreadable, needs_review, held or released;
    `held` says why the result may not leave for a grade book. `tasks` are all, oldest first, and `counts` is
    the one that counts; `rating`, `flags` and the rest are of that one.
    """

    student: str
    name: str = ""
    group: str = ""
    email: str = ""
    aliases: tuple[str, ...] = ()
    standing: str
    held: str = ""
    late: bool = False
    unknown: bool = False
    tasks: list[int] = Field(default_factory=list)
    counts: int | None = None
    filename: str | None = None
    rating: int | None = None
    flags: list[str] = Field(default_factory=list)
    decided_by: str | None = None
    revision: int | None = None


class ClassShown(ClassLine):
    """A class with its students. `counts` has the number of each standing, and of handed_in, doubled, unknown
    and late ones.
    """

    counts: dict[str, int]
    lines: list[StudentLine]


class ClassWanted(WireModel):
    """A class to open. `deadline` is ISO 8601 with its zone; a roster of None keeps the one that is there."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    deadline: str | None = None
    rubric: str | None = None
    archive_days: Annotated[float, Field(ge=0)] | None = None
    roster: Entries | None = None


class RosterWanted(WireModel):
    """The new roster of a class."""

    roster: Entries
