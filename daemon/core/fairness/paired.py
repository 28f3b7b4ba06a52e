"""Means of paired differences, with bootstrap intervals over the pairs.

The same introductions are drawn for all figures, so that those of one draw belong together. Percentiles of
means of few values are too narrow by the root of n / (n - 1), and are widened by it (Hesterberg 2015, section
3.2).
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from daemon.core.fairness.draws import resample

K = TypeVar("K", bound=Hashable)

DRAWS = 2000
CONFIDENCE = 0.90
"""Of the interval of one figure. It lies within a margin with an error of 5 % (two one-sided tests)."""

TOGETHER = 0.95
"""That no figure of a whole card stands out by chance."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean of `size` differences with its interval. `stands_out`: it is not zero, also when it was chosen
    as the largest of all figures.
    """

    mean: float
    low: float
    high: float
    size: int
    stands_out: bool


def estimates(cells: Mapping[K, Sequence[float | None]]) -> dict[K, Estimate | None]:
    """The estimate of each cell; None for one of less than two values. All have the same introductions in the
    same order, None where one is missing.
    """
    size = max(map(len, cells.values()), default=0)
    drawn = [resample(f"pairs {draw}", size) for draw in range(DRAWS)] if size else []
    known = {key: [value for value in values if value is not None] for key, values in cells.items()}
    errors = {key: _errors(cells[key], drawn) for key, values in known.items() if len(values) > 1}
    standard = {key: deviation(known[key]) / math.sqrt(len(known[key])) for key in errors}
    highest = [
        max((abs(errors[key][draw]) / standard[key] for key in errors if standard[key]), default=0.0)
        for draw in range(DRAWS)
    ]
    limit = _quantile(highest, TOGETHER)
    found: dict[K, Estimate | None] = dict.fromkeys(cells)
    for key in errors:
        values = known[key]
        mean = sum(values) / len(values)
        low, high = (mean + _quantile(errors[key], share) for share in _tails())
        found[key] = Estimate(mean, low, high, len(values), abs(mean) > limit * standard[key])
    return found


def deviation(values: Sequence[float]) -> float:
    """The standard deviation of a sample; 0 for less than two values."""
    if len(values) < 2:
        return 0.0
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _errors(values: Sequence[float | None], drawn: Sequence[Sequence[int]]) -> list[float]:
    """How far the mean of each draw lies from that of all, widened for the size."""
    known = [value for value in values if value is not None]
    mean, wider = sum(known) / len(known), math.sqrt(len(known) / (len(known) - 1))
    found = []
    for draw in drawn:
        chosen = [value for at in draw if (value := values[at]) is not None]
        found.append(wider * (sum(chosen) / len(chosen) - mean) if chosen else 0.0)
    return found


def _quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * (len(ordered) - 1))))] if ordered else 0.0


def _tails() -> tuple[float, float]:
    return (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2
