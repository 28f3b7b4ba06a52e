"""The results of a class, as they leave for a grade book, a report and the students."""

from dataclasses import dataclass
from datetime import date

from daemon.classes.shown import members
from daemon.config.records import ReviewSettings
from daemon.core.classes.standing import standings
from daemon.core.content.document import Result
from daemon.core.exports.members import Member
from daemon.store import documents
from daemon.store.classes import LabClass
from daemon.store.database import Database, reads


@dataclass(frozen=True, slots=True)
class ClassResults:
    """A class with its students and the result of each that counts. `deadline` is in seconds since the epoch."""

    name: str
    deadline: float | None
    members: tuple[Member, ...]


@reads
def class_results(db: Database, name: str, rules: ReviewSettings, now: float) -> ClassResults:
    """The results of a class: of this name, of a day such as 2026-11-26, or the current one.

    Raises UnknownClass.
    """
    found, roster, tasks = members(db, name, now)
    is_opened = isinstance(found, LabClass)
    deadline = found.deadline if isinstance(found, LabClass) else None
    lines = standings(roster, tasks, rules.release, rules.counts, deadline)
    return ClassResults(
        name=found.name if isinstance(found, LabClass) else found.isoformat(),
        deadline=deadline,
        members=tuple(
            Member(line, None if line.counts is None else _result(db, line.counts.id, line.counts.revision))
            for line in lines
        ),
    )


def _result(db: Database, task_id: int, revision: int) -> Result | None:
    """The result of the present revision; None while it is in work."""
    last = documents.results(db, task_id)[-1:]
    result = Result.model_validate_json(last[0]) if last else None
    return result if result and result.revision == revision else None
