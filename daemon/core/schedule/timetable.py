"""What goes into a simulation and what comes out of it: plain values.

In go what comes from outside, and how each try and each switch goes; out comes the timetable.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from daemon.core.errors import Fault
from daemon.core.schedule.phase_state import Group
from daemon.core.tasks.task import FINAL, Event, Task


class What(StrEnum):
    """What comes from outside."""

    ARRIVE = "arrive"  # a task is born, or an old one begins a new revision
    HOLD = "hold"
    UNHOLD = "unhold"
    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    GO = "go"
    DRAIN = "drain"
    CRASH = "crash"  # the daemon dies and is up again at once, with its engines gone


@dataclass(frozen=True, slots=True)
class Input:
    """One thing that comes from outside at a time: ARRIVE has a task, what is about a task its id."""

    at: float
    what: What
    task: Task | None = None
    task_id: int | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """How a try at a stage goes: seconds from its start (of one that runs already, from the beginning
    of the simulation) to its end, and the fault it ends with, if any.
    """

    seconds: float
    fault: Fault | None = None
    unscorable: bool = False


@dataclass(frozen=True, slots=True)
class SwitchResult:
    """How a switch goes. One that failed leaves nothing loaded."""

    seconds: float
    failed: bool = False


class Mark(StrEnum):
    """What an entry of the timetable tells beside the events of tasks."""

    ARRIVED = "arrived"
    SWITCHING = "switching"
    LOADED = "loaded"
    LOAD_FAILED = "load failed"
    ENGINE_DIED = "engine died"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class TimetableEntry:
    """One line of the timetable. `task` is as it is after the event; `group` is of a switch."""

    at: float
    what: Event | Mark
    task: Task | None = None
    group: Group | None = None


@dataclass(frozen=True, slots=True)
class Timetable:
    """What happened, in order of time, and the tasks as they stood when nothing more could."""

    began_at: float
    entries: tuple[TimetableEntry, ...]
    tasks: Mapping[int, Task]

    @property
    def ended(self) -> dict[int, float]:
        """When each task that came to its end did so."""
        return {e.task.id: e.at for e in self.entries if e.task and e.task.status in FINAL}

    @property
    def waits(self) -> dict[int, float]:
        """Seconds from its claim to its end, for each task that came to it."""
        return {id_: at - self.tasks[id_].claimed_at for id_, at in self.ended.items()}

    @property
    def makespan_s(self) -> float:
        """Seconds until the last task that came to its end did so; 0 when none did."""
        return max(self.ended.values(), default=self.began_at) - self.began_at

    @property
    def switches(self) -> int:
        """How often a group was asked for, restarts of the loaded one included."""
        return sum(e.what is Mark.SWITCHING and e.group is not None for e in self.entries)

    @property
    def switching_s(self) -> float:
        """Seconds spent on switches, also those to nothing."""
        begun, total = 0.0, 0.0
        for entry in self.entries:
            if entry.what is Mark.SWITCHING:
                begun = entry.at
            elif entry.what in (Mark.LOADED, Mark.LOAD_FAILED):
                total += entry.at - begun
        return total
