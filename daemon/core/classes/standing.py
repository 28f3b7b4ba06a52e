"""The standing of each student of a class: handed in, missing, unreadable, to be reviewed, released."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from daemon.core.class_rules import CountingRule, ReleaseRule
from daemon.core.classes.roster import Roster, RosterEntry
from daemon.core.content.release import held_because
from daemon.core.spelling import folded
from daemon.core.tasks.task import Outcome


class Standing(StrEnum):
    """Where a student of a class stands, by the task that counts. Each student has exactly one."""

    MISSING = "missing"  # nothing was handed in
    IN_WORK = "in_work"
    UNREADABLE = "unreadable"  # failed, unscorable or cancelled, and nobody has given a rating
    NEEDS_REVIEW = "needs_review"  # flagged, and nobody has decided
    HELD = "held"  # not flagged, and held back by the rule of release
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class ClassTask:
    """A task of a class, as far as its class is concerned. Times are seconds since the epoch."""

    id: int
    student: str
    filename: str
    claimed_at: float
    outcome: Outcome | None
    flag_codes: tuple[str, ...]
    rating: int | None
    decided_by: str | None
    revision: int


@dataclass(frozen=True, slots=True)
class StudentStanding:
    """A student with all their tasks, oldest first, and the one that counts. `entry` is None for one who is
    not on the roster; `late`: it came after the deadline.
    """

    student: str
    entry: RosterEntry | None
    tasks: tuple[ClassTask, ...]
    counts: ClassTask | None
    standing: Standing
    held: str
    late: bool


def standings(
    roster: Roster,
    tasks: Iterable[ClassTask],
    rule: ReleaseRule,
    counting: CountingRule,
    deadline: float | None,
) -> list[StudentStanding]:
    """Each student of the roster in its order, then those who are on none, by id."""
    of: dict[str, list[ClassTask]] = {}
    for task in sorted(tasks, key=lambda task: (task.claimed_at, task.id)):
        entry = roster.find(task.student)
        of.setdefault(folded(entry.student if entry else task.student), []).append(task)
    known = [(entry.student, entry) for entry in roster.entries]
    listed = {folded(entry.student) for entry in roster.entries}
    others = sorted(tasks[0].student for key, tasks in of.items() if key not in listed)
    return [
        _standing(student, entry, of.get(folded(student), ()), rule, counting, deadline)
        for student, entry in [*known, *((student, None) for student in others)]
    ]


def count(lines: Iterable[StudentStanding]) -> Mapping[str, int]:
    """The numbers of a class: of each standing, and `handed_in`, `doubled`, `unknown` and `late`.

    Where there is a roster, `handed_in` counts those who are on it, and `unknown` the others.
    """
    lines = list(lines)
    listed = any(line.entry is not None for line in lines)
    counted: Counter[str] = Counter()
    for line in lines:
        counted[line.standing.value] += 1
        counted["handed_in"] += bool(line.tasks) and (line.entry is not None or not listed)
        counted["doubled"] += len(line.tasks) > 1
        counted["unknown"] += line.entry is None and listed
        counted["late"] += line.late
    names = [*(standing.value for standing in Standing), "handed_in", "doubled", "unknown", "late"]
    return {name: counted[name] for name in names}


def _standing(
    student: str,
    entry: RosterEntry | None,
    tasks: Sequence[ClassTask],
    rule: ReleaseRule,
    counting: CountingRule,
    deadline: float | None,
) -> StudentStanding:
    if not tasks:
        return StudentStanding(student, entry, (), None, Standing.MISSING, "nothing was handed in", False)
    whole = [task for task in tasks if task.outcome is not Outcome.CANCELLED] or tasks
    counts = whole[-1] if counting == "newest" else whole[0]
    held = held_because(
        counts.outcome,
        counts.flag_codes,
        rule,
        rated=counts.rating is not None,
        decided=counts.decided_by is not None,
    )
    late = deadline is not None and counts.claimed_at > deadline
    return StudentStanding(student, entry, tuple(tasks), counts, _of(counts, held), held, late)


def _of(task: ClassTask, held: str) -> Standing:
    if task.outcome is None:
        return Standing.IN_WORK
    if task.rating is None:
        return Standing.NEEDS_REVIEW if task.outcome is Outcome.NEEDS_REVIEW else Standing.UNREADABLE
    if not held:
        return Standing.RELEASED
    is_flagged = bool(held_because(task.outcome, task.flag_codes, "flagged", rated=True, decided=False))
    return Standing.NEEDS_REVIEW if is_flagged else Standing.HELD
