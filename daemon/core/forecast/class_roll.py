"""The members of the class, and their number.

A class begins anew with a video (or an older task that is reopened) that comes while no task of the class can
run, and

1. nothing of it has happened for GAP_S: no video came, no task ended; or
2. its deadline has passed, and another one has been set since.

Anything else that comes belongs to the class: two late videos after "23 of 23" make it "23 of 25", and a new
rating of one of its tasks "24 of 25". A held task keeps no class open.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.core.tasks.task import FINAL, OPEN, Task

GAP_S = 4 * 3600.0
"""Longer than a lunch break, shorter than a night. Two classes of one day are told apart by a deadline."""


@dataclass(frozen=True, slots=True)
class Members:
    """The tasks of a class: all with ids from `first` on (None: none), and the `older` ones."""

    first: int | None = None
    older: frozenset[int] = frozenset()


class Roll:
    """The tasks of the class.

    Ids grow, and every task from the first id on is a member, so that members are not stored one by one. Only
    the ids of older tasks that a person reopened are kept.
    """

    def __init__(self) -> None:
        self.began_at = self.ended_at = 0.0
        self._active_at = 0.0  # of the last birth or end
        self._deadline: float | None = None
        self._over = False  # rule 2
        self._first: int | None = None  # the lowest id of a task that was born in it
        self._born = 0
        self._again: set[int] = set()  # reopened tasks older than the first, each counted once
        self._arriving: set[int] = set()  # born, open, and not known to the supervisor yet
        self._saved = True

    @property
    def total(self) -> int:
        """The number of tasks in the class."""
        return self._born + len(self._again)

    @property
    def members(self) -> Members:
        """Which tasks are in the class."""
        return Members(self._first, frozenset(self._again))

    def take_up(self, mark: Mapping[str, Any], born: int, ended_at: float, born_at: float) -> None:
        """Continue the class of an earlier run, of which `unsaved` gave the mark. `born` tasks have ids from
        the first on. Of all tasks, the last was born at `born_at` and one ended last at `ended_at`.
        """
        self.began_at, self._first, self._born = mark["began"], mark["first"], born
        self._again = set(mark.get("again", ()))
        self._over, self._deadline = mark.get("over", False), mark.get("deadline")
        self.ended_at = ended_at if ended_at >= self.began_at else 0.0
        self._active_at = max(self.began_at, ended_at, born_at)

    def forget(self, ids: Iterable[int]) -> None:
        """Take tasks that were deleted out of the class."""
        gone = set(ids)
        self._born -= sum(self._first is not None and id_ >= self._first for id_ in gone)
        self._saved &= self._again.isdisjoint(gone)
        self._again -= gone

    def left(self, tasks: Iterable[Task]) -> set[int]:
        """The ids of the open tasks of the class; `tasks` are all that the supervisor has."""
        return {task_id for task_id in {task.id for task in tasks} | self._arriving if self._has(task_id)}

    def born(self, born: Sequence[Task], tasks: Sequence[Task], now: float) -> bool:
        """Add new tasks. Whether they begin a class."""
        self._arriving -= {task.id for task in tasks}
        begins = bool(born) and self._begins(tasks, now)
        if begins:
            self._begin(now)
        ids = {task.id for task in born}
        if ids and (self._first is None or min(ids) < self._first):
            self._first, self._saved = min(ids), False
        self._born += len(ids)
        self._again -= ids  # a person was faster than the word that they were born
        if any(task.status in FINAL for task in born):  # what cannot be rated ends with its birth
            self.ended_at = now
        self._active_at = now
        self._arriving |= {task.id for task in born if task.status in OPEN}
        return begins

    def moved(self, after: Iterable[Task], tasks: Sequence[Task], now: float) -> None:
        """Record changed tasks. An open one outside the class was reopened, or released, and joins it."""
        for task in after:
            self._arriving.discard(task.id)
            if task.status in FINAL:
                self.ended_at = self._active_at = now
            elif not self._has(task.id) and not task.held:
                if self._begins([other for other in tasks if other.id != task.id], now):
                    self._begin(now)
                self._again.add(task.id)
                self._saved = False

    def set_deadline(self, at: float | None, tasks: Sequence[Task], now: float) -> None:
        """Record the deadline that holds from now on."""
        if at == self._deadline:
            return
        passed = self._deadline is not None and self._deadline < now
        if passed and at is None:
            return  # the next one still tells the classes apart
        self._over |= passed and not self._is_open(tasks)
        self._deadline, self._saved = at, False

    @property
    def is_stored(self) -> bool:
        """Whether a restart knows all of it."""
        return self._saved

    def unsaved(self) -> dict[str, Any] | None:
        """The mark to store for a restart; None when it is stored already."""
        if self._saved:
            return None
        self._saved = True
        return {
            "began": self.began_at,
            "first": self._first,
            "again": sorted(self._again),
            "over": self._over,
            "deadline": self._deadline,
        }

    def _has(self, task_id: int) -> bool:
        return task_id in self._again or (self._first is not None and task_id >= self._first)

    def _is_open(self, tasks: Iterable[Task]) -> bool:
        return bool(self._arriving) or any(self._has(task.id) and not task.held for task in tasks)

    def _begins(self, tasks: Iterable[Task], now: float) -> bool:
        """Whether what comes now begins a class; the numbers are the rules of this module."""
        if not self.total:
            return True
        if self._is_open(tasks):
            return False
        return now - self._active_at > GAP_S or self._over  # 1, 2

    def _begin(self, now: float) -> None:
        self.began_at = self._active_at = now
        self.ended_at, self._first, self._born = 0.0, None, 0
        self._again, self._over = set(), False
