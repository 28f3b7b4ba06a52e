"""The running parts of the daemon as they are seen from the control socket. All of it is cheap to ask."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from daemon.contracts.values import Orders
from daemon.contracts.wire import Clock, GpuPoint, GpuState, PlaceName, PlaceState
from daemon.core.schedule.decision import Why
from daemon.core.schedule.phase_state import Extent, Group
from daemon.core.tasks.task import Phase, Task


class SupervisorSource(Protocol):
    """The supervisor, as it is seen from here."""

    @property
    def tasks(self) -> Sequence[Task]:
        """Every open task."""
        ...

    @property
    def group(self) -> Group | None:
        """The group that is loaded."""
        ...

    @property
    def phase(self) -> Phase:
        """The phase, also while its group is not loaded."""
        ...

    @property
    def phase_since(self) -> float | None:
        """Since when it is."""
        ...

    @property
    def extent(self) -> Extent:
        """How far the batch or phase has come."""
        ...

    @property
    def why(self) -> Why:
        """What the scheduler does or waits for."""
        ...

    @property
    def started(self) -> Mapping[int, float]:
        """When each try that runs began, by task id."""
        ...

    @property
    def switching(self) -> tuple[Group | None, float] | None:
        """The switch that runs: to which group, and since when."""
        ...

    @property
    def orders(self) -> Orders:
        """What the operator asked of the whole daemon."""
        ...

    @property
    def turns(self) -> int:
        """How many times it has decided."""
        ...


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
