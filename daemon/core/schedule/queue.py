"""The order in which open tasks are served: R7 and R8 of `daemon.core.schedule.scheduler`.

Apart from it, because the configuration and each command that lists tasks need no more.
"""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

from daemon.core.tasks.task import Stage, Task

_LENGTHS = 10.0  # R8: within a class, which comes in minutes, the shorter one goes first


class QueueOrder(StrEnum):
    """The order in which open tasks are served; see R8."""

    FAIR = "fair"
    FIRST_COME = "first_come"
    SHORTEST = "shortest"


def in_order(tasks: Iterable[Task], order: QueueOrder = QueueOrder.FAIR) -> list[Task]:
    """Open tasks in the order in which they are served, by R7 and R8.

    `tasks` must hold every open task that is not held: a rank depends on the student's and account's others.
    """
    of_student: Counter[str] = Counter()
    of_account: Counter[str] = Counter()
    ranked = []
    for task in sorted(tasks, key=lambda t: (t.claimed_at, t.id)):
        before = of_student[task.student], of_account[task.account] if task.account is not None else 0
        if order is QueueOrder.FIRST_COME:
            before = 0, 0
        length_s = _LENGTHS * task.duration_s if order is QueueOrder.SHORTEST else 0.0
        first = -task.first_at if task.is_first else 0.0
        rank = (first, is_new_rating(task), *before, task.claimed_at + length_s, task.claimed_at, task.id)
        ranked.append((*rank, task))
        of_student[task.student] += 1
        if task.account is not None:
            of_account[task.account] += 1
    return [entry[-1] for entry in sorted(ranked)]  # no two have the same id, so no tasks are compared


def is_new_rating(task: Task) -> bool:
    """Whether an old task is being evaluated again. A video that is transcribed again does not count."""
    return task.revision > 1 and task.stage is not Stage.STT
