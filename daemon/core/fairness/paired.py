"""Means of paired differences, each with an interval, and which of many are not zero.

The interval is a bootstrap over the introductions. Percentiles of means of few values are too narrow by the
root of n / (n - 1), and are widened by it (Hesterberg 2015, section 3.2).

Whether a mean is zero is asked of signs: where a change makes no difference, a difference is as likely to be
below zero as above. The largest of all means is compared with the largest that drawn signs give, so that of
many figures none stands out by chance (Westfall and Young 1993).
"""

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import mul
from typing import TypeVar

from daemon.core.fairness.draws import resample, signs

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
    columns = {key: _Column(values) for key, values in cells.items()}
    columns = {key: column for key, column in columns.items() if column.size > 1}
    largest = [max((each.signed(drawn) for each in columns.values()), default=0.0) for drawn in _signs(size)]
    limit = _quantile(largest, TOGETHER) + 1e-9
    tails = (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2
    found: dict[K, Estimate | None] = dict.fromkeys(cells)
    for key, column in columns.items():
        errors = [column.error(drawn) for drawn in _counts(size)]
        low, high = (column.mean + _quantile(errors, share) for share in tails)
        found[key] = Estimate(column.mean, low, high, column.size, column.signed([1] * size) > limit)
    return found


class _Column:
    """The differences of one cell, with 0 in the place of one that is missing."""

    def __init__(self, values: Sequence[float | None]) -> None:
        self._values = [0.0 if value is None else value for value in values]
        self._known = [value is not None for value in values]
        self.size = sum(self._known)
        self.mean = sum(self._values) / max(1, self.size)
        self._wider = math.sqrt(self.size / max(1, self.size - 1))
        self._deviation = math.sqrt(sum(value * value for value in self._values))

    def signed(self, drawn: Sequence[int]) -> float:
        """How far the sum of the differences under these signs lies from zero, in its standard deviation."""
        return abs(sum(map(mul, drawn, self._values))) / self._deviation if self._deviation else 0.0

    def error(self, drawn: Sequence[int]) -> float:
        """How far the mean lies from that of all, if each was drawn so often; widened for their number."""
        chosen = sum(map(mul, drawn, self._known))
        return self._wider * (sum(map(mul, drawn, self._values)) / chosen - self.mean) if chosen else 0.0


def deviation(values: Sequence[float]) -> float:
    """The standard deviation of a sample; 0 for less than two values."""
    if len(values) < 2:
        return 0.0
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


@lru_cache(maxsize=4)
def _counts(size: int) -> list[list[int]]:
    """How often each place is drawn, by draw."""
    draws = (Counter(resample(f"pairs {draw}", size)) for draw in range(DRAWS))
    return [[counted[at] for at in range(size)] for counted in draws]


@lru_cache(maxsize=4)
def _signs(size: int) -> list[list[int]]:
    """A sign for each place, by draw."""
    return [signs(f"signs {draw}", size) for draw in range(DRAWS)]


def _quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share lies."""
    return sorted(values)[round(share * (len(values) - 1))]
