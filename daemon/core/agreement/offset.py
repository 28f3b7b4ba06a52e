"""What corrects a model's scores: an offset, and the interval that holds people's scores.

Both come from the differences person minus model of the anchors, the tasks that people have scored.
"""

from collections.abc import Sequence
from math import fsum

LEAST_FOR_INTERVAL = 9
"""With fewer anchors no finite interval holds 90 %: the tenth score would be beyond them all too often."""

_USUAL_NOISE = 1.0  # the variance of person minus model, in points, before anything is known
_WEIGHT = 2  # that counts like so many anchors more, so that two that agree by chance do not prove an offset


def offset(differences: Sequence[float]) -> float:
    """The mean difference, shrunken towards zero the more, the fewer and the noisier the anchors are.

    Empirical Bayes: offsets of models are taken to be normal around zero, with a variance of what the mean
    has beyond its own error. A mean within its error gives none.
    """
    n = len(differences)
    if not n:
        return 0.0
    mean = fsum(differences) / n
    squares = fsum((each - mean) ** 2 for each in differences)
    error = (_WEIGHT * _USUAL_NOISE + squares) / (_WEIGHT + n - 1) / n
    return mean * (1 - error / mean**2) if mean**2 > error else 0.0


def moved(score: float, by: float) -> float:
    """A score with an offset, within the scale. It keeps the order of scores."""
    return min(10.0, max(1.0, score + by))


def half_width(differences: Sequence[float]) -> float | None:
    """The half width of the interval around a corrected score that holds 90 % of people's scores.

    None below nine anchors. A jackknife conformal interval: each anchor is corrected by the others, and its
    distance is one draw of that of a new task, whose own is the k-th of n + 1 with equal chances. The 90th
    percentile of the n distances is that at 0.9 (n + 1), between two of them where that is no integer: the
    greater one alone held 95 % at 18 anchors.
    """
    n = len(differences)
    place, between = divmod(9 * (n + 1), 10)
    if place + (between > 0) > n:
        return None
    distances = sorted(
        abs(each - offset([*differences[:index], *differences[index + 1 :]]))
        for index, each in enumerate(differences)
    )
    lower = distances[place - 1]
    return lower + between / 10 * (distances[place] - lower) if between else lower
