"""The running parts of the daemon, as the control socket sees them. All are cheap to read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from daemon.contracts.wire.status import Clock, GpuPoint, GpuState
from daemon.contracts.wire.words import PlaceName, PlaceState
from daemon.core.forecast.class_roll import Members
from daemon.core.schedule.phase_state import Group


class Inlet(Protocol):
    """The intake, as the observer sees it."""

    @property
    def waiting(self) -> int:
        """The number of files that were seen and are not claimed yet."""
        ...

    @property
    def available(self) -> bool:
        """Whether the inbox can be read."""
        ...

    @property
    def polling(self) -> bool:
        """Whether new files are found by polling alone, without events of the file system."""
        ...


class ForecastSource(Protocol):
    """The forecast, as the observer sees it. All is cheap to read."""

    @property
    def etas(self) -> Mapping[int, float]:
        """The expected end of each open task, by task id, in epoch seconds."""
        ...

    @property
    def next_switch_at(self) -> float | None:
        """The time at which the next switch begins, in epoch seconds; None when none is foreseen."""
        ...

    @property
    def why_detail(self) -> str:
        """The scheduler's action or wait in one line, with figures."""
        ...

    def refresh(self) -> None:
        """Request another forecast soon, if something changed."""
        ...

    @property
    def members(self) -> Members:
        """The tasks of the class."""
        ...

    def clock(self, deadline: float | None, outcomes: Mapping[str, int]) -> Clock | None:
        """The class clock against a deadline, in epoch seconds; None without a class and a deadline.

        `outcomes` are the numbers of its finished tasks.
        """
        ...

    def usual_switch_s(self, to: Group | None) -> float | None:
        """The usual duration of a switch to a group, in seconds; None before one was measured."""
        ...


class GpuWatch(Protocol):
    """The reader of the GPU."""

    @property
    def latest(self) -> GpuState:
        """The last reading."""
        ...

    def points(self) -> list[GpuPoint]:
        """The readings of the last minutes, oldest first."""
        ...


class PlaceSource(Protocol):
    """The inbox or the outbox, as a folder that is known or not."""

    name: PlaceName
    path: Path
    state: PlaceState
    detail: str
