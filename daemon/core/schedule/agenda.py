"""The agenda of a simulation: what is due, and when."""

import heapq
from dataclasses import dataclass, field

from daemon.core.schedule.phase_state import Group
from daemon.core.schedule.timetable import Attempt, Input, SwitchResult


@dataclass(frozen=True, slots=True)
class AttemptEnds:
    """An attempt ends. Void unless it is the task's present attempt."""

    task_id: int
    revision: int
    attempt: int
    result: Attempt


@dataclass(frozen=True, slots=True)
class SwitchEnds:
    """A switch ends. Void when the daemon crashed since `life`."""

    life: int
    group: Group | None
    load: SwitchResult


@dataclass(frozen=True, slots=True)
class Wake:
    """A decision asked to be made again."""


Due = Input | AttemptEnds | SwitchEnds | Wake


@dataclass
class Agenda:
    """Entries by the time at which they are due; of those at one time, the first that was put comes first."""

    _due: list[tuple[float, int, Due]] = field(default_factory=list)
    _wakes: set[float] = field(default_factory=set)
    _puts: int = 0

    def put(self, at: float, due: Due) -> None:
        """Add an entry that is due at a time."""
        self._puts += 1
        heapq.heappush(self._due, (at, self._puts, due))

    def wake(self, at: float | None) -> None:
        """Schedule a decision at a time, once."""
        if at is not None and at not in self._wakes:
            self._wakes.add(at)
            self.put(at, Wake())

    def pop(self, until: float) -> tuple[float, Due] | None:
        """Remove the first entry and give its time and itself; None when it is after `until`."""
        if not self._due or self._due[0][0] > until:
            return None
        at, _, due = heapq.heappop(self._due)
        if isinstance(due, Wake):
            self._wakes.discard(at)
        return at, due
