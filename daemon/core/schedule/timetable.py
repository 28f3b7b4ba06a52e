"""The input and output of a simulation: plain values.

Input is what comes from outside, and the course of each attempt and switch; output is the timetable.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from daemon.core.errors import Fault
from daemon.core.schedule.decision import LOCAL
from daemon.core.schedule.phase_state import Group
from daemon.core.tasks.task import FINAL, Event, Stage, Task


class What(StrEnum):
    """The kind of an input from outside."""

    ARRIVE = "arrive"  # a task is born, or an old one begins a new revision
    HOLD = "hold"
    UNHOLD = "unhold"
    NEXT = "next"  # a person puts the task first
    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    GO = "go"
    DRAIN = "drain"
    JOIN = "join"  # a node joins
    GONE = "gone"  # a node is gone, with all that it had in hand
    CRASH = "crash"  # the daemon dies and restarts at once, without its engines


@dataclass(frozen=True, slots=True)
class Input:
    """One input from outside at a time: ARRIVE has a task, inputs about a task have its id,
    those about a node its name.
    """

    at: float
    what: What
    task: Task | None = None
    task_id: int | None = None
    node: str = LOCAL


@dataclass(frozen=True, slots=True)
class Attempt:
    """The course of an attempt: seconds from its start (or, if it runs already, from the beginning of the
    simulation) to its end, and the fault that it ends with, if any.
    """

    seconds: float
    fault: Fault | None = None
    unscorable: bool = False

    def success(self, stage: Stage) -> Event:
        """The event of a task whose attempt at the stage ends without a fault."""
        if stage is Stage.STT:
            return Event.UNSCORABLE if self.unscorable else Event.TRANSCRIBED
        return Event.EXTRACTED if stage is Stage.EXTRACT else Event.RATED


@dataclass(frozen=True, slots=True)
class SwitchResult:
    """The course of a switch. One that failed leaves nothing loaded."""

    seconds: float
    failed: bool = False


AttemptResults = Callable[[Task], Attempt]
"""Gives the course of the attempt that `task` has just begun."""
SwitchResults = Callable[[Group | None, Group | None], SwitchResult]
"""Gives the course of the switch from the group requested last to the next."""


class Mark(StrEnum):
    """The entries of the timetable that are no events of tasks."""

    ARRIVED = "arrived"
    SWITCHING = "switching"
    LOADED = "loaded"
    LOAD_FAILED = "load failed"
    ENGINE_DIED = "engine died"
    CRASHED = "crashed"
    NODE_GONE = "node gone"


@dataclass(frozen=True, slots=True)
class TimetableEntry:
    """One line of the timetable. `task` is as it is after the event; `group` is that of a switch.

    `node` is the one on which it happened.
    """

    at: float
    what: Event | Mark
    task: Task | None = None
    group: Group | None = None
    node: str = LOCAL


@dataclass(frozen=True, slots=True)
class Timetable:
    """The entries in order of time, and the tasks as they were when nothing more could happen."""

    began_at: float
    entries: tuple[TimetableEntry, ...]
    tasks: Mapping[int, Task]

    @property
    def ended(self) -> dict[int, float]:
        """The end of each task that ended, by its id."""
        return {e.task.id: e.at for e in self.entries if e.task and e.task.status in FINAL}

    @property
    def waits(self) -> dict[int, float]:
        """The seconds from the claim to the end of each task that ended, by its id."""
        return {id_: at - self.tasks[id_].claimed_at for id_, at in self.ended.items()}

    @property
    def makespan_s(self) -> float:
        """The seconds until the last task ended; 0 when none did."""
        return max(self.ended.values(), default=self.began_at) - self.began_at

    @property
    def switches(self) -> int:
        """The number of switches to a group, restarts of the loaded one included."""
        return sum(e.what is Mark.SWITCHING and e.group is not None for e in self.entries)

    @property
    def switching_s(self) -> float:
        """The seconds spent on switches by all nodes, also those to nothing."""
        begun, total = {LOCAL: 0.0}, 0.0
        for entry in self.entries:
            if entry.what is Mark.SWITCHING:
                begun[entry.node] = entry.at
            elif entry.what in (Mark.LOADED, Mark.LOAD_FAILED):
                total += entry.at - begun[entry.node]
        return total
