"""The order of doubt: which results of a class a person should look at first, and why.

A result's doubts add up; the most doubtful comes first, of equal ones the older task.

1. No rating: 10. Flags: 10 for each that wants a person, 3 for a degraded engine, 1 for any other. Those
   that say that the rater gives no grades count nothing, since they are the same for the whole class.
2. The interval that people's scores would lie in: 1 for each point of its width from 2 points on.
3. The probability that the model gave to all levels together: below 90 %, 1 for each 10 % that are missing.
4. The spread of the model's answer: 2 for each point, from 1 point on.
5. The distance to the class: 1 for each standard deviation, from 2 on, in a class of at least 5 ratings.

Of the four criteria the worst counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean, pstdev

from daemon.core.content.document import CRITERIA, Evaluation, Scored
from daemon.core.content.reasons import IN_WORDS
from daemon.core.content.release import NO_GRADES
from daemon.core.content.review_flags import REVIEW_FLAGS

_WANTS_PERSON = 10.0
_OF_FLAG = {"degraded": 3.0, **dict.fromkeys(NO_GRADES, 0.0), **dict.fromkeys(REVIEW_FLAGS, _WANTS_PERSON)}
_WIDE, _SURE, _SPREAD, _FAR = 2.0, 0.9, 1.0, 2.0
_LEAST_CLASS = 5
_LEAST_DEVIATION = 0.5  # points: in a class of equal ratings half a point is not far


@dataclass(frozen=True, slots=True)
class Doubtable:
    """A result, as far as it can be doubted. `evaluation` is None where there is no rating."""

    id: int
    flag_codes: tuple[str, ...]
    evaluation: Evaluation | None


@dataclass(frozen=True, slots=True)
class Doubt:
    """A reason to look at a result, in words, and its weight."""

    weight: float
    reason: str


@dataclass(frozen=True, slots=True)
class Doubted:
    """A result with its doubts, the weightiest first."""

    id: int
    doubts: tuple[Doubt, ...]

    @property
    def weight(self) -> float:
        """The sum of its doubts."""
        return sum(doubt.weight for doubt in self.doubts)


def in_order(results: Iterable[Doubtable]) -> list[Doubted]:
    """All results of a class, the most doubtful first."""
    every = list(results)
    overall = [_overall(each.evaluation) for each in every if each.evaluation is not None]
    found = [Doubted(each.id, tuple(sorted(_doubts(each, overall), key=_order))) for each in every]
    return sorted(found, key=lambda each: (-each.weight, each.id))


def _order(doubt: Doubt) -> tuple[float, str]:
    return -doubt.weight, doubt.reason


def _doubts(result: Doubtable, overall: list[float]) -> Iterable[Doubt]:
    for code in sorted(set(result.flag_codes)):  # 1
        yield Doubt(_OF_FLAG.get(code, 1.0), IN_WORDS.get(code, code.replace("_", " ")))
    if result.evaluation is None:
        yield Doubt(_WANTS_PERSON, "it has no rating")
        return
    scores = [
        (name.replace("_", " "), scored)
        for name in CRITERIA
        if (scored := result.evaluation.scores.get(name)) is not None and scored.source != "person"
    ]
    for kind in (_wide, _unsure, _spread):
        if found := [doubt for name, scored in scores if (doubt := kind(name, scored)) is not None]:
            yield max(found, key=lambda doubt: doubt.weight)
    if (far := _far(_overall(result.evaluation), overall)) is not None:
        yield far


def _wide(name: str, scored: Scored) -> Doubt | None:  # 2
    if scored.interval is None:
        return None
    low, high = scored.interval
    told = f"{name}: people would give {low:.1f} to {high:.1f}"
    return Doubt(high - low, told) if high - low >= _WIDE else None


def _unsure(name: str, scored: Scored) -> Doubt | None:  # 3
    mass = scored.legal_mass
    if mass is None or mass >= _SURE:
        return None
    return Doubt(10 * (1 - mass), f"{name}: only {mass:.0%} of the model's answer was a score")


def _spread(name: str, scored: Scored) -> Doubt | None:  # 4
    if scored.spread is None or scored.spread < _SPREAD:
        return None
    told = f"{name}: the model wavered between scores, by {scored.spread:.1f} points"
    return Doubt(2 * scored.spread, told)


def _far(own: float, overall: list[float]) -> Doubt | None:  # 5
    if len(overall) < _LEAST_CLASS:
        return None
    mean, deviation = fmean(overall), max(_LEAST_DEVIATION, pstdev(overall))
    if abs(own - mean) < _FAR * deviation:
        return None
    side = "above" if own > mean else "below"
    told = f"{abs(own - mean):.1f} points {side} the class, whose mean is {mean:.1f}"
    return Doubt(abs(own - mean) / deviation, told)


def _overall(evaluation: Evaluation) -> float:
    scored = evaluation.scores.get("overall_rating")
    return float(evaluation.overall_rating) if scored is None else scored.expected
