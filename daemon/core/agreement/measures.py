"""How far the model agrees with people on one criterion: each measure with an interval, and its threshold."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean, quantiles

from daemon.core.agreement import statistics
from daemon.core.agreement.offset import moved
from daemon.core.content.document import DocumentPart
from daemon.core.content.levels import whole

Draws = Callable[[int], Iterable[Sequence[int]]]
"""Gives for a number n of anchors the resamples of a bootstrap: each n indices below n, with repetition."""


class Measure(StrEnum):
    """A measure of agreement."""

    KAPPA = "kappa"
    ADJACENT = "adjacent_agreement"
    DIFFERENCE = "mean_difference"
    STANDARDISED = "standardised_difference"
    CORRELATION = "correlation"
    ALPHA = "alpha_of_people"
    BELOW_PEOPLE = "kappa_below_people"


@dataclass(frozen=True, slots=True)
class Threshold:
    """The figures from `least` to `most` keep it."""

    least: float = -math.inf
    most: float = math.inf

    def __str__(self) -> str:
        if math.isinf(self.most):
            return f">= {self.least:.2f}"
        return f"<= {self.most:.2f}" if math.isinf(self.least) else f"+-{self.most:.2f}"

    def reached(self, value: float) -> bool:
        """Whether a figure keeps it."""
        return self.least <= value <= self.most

    def certain(self, interval: tuple[float, float]) -> bool:
        """Whether all figures of an interval keep it, or none does."""
        low, high = interval
        return (self.reached(low) and self.reached(high)) or high < self.least or low > self.most


THRESHOLDS = {
    Measure.KAPPA: Threshold(least=0.70),
    Measure.STANDARDISED: Threshold(-0.15, 0.15),
    Measure.CORRELATION: Threshold(least=0.70),
    Measure.ALPHA: Threshold(least=0.667),
    Measure.BELOW_PEOPLE: Threshold(most=0.10),
}
"""Source: Williamson, Xi and Breyer 2012; of alpha Krippendorff 2004, the least for tentative conclusions."""


class Measured(DocumentPart):
    """A figure with its 90 % bootstrap interval; null where it is not defined.

    `reached`: whether it keeps its threshold; null where there is none. `certain`: whether all of the
    interval says the same.
    """

    value: float | None
    interval: tuple[float, float] | None = None
    reached: bool | None = None
    certain: bool = False


@dataclass(frozen=True, slots=True)
class Marks:
    """The scores of one anchor for one criterion: the model's, and each rater's, None for a missing one."""

    model: float
    people: tuple[float | None, ...]

    @property
    def person(self) -> float:
        """The mean of those who have scored it."""
        return fmean(score for score in self.people if score is not None)


def agreement(
    marks: Sequence[Marks], draws: Draws, offset_of: Callable[[Sequence[Marks]], float] = lambda _: 0.0
) -> dict[Measure, Measured]:
    """All measures of scores that are moved by `offset_of` the marks; those of people with each other only
    where there are two raters.

    In a resample the offset is that of another one, so that an interval also has what it misses by chance.
    To leave each anchor out of its own offset would turn the order of the scores around.
    """
    two = bool(marks) and len(marks[0].people) > 1
    measures = _OF_MODEL | (_OF_PEOPLE if two else {})
    whole_set = _moved(marks, offset_of(marks))
    drawn = [[marks[at] for at in indices] for indices in draws(len(marks))] if marks else []
    resamples = [
        _moved(mine, offset_of(other)) for mine, other in zip(drawn, drawn[1:] + drawn[:1], strict=True)
    ]
    return {
        measure: _measured(THRESHOLDS.get(measure), of(whole_set), (of(each) for each in resamples))
        for measure, of in measures.items()
    }


def _moved(marks: Sequence[Marks], by: float) -> list[Marks]:
    return [Marks(moved(each.model, by), each.people) for each in marks]


def _measured(
    threshold: Threshold | None, value: float | None, resampled: Iterable[float | None]
) -> Measured:
    if value is None:
        return Measured(value=None)
    interval = _percentiles(resampled)
    return Measured(
        value=round(value, 4),
        interval=None if interval is None else (round(interval[0], 4), round(interval[1], 4)),
        reached=None if threshold is None else threshold.reached(value),
        certain=threshold is not None and interval is not None and threshold.certain(interval),
    )


def _percentiles(values: Iterable[float | None]) -> tuple[float, float] | None:
    """The 5th and the 95th percentile of a bootstrap. None where most resamples have no figure."""
    drawn = list(values)
    known = [value for value in drawn if value is not None]
    if len(known) < 2 or len(known) * 2 <= len(drawn):
        return None
    cuts = quantiles(known, n=20, method="inclusive")
    return cuts[0], cuts[-1]


def _whole(marks: Sequence[Marks]) -> statistics.Pairs:
    return [(whole(each.person), whole(each.model)) for each in marks]


def _decimal(marks: Sequence[Marks]) -> statistics.Pairs:
    return [(each.person, each.model) for each in marks]


def _below_people(marks: Sequence[Marks]) -> float | None:
    people = statistics.kappa_of_people([each.people for each in marks])
    model = statistics.kappa(_whole(marks))
    return None if people is None or model is None else people - model


_OF_MODEL: dict[Measure, Callable[[Sequence[Marks]], float | None]] = {
    Measure.KAPPA: lambda marks: statistics.kappa(_whole(marks)),
    Measure.ADJACENT: lambda marks: statistics.adjacent(_whole(marks)),
    Measure.DIFFERENCE: lambda marks: statistics.mean_difference(_decimal(marks)),
    Measure.STANDARDISED: lambda marks: statistics.standardised_difference(_decimal(marks)),
    Measure.CORRELATION: lambda marks: statistics.pearson(_decimal(marks)),
}
_OF_PEOPLE: dict[Measure, Callable[[Sequence[Marks]], float | None]] = {
    Measure.ALPHA: lambda marks: statistics.alpha([each.people for each in marks]),
    Measure.BELOW_PEOPLE: _below_people,
}
