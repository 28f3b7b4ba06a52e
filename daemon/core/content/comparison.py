"""Two results of one task side by side, and what a class gained or lost by criterion.

Results are documents as the outbox has them, of any revision and of schema version 1 or 2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.core.content.document import CRITERIA
from daemon.core.content.provenance_identity import changed, identity
from daemon.core.tasks.task import Stage

Document = Mapping[str, Any]

_TEXTS = ("feedback", "suggestions", "evidence")
_MOVED = 0.1
"""Points that an expected score may move by without a change: those of one recording differ by as much."""

_OF_ONE = ("seed", "transcript_sha256", "profile_sha256")
"""The keys of a provenance that are not the class's and that an answer depends on all the same."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Two revisions of one task's result. `scores` holds the changed integers as (before, after), `expected`
    the expected scores of these, and those that moved without it, where both results have them.

    `asked_otherwise` names what differs in how the models were asked, as in `rate.prompt_sha256`.
    `unexplained`: the same rubric, model, seed and words gave another rating or form.
    """

    id: int
    student: str
    revision_before: int
    revision: int
    outcome_before: str
    outcome: str
    scores: dict[str, tuple[int | None, int | None]]
    expected: dict[str, tuple[float, float]]
    changed: list[str]
    asked_otherwise: list[str]
    unexplained: bool


@dataclass(frozen=True, slots=True)
class Shift:
    """One criterion over the tasks that have it in both results: their number, how many changed, the means,
    and the mean shift. `by_expected` is the number of tasks with expected scores in both results, which then
    count; of the others the integers do.
    """

    criterion: str
    n: int
    by_expected: int
    changed: int
    before: float
    after: float
    shift: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Many tasks compared. A criterion that no task has in both results is left out."""

    tasks: list[Compared]
    criteria: list[Shift]


def pair(
    results: Sequence[Document], revisions: tuple[int, int] | None = None
) -> tuple[Document, Document] | None:
    """The results of two revisions, by default the last two; None when one is not there."""
    if revisions is None:
        return (results[-2], results[-1]) if len(results) > 1 else None
    known = {each["revision"]: each for each in results}
    return (known[revisions[0]], known[revisions[1]]) if known.keys() >= set(revisions) else None


def compare(pairs: Sequence[tuple[Document, Document]]) -> Comparison:
    """Compare pairs of results, the earlier one first."""
    shifts = (_shift(criterion, pairs) for criterion in CRITERIA)
    return Comparison([_compared(*pair) for pair in pairs], [shift for shift in shifts if shift is not None])


def _compared(before: Document, after: Document) -> Compared:
    one, other = before["evaluation"] or {}, after["evaluation"] or {}
    names: Sequence[str] = CRITERIA
    scores = {name: (one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)}
    moved = {
        name: both
        for name in names
        if (both := _expected(one, other, name)) and (name in scores or _far(*both))
    }
    parts = [name for name in names if name in scores or name in moved]
    parts += [part for part in _TEXTS if one.get(part) != other.get(part)]
    if before["profile"] != after["profile"]:
        parts.append("profile")
    asked = _asked_otherwise(before["provenance"], after["provenance"])
    known = Stage.RATE in before["provenance"] and Stage.RATE in after["provenance"]
    return Compared(
        id=after["task_id"],
        student=after["student_id"],
        revision_before=before["revision"],
        revision=after["revision"],
        outcome_before=before["outcome"],
        outcome=after["outcome"],
        scores=scores,
        expected=moved,
        changed=parts,
        asked_otherwise=asked,
        unexplained=bool(parts and known and not asked and before["speaking"] == after["speaking"]),
    )


def _asked_otherwise(before: Document, after: Document) -> list[str]:
    """The keys in which the provenance of two results differs, by stage."""
    names = []
    for stage in Stage:
        one, other = before.get(stage, {}), after.get(stage, {})
        own = [key for key in _OF_ONE if one.get(key) != other.get(key)]
        names += [f"{stage}.{key}" for key in [*changed(identity(one), identity(other)), *own]]
    return names


def _expected(one: Document, other: Document, criterion: str) -> tuple[float, float] | None:
    """The expected scores of two ratings, or None where one has none, as before schema version 2."""
    found = [(each.get("scores") or {}).get(criterion, {}).get("expected") for each in (one, other)]
    return None if None in found else (found[0], found[1])


def _far(one: float, other: float) -> bool:
    return round(abs(one - other), 4) > _MOVED


def _shift(criterion: str, pairs: Sequence[tuple[Document, Document]]) -> Shift | None:
    rated = [
        (before["evaluation"], after["evaluation"])
        for before, after in pairs
        if before["evaluation"] and after["evaluation"]
    ]
    if not rated:
        return None
    expected = [_expected(one, other, criterion) for one, other in rated]
    integers = [(one[criterion], other[criterion]) for one, other in rated]
    scores = [exact or whole for exact, whole in zip(expected, integers, strict=True)]
    before, after = (sum(each) / len(scores) for each in zip(*scores, strict=True))
    return Shift(
        criterion,
        n=len(rated),
        by_expected=sum(each is not None for each in expected),
        changed=sum(one != other for one, other in integers),
        before=round(before, 2),
        after=round(after, 2),
        shift=round(after - before, 2),
    )
