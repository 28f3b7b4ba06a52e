"""The agenda of a simulation: what is due, and when.

Attempts at one stage share its engine: each goes slower for each that runs beside it, and faster again as
they end. So the last of a phase, which have the engine for themselves, take less time than those before.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

from daemon.core.schedule.phase_state import Group
from daemon.core.schedule.timetable import Attempt, Input, SwitchResult
from daemon.core.tasks.task import Stage

Lane = tuple[str, Stage]
"""The engine of a stage on a node, by the node's name."""
Share = Callable[[Stage, int], float]
"""The speed of one of so many attempts at a stage, as a share of its speed alone."""


@dataclass(frozen=True, slots=True)
class AttemptEnds:
    """The present attempt of a task ends."""

    task_id: int
    result: Attempt


@dataclass(frozen=True, slots=True)
class SwitchEnds:
    """A switch of a node ends. Void when the node or the daemon ended since `life`."""

    node: str
    life: int
    group: Group | None
    load: SwitchResult


@dataclass(frozen=True, slots=True)
class Wake:
    """A decision asked to be made again."""


Due = Input | AttemptEnds | SwitchEnds | Wake


def undisturbed(stage: Stage, at_once: int) -> float:
    """The share of attempts that take as long beside others as alone."""
    return 1.0


@dataclass
class Agenda:
    """Entries by the time at which they are due; of those at one time, the first that was put comes first."""

    share: Share = undisturbed
    _due: list[tuple[float, int, Due]] = field(default_factory=list)
    _wakes: set[float] = field(default_factory=set)
    _puts: int = 0
    _running: dict[Lane, dict[int, tuple[float, AttemptEnds]]] = field(default_factory=dict)

    def put(self, at: float, due: Due) -> None:
        """Add an entry that is due at a time."""
        self._puts += 1
        heapq.heappush(self._due, (at, self._puts, due))

    def wake(self, at: float | None) -> None:
        """Schedule a decision at a time, once."""
        if at is not None and at not in self._wakes:
            self._wakes.add(at)
            self.put(at, Wake())

    def begin(self, lane: Lane, task_id: int, result: Attempt, now: float) -> None:
        """Add an attempt's end; `result` has its seconds alone. The others in its lane end later."""
        running = self._running.setdefault(lane, {})
        self._repace(lane, len(running) + 1, now)
        self._expect(lane, now + result.seconds / self.share(lane[1], len(running) + 1), task_id, result)

    def end(self, lane: Lane, task_id: int, now: float) -> None:
        """Remove an attempt, and its end if it is still to come. The others in its lane end sooner."""
        running = self._running[lane]
        before = len(running)
        del running[task_id]
        self._repace(lane, len(running), now, before)

    def pop(self, until: float) -> tuple[float, Due] | None:
        """Remove the first entry and give its time and itself; None when it is after `until`."""
        while self._due and self._due[0][0] <= until:
            at, _, due = heapq.heappop(self._due)
            if isinstance(due, Wake):
                self._wakes.discard(at)
            if not isinstance(due, AttemptEnds) or self._is_present(due):
                return at, due
        return None

    def _expect(self, lane: Lane, at: float, task_id: int, result: Attempt) -> None:
        due = AttemptEnds(task_id, result)
        self._running[lane][task_id] = at, due
        self.put(at, due)

    def _is_present(self, due: AttemptEnds) -> bool:
        """Whether this end was not put off or removed since."""
        return any(running.get(due.task_id, (0.0, None))[1] is due for running in self._running.values())

    def _repace(self, lane: Lane, at_once: int, now: float, before: int | None = None) -> None:
        """Expect the attempts of a lane when they end with so many running."""
        running, stage = self._running[lane], lane[1]
        if not running:
            return
        factor = self.share(stage, before or len(running)) / self.share(stage, at_once)
        if factor != 1.0:
            for task_id, (at, due) in list(running.items()):
                self._expect(lane, now + max(0.0, at - now) * factor, task_id, due.result)
