"""Who belongs to the class, and how many of it are done."""

from collections.abc import Iterable, Sequence

from daemon.core.tasks.task import FINAL, OPEN, Task


class Roll:
    """What was claimed, or taken up again, since the last time that nothing was open.

    A class has no end while a single task of it is held, so nothing is kept of each that is claimed: ids
    grow, and whatever came from the first one on is of the class. Kept by their ids are only the older ones
    that a person had taken up again.
    """

    def __init__(self) -> None:
        self.began_at = self.ended_at = 0.0
        self._first: int | None = None  # of those that were born into it
        self._born = 0
        self._again: set[int] = set()  # older than the first, each counted once however often it is taken up
        self._arriving: set[int] = set()  # born, open, and not with the supervisor yet
        self._saved = True

    @property
    def total(self) -> int:
        """How many belong to the class."""
        return self._born + len(self._again)

    def take_up(self, began_at: float, first: int | None, born: int, older: set[int]) -> None:
        """Go on with a class that an earlier run began: `born` tasks from the id `first` on, and `older`."""
        self.began_at, self._first, self._born, self._again = began_at, first, born, older

    def left(self, tasks: Iterable[Task]) -> set[int]:
        """Those that are open; `tasks` are what the supervisor has."""
        return {task_id for task_id in {task.id for task in tasks} | self._arriving if self._has(task_id)}

    def born(self, born: Sequence[Task], tasks: Sequence[Task], now: float) -> bool:
        """Take up new ones. Whether they begin a class."""
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
        """Tasks changed. One that is of no class was taken up again."""
        for task in after:
            self._arriving.discard(task.id)
            if task.status in FINAL:
                self.ended_at = now
            elif not self._has(task.id):
                if not self.left(tasks):
                    self._begin(now)
                self._again.add(task.id)

    def unsaved(self) -> dict[str, float] | None:
        """What is to be kept through a restart, once."""
        if self._saved or self._first is None:
            return None
        self._saved = True
        return {"began": self.began_at, "first": self._first}

    def _has(self, task_id: int) -> bool:
        return task_id in self._again or (self._first is not None and task_id >= self._first)

    def _begin(self, now: float) -> None:
        self.began_at, self._first, self._born = now, None, 0
        self._again = set()
