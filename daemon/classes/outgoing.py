"""The results of a class, as they leave for a grade book, a report and the students."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from daemon.classes.shown import members
from daemon.config.records import ReviewSettings
from daemon.contracts.wire.status import GpuPoint, PhaseSpan
from daemon.core.classes.standing import count, standings
from daemon.core.content.document import Result, read_result
from daemon.core.exports.members import ClassMember
from daemon.core.timestamps import from_iso
from daemon.monitoring import queries
from daemon.store import documents, recording
from daemon.store.classes import LabClass
from daemon.store.database import Database, reads

_MOST_PHASES = 2000
_MOST_POINTS = 50_000  # half a day


@dataclass(frozen=True, slots=True)
class ClassResults:
    """A class with its students, and the result of each that counts."""

    name: str
    counts: Mapping[str, int]
    members: tuple[ClassMember, ...]


@reads
def class_results(db: Database, name: str, rules: ReviewSettings, now: float) -> ClassResults:
    """The results of a class: of this name, of a day such as 2026-11-26, or the current one.

    Raises UnknownClass.
    """
    found, roster, tasks = members(db, name, now)
    deadline = found.deadline if isinstance(found, LabClass) else None
    lines = standings(roster, tasks, rules.release, rules.counts, deadline)
    return ClassResults(
        name=found.name if isinstance(found, LabClass) else found.isoformat(),
        counts=count(lines),
        members=tuple(
            ClassMember(
                line, None if line.counts is None else _result(db, line.counts.id, line.counts.revision)
            )
            for line in lines
        ),
    )


def _result(db: Database, task_id: int, revision: int) -> Result | None:
    """The result of the present revision; None while it is in work."""
    for content in documents.results(db, task_id)[-1:]:
        result = read_result(content)
        if result.revision == revision:
            return result
    return None


@reads
def machine_time(db: Database, members: Sequence[ClassMember]) -> tuple[list[PhaseSpan], list[GpuPoint]]:
    """The phases of the time in which a class was worked on, and the readings of the GPU, oldest first."""
    counting = [(member.standing.counts, member.result) for member in members]
    spans = [
        (task.claimed_at, task.claimed_at + result.timings.total_s)
        for task, result in counting
        if task and result
    ]
    if not spans:
        return [], []
    begin, end = min(span[0] for span in spans), max(span[1] for span in spans)
    phases = queries.phases(db, _MOST_PHASES, until=end)
    inside = [span for span in phases if from_iso(span.ended_at or span.started_at) >= begin]
    return inside[::-1], recording.points_between(db, begin, end, _MOST_POINTS)
