"""The running parts of the daemon as they are seen from the control socket. All of it is cheap to ask."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from daemon.contracts.wire.status import Clock, GpuPoint, GpuState
from daemon.contracts.wire.words import PlaceName, PlaceState
from daemon.core.schedule.phase_state import Group


class Inlet(Protocol):
    """The intake, as it is seen from here."""

    @property
    def waiting(self) -> int:
        """How many files were seen and are not claimed yet."""
        ...

    @property
    def available(self) -> bool:
        """Whether the inbox can be read."""
        ...

    @property
    def polling(self) -> bool:
        """Whether no event tells of new files."""
        ...


class ForecastSource(Protocol):
    """What is expected. Each of these is cheap."""

    @property
    def etas(self) -> Mapping[int, float]:
        """When each open task will be done, by task id."""
        ...

    @property
    def next_switch_at(self) -> float | None:
        """When the next switch begins."""
        ...

    @property
    def why_detail(self) -> str:
        """Why the scheduler waits or switches, with figures."""
        ...

    def refresh(self) -> None:
        """Have it computed anew soon, if something changed."""
        ...

    def clock(self, deadline: float | None) -> Clock | None:
        """The class clock."""
        ...

    def usual_switch_s(self, to: Group | None) -> float | None:
        """What a switch to a group usually takes."""
        ...


class GpuWatch(Protocol):
    """Who reads the GPU."""

    @property
    def latest(self) -> GpuState:
        """The last reading."""
        ...

    def points(self) -> list[GpuPoint]:
        """The last minutes, oldest first."""
        ...


class PlaceSource(Protocol):
    """The inbox or the outbox, as a folder that is known or not."""

    name: PlaceName
    path: Path
    state: PlaceState
    detail: str
