"""The members of the class, and their number."""

from collections.abc import Iterable, Sequence

from daemon.core.tasks.task import FINAL, OPEN, Task


class Roll:
    """The tasks claimed or reopened since the last time that none was open.

    A class has no end while one of its tasks is held, so its members are not stored one by one: ids grow, and
    every task from the first id on is a member. Only the ids of older tasks that a person reopened are kept.
    """

    def __init__(self) -> None:
        self.began_at = self.ended_at = 0.0
        self._first: int | None = None  # the lowest id of a task that was born in it
        self._born = 0
        self._again: set[int] = set()  # reopened tasks older than the first, each counted once
        self._arriving: set[int] = set()  # born, open, and not known to the supervisor yet
        self._saved = True

    @property
    def total(self) -> int:
        """The number of tasks in the class."""
        return self._born + len(self._again)

    def take_up(self, began_at: float, first: int | None, born: int, older: set[int]) -> None:
        """Continue the class of an earlier run: `born` tasks from the id `first` on, and `older` ones."""
        self.began_at, self._first, self._born, self._again = began_at, first, born, older

    def left(self, tasks: Iterable[Task]) -> set[int]:
        """The ids of the open tasks of the class; `tasks` are all that the supervisor has."""
        return {task_id for task_id in {task.id for task in tasks} | self._arriving if self._has(task_id)}

    def born(self, born: Sequence[Task], tasks: Sequence[Task], now: float) -> bool:
        """Add new tasks. Whether they begin a class."""
        self._arriving -= {task.id for task in tasks}
        begins = bool(born) and not tasks and not self._arriving
        if begins:
            self._begin(now)
        ids = {task.id for task in born}
        if ids and (self._first is None or min(ids) < self._first):
            self._first, self._saved = min(ids), False
        self._born += len(ids)
        self._again -= ids  # a person was faster than the word that they were born
        if any(task.status in FINAL for task in born):  # what cannot be rated ends with its birth
            self.ended_at = now
        self._arriving |= {task.id for task in born if task.status in OPEN}
        return begins

    def moved(self, after: Iterable[Task], tasks: Sequence[Task], now: float) -> None:
        """Record changed tasks. An open one outside the class was reopened, and joins it."""
        for task in after:
            self._arriving.discard(task.id)
            if task.status in FINAL:
                self.ended_at = now
            elif not self._has(task.id):
                if not self.left(tasks):
                    self._begin(now)
                self._again.add(task.id)

    def unsaved(self) -> dict[str, float] | None:
        """The state to store for a restart; None when it is stored already."""
        if self._saved or self._first is None:
            return None
        self._saved = True
        return {"began": self.began_at, "first": self._first}

    def _has(self, task_id: int) -> bool:
        return task_id in self._again or (self._first is not None and task_id >= self._first)

    def _begin(self, now: float) -> None:
        self.began_at, self._first, self._born = now, None, 0
        self._again = set()
