"""Who belongs to the class, and how many of it are done."""

from collections.abc import Iterable, Sequence

from daemon.core.task import FINAL, OPEN, Task


class Roll:
    """What was claimed, or taken up again, since the last time that nothing was open."""

    def __init__(self) -> None:
        self.began_at = self.ended_at = 0.0
        self.members: set[int] = set()
        self._arriving: set[int] = set()  # born, and not with the supervisor yet
        self._first: int | None = None  # of those that were born into it
        self._saved = True

    def take_up(self, began_at: float, members: set[int]) -> None:
        """Go on with a class that an earlier run began."""
        self.began_at, self.members, self._first = began_at, members, min(members)

    def left(self, tasks: Iterable[Task]) -> set[int]:
        """Those that are open; `tasks` are what the supervisor has."""
        return ({task.id for task in tasks} | self._arriving) & self.members

    def born(self, born: Sequence[Task], tasks: Sequence[Task], now: float) -> bool:
        """Take up new ones. Whether they begin a class."""
        self._arriving -= {task.id for task in tasks}
        begins = bool(born) and not tasks and not self._arriving
        if begins:
            self._begin(now)
        if self._first is None:
            self._first, self._saved = min((task.id for task in born), default=None), not born
        self.members |= {task.id for task in born}
        self._arriving |= {task.id for task in born if task.status in OPEN}
        return begins

    def moved(self, after: Iterable[Task], tasks: Sequence[Task], now: float) -> None:
        """Tasks changed. One that is of no class was taken up again."""
        for task in after:
            self._arriving.discard(task.id)
            if task.status in FINAL:
                self.ended_at = now
            elif task.id not in self.members:
                if not self.left(tasks):
                    self._begin(now)
                self.members.add(task.id)

    def unsaved(self) -> dict[str, float] | None:
        """What is to be kept through a restart, once."""
        if self._saved or self._first is None:
            return None
        self._saved = True
        return {"began": self.began_at, "first": self._first}

    def _begin(self, now: float) -> None:
        self.began_at, self.members, self._first = now, set(), None
