"""What stands behind the routes, as protocols: who answers, who does what is asked, who may ask."""

from typing import Any, Protocol

from daemon.contracts.wire.base import Forgotten, LogLine
from daemon.contracts.wire.status import DaemonStatus, GpuHistory
from daemon.contracts.wire.tasks import TaskDetail, TaskPage
from daemon.contracts.wire.words import LogSource, Order, PlaceName, Verb
from daemon.monitoring.events import Events
from daemon.monitoring.queries import TaskQuery


class Answers(Protocol):
    """What may be asked of the daemon. Each may raise StoreError."""

    events: Events

    async def healthy(self) -> None:
        """Return when the database answers."""
        ...

    async def status(self, *, may_change: bool) -> DaemonStatus:
        """What the system is doing now."""
        ...

    async def tasks(self, wanted: TaskQuery) -> TaskPage:
        """A page of tasks."""
        ...

    async def task(self, task_id: int) -> TaskDetail:
        """One task. Raises UnknownTask."""
        ...

    async def results(self, task_id: int) -> list[dict[str, Any]]:
        """The results of a task, oldest first. Raises UnknownTask."""
        ...

    async def gpu(self) -> GpuHistory:
        """The last minutes of the GPU, and the last phases."""
        ...

    async def logs(self, source: LogSource, task_id: int | None, lines: int) -> list[LogLine]:
        """The last lines of a log, oldest first. Raises LogUnreadable."""
        ...

    async def metrics(self) -> tuple[bytes, str]:
        """The figures as Prometheus reads them, and the type of that text."""
        ...


class Commands(Protocol):
    """What may be asked to be done."""

    async def ask(self, verb: Verb, task_id: int, *, extract: bool = False) -> object:
        """Ask for something for one task. Raises UnknownTask, IllegalTransition."""
        ...

    async def order(self, order: Order, *, at_once: bool = False) -> None:
        """Pause, go on, drain, or go. Raises StoreError."""
        ...

    async def deadline(self, at: float | None) -> None:
        """By when the class is to be done. Raises StoreError."""
        ...


class Accept(Protocol):
    """Accepts the folder that stands at a place."""

    async def __call__(self, name: PlaceName) -> None:
        """Make that folder the known one. Raises PlaceError where there is none, and StoreError."""
        ...


class Forget(Protocol):
    """What deletes a student."""

    async def __call__(self, student: str) -> Forgotten:
        """Delete all of a student. Raises UnknownStudent, and IllegalTransition while a task is open."""
        ...


class Operators(Protocol):
    """Who may change things, by user id."""

    def __call__(self, uid: int, /) -> bool:
        """Whether that user may."""
        ...
