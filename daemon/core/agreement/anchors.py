"""Which tasks of a class a person is asked to score."""

from collections.abc import Mapping

from daemon.core.content.document import CRITERIA, Criterion

LEAST, MOST = 10, 20

ASKED: tuple[Criterion, ...] = (*CRITERIA[1:], CRITERIA[0])
"""The criteria in the order in which a person is asked: overall comes last, when the others are judged."""


def pick(expected: Mapping[int, float]) -> list[int]:
    """The ids of half of a class's tasks, at least ten and at most twenty, in the order of the ids.

    They span the range of the expected scores: one from the middle of each equal part of their order. So they
    are distributed as the class is, which the interval of a corrected score rests on; the highest and the
    lowest alone would show more noise than there is.
    """
    ranked = sorted(expected, key=lambda task_id: (expected[task_id], task_id))
    n = min(len(ranked), max(LEAST, min(MOST, len(ranked) // 2)))
    return sorted(ranked[(2 * part + 1) * len(ranked) // (2 * n)] for part in range(n))
