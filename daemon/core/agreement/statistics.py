"""Measures of agreement. Each is None where it is not defined: without pairs, or where all are the same.

`pairs` are (person, model). They are exact for integers, and hold for decimals.
"""

from collections.abc import Sequence
from itertools import combinations
from math import fsum, sqrt
from statistics import StatisticsError, correlation, fmean

Pairs = Sequence[tuple[float, float]]


def kappa(pairs: Pairs) -> float | None:
    """Cohen's kappa with quadratic weights: 1 for the same scores, 0 for agreement by chance alone."""
    n, origin = len(pairs), pairs[0][0] if pairs else 0.0
    pairs = [(a - origin, b - origin) for a, b in pairs]  # so that equal decimals cancel out exactly
    observed = n * fsum((a - b) ** 2 for a, b in pairs)
    squares = n * fsum(a * a + b * b for a, b in pairs)
    expected = squares - 2 * fsum(a for a, _ in pairs) * fsum(b for _, b in pairs)
    return None if expected <= 0 else 1 - observed / expected


def adjacent(pairs: Pairs) -> float | None:
    """The share of pairs that are at most one point apart."""
    return fmean(abs(a - b) <= 1 for a, b in pairs) if pairs else None


def mean_difference(pairs: Pairs) -> float | None:
    """By how many points the model is above people, on average."""
    return fmean(b - a for a, b in pairs) if pairs else None


def standardised_difference(pairs: Pairs) -> float | None:
    """The mean difference in standard deviations of the scores: the root of the mean of both variances.

    Source: Williamson, Xi and Breyer 2012.
    """
    if len(pairs) < 2:
        return None
    spread = sqrt(fmean(_variance(column) for column in zip(*pairs, strict=True)))
    return None if spread == 0 else fmean(b - a for a, b in pairs) / spread


def pearson(pairs: Pairs) -> float | None:
    """Pearson's correlation."""
    sides = list(zip(*pairs, strict=True))
    # The means of equal decimals may be a digit off, which the library then takes for a spread.
    if not pairs or any(len(set(side)) == 1 for side in sides):
        return None
    try:
        return correlation(*sides)
    except StatisticsError:  # so near to the same that the squares vanish
        return None


def alpha(units: Sequence[Sequence[float | None]]) -> float | None:
    """Krippendorff's alpha by the interval metric. A unit has the score of each rater; None is missing.

    Source: Krippendorff, Content Analysis, 2004, chapter 11.
    """
    paired = [unit for row in units if len(unit := [v for v in row if v is not None]) > 1]
    values = [value for unit in paired for value in unit]
    if not values:
        return None
    expected = _apart(values) / (len(values) - 1)
    observed = fsum(_apart(unit) / (len(unit) - 1) for unit in paired)
    return None if expected == 0 else 1 - observed / expected


def kappa_of_people(units: Sequence[Sequence[float | None]]) -> float | None:
    """The mean kappa over the pairs of raters, each by the units that both have scored."""
    found = [
        kappa([(a, b) for a, b in zip(*both, strict=True) if a is not None and b is not None])
        for both in combinations(zip(*units, strict=True), 2)
    ]
    known = [value for value in found if value is not None]
    return fmean(known) if known else None


def _variance(values: Sequence[float]) -> float:
    return _apart(values) / (2 * len(values) * (len(values) - 1))


def _apart(values: Sequence[float]) -> float:
    """The sum of the squared differences of all ordered pairs, exactly 0 where all are the same."""
    centred = [value - values[0] for value in values]
    return 2 * (len(values) * fsum(value * value for value in centred) - fsum(centred) ** 2)
