"""How much a rating moves when the same words are rated again with other seeds and in another order."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

LIMIT = 1.0
"""Points: a rating whose expected scores lie further apart changes by a whole grade with the seed."""

SAMPLE = 10
"""Of a class, the most tasks that are rated again."""

Expected = Mapping[str, float]
"""The expected scores of one rating, by criterion."""


def spread(ratings: Sequence[Expected]) -> dict[str, float]:
    """The distance in points between the highest and the lowest expected score, by criterion."""
    shared = set.intersection(*(set(rating) for rating in ratings)) if ratings else set()
    each = {name: [rating[name] for rating in ratings] for name in sorted(shared)}
    return {name: round(max(values) - min(values), 2) for name, values in each.items()}


def next_again(tasks: Iterable[int], done: Mapping[int, int], times: int) -> int | None:
    """The task to rate again next; None when each of the sample was, `times` times.

    The sample, and its order, is by a hash of the ids: neither follows the order of the class.
    """
    sample = sorted(tasks, key=lambda task: hashlib.sha256(str(task).encode()).digest())[:SAMPLE]
    left = [task for task in sample if done.get(task, 0) < times]
    return min(left, key=lambda task: (done.get(task, 0), sample.index(task)), default=None)
