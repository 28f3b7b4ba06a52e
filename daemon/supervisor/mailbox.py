"""What came since the supervisor's last turn, and its wait for more."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from daemon.core.errors import Fault, Stopping
from daemon.core.tasks.task import Task
from daemon.supervisor.attempts import AttemptEnded
from daemon.supervisor.phases import Switched
from daemon.supervisor.task_requests import TaskRequest
from daemon.system.waits import happens


@dataclass(frozen=True, slots=True)
class Arrived:
    """New tasks stand in the database."""

    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True)
class VideoUnreadable:
    """A video can't be decoded, as was found ahead of its turn."""

    task_id: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class PauseAtOnce:
    """A person wants a pause now: what runs is to wait again."""


Letter = TaskRequest | PauseAtOnce | Arrived | VideoUnreadable | Switched | AttemptEnded


class Mailbox:
    """All that is to be looked at in the next turn, in its order."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waiting: list[Letter] = []
        self._woken = asyncio.Event()
        self._error: BaseException | None = None
        self._last_was_taken = False

    def __len__(self) -> int:
        """How many wait to be taken."""
        return len(self._waiting)

    def add(self, happening: Letter) -> None:
        """Something happened. Raises Stopping for what a person asks when nobody will look at it any more."""
        if self._last_was_taken and isinstance(happening, TaskRequest):
            raise Stopping
        self._waiting.append(happening)
        self._woken.set()

    def broke(self, error: BaseException) -> None:
        """A fault of ours, not of a video: the daemon ends loudly, and its next start counts the death."""
        self._error = error
        self._woken.set()

    def wake(self) -> None:
        """Let a turn begin: what it goes by has changed."""
        self._woken.set()

    def take(self) -> list[Letter]:
        """All that came since the last time."""
        self._woken.clear()
        taken, self._waiting = self._waiting, []
        return taken

    def take_last(self) -> list[Letter]:
        """The same, for the last time."""
        self._last_was_taken = True
        return self.take()

    def check(self) -> None:
        """Raises what broke."""
        if self._error is not None:
            raise self._error

    async def wait(self, wake_at: float | None) -> None:
        """Until something comes, at the latest until `wake_at` in epoch seconds."""
        timeout = None if wake_at is None else max(0.0, wake_at - self._clock())
        await happens(self._woken, timeout)
