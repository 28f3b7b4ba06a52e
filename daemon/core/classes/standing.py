"""The standing of each student of a class: handed in, missing, unreadable, to be reviewed, released."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from daemon.core.class_rules import CountingRule, ReleaseRule
from daemon.core.classes.roster import Roster, RosterEntry
from daemon.core.content.release import held_because
from daemon.core.intake.ownership import OTHER_ACCOUNT
from daemon.core.spelling import folded
from daemon.core.tasks.task import Outcome

_DISPUTED = "another account has handed in for this student as well; decide on the one that counts"


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
    """A task of a class, as far as its class is concerned. `claimed_at` is in seconds since the epoch,
    `decided_at` a timestamp, empty where nobody has decided.
    """

    id: int
    student: str
    filename: str
    claimed_at: float
    outcome: Outcome | None
    flag_codes: tuple[str, ...]
    rating: int | None
    decided_by: str | None
    revision: int
    decided_at: str = ""


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
    counts, disputed = _counting(tasks, counting)
    held = held_because(
        counts.outcome,
        counts.flag_codes,
        rule,
        rated=counts.rating is not None,
        decided=counts.decided_by is not None,
    )
    if disputed and not held and rule != "all":
        held = _DISPUTED
    late = deadline is not None and counts.claimed_at > deadline
    return StudentStanding(student, entry, tuple(tasks), counts, _of(counts, held, disputed), held, late)


def _counting(tasks: Sequence[ClassTask], counting: CountingRule) -> tuple[ClassTask, bool]:
    """The task that counts, and whether a person has to say so first.

    That is so where another account has handed in for the student: the flag is on the file that came later,
    which may be the student's own. Nothing that came to nothing then takes the place of a rating, and once
    somebody has decided on a task, the last time for this one, no file with that flag takes its place.
    """
    whole = [task for task in tasks if task.outcome is not Outcome.CANCELLED] or tasks
    decided = [task for task in whole if task.decided_by is not None]
    disputed = any(OTHER_ACCOUNT in task.flag_codes for task in whole)
    if disputed and decided:
        chosen = max(decided, key=lambda task: task.decided_at)
        later = whole[whole.index(chosen) + 1 :]
        own = (task for task in later if OTHER_ACCOUNT not in task.flag_codes)
        whole = [chosen, *(task for task in own if task.decided_by is None)]
    elif disputed:
        whole = [task for task in whole if task.rating is not None or task.outcome is None] or whole
    return whole[-1] if counting == "newest" else whole[0], disputed and not decided


def _of(task: ClassTask, held: str, disputed: bool) -> Standing:
    if task.outcome is None:
        return Standing.IN_WORK
    if task.rating is None:
        return Standing.NEEDS_REVIEW if task.outcome is Outcome.NEEDS_REVIEW else Standing.UNREADABLE
    if not held:
        return Standing.RELEASED
    flagged = held_because(task.outcome, task.flag_codes, "flagged", rated=True, decided=False)
    return Standing.NEEDS_REVIEW if flagged or disputed else Standing.HELD
