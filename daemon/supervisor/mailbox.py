"""The letters that wait for the supervisor's next turn."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from daemon.core.errors import Fault, Stopping
from daemon.core.tasks.task import Task
from daemon.supervisor.attempts import AttemptEnded
from daemon.supervisor.nodes import OfNode
from daemon.supervisor.phases import Switched
from daemon.supervisor.task_requests import TaskRequest
from daemon.system.waits import happens


@dataclass(frozen=True, slots=True)
class Arrived:
    """New tasks are in the database."""

    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True)
class VideoUnreadable:
    """A video can't be decoded, found by predecoding before its turn."""

    task_id: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class PauseAtOnce:
    """The operator wants a pause now: running tasks go back to waiting."""


Letter = TaskRequest | PauseAtOnce | Arrived | VideoUnreadable | Switched | AttemptEnded | OfNode


class Mailbox:
    """The letters for the next turn, in their order."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waiting: list[Letter] = []
        self._woken = asyncio.Event()
        self._error: BaseException | None = None
        self._last_was_taken = False

    def __len__(self) -> int:
        """The number of letters that wait."""
        return len(self._waiting)

    def add(self, letter: Letter) -> None:
        """Queue a letter. Raises Stopping for a request after the last turn: nobody would answer it."""
        if self._last_was_taken and isinstance(letter, TaskRequest):
            raise Stopping
        self._waiting.append(letter)
        self._woken.set()

    def broke(self, error: BaseException) -> None:
        """Record an error of ours, which ends the daemon at once; its next start counts the death."""
        self._error = error
        self._woken.set()

    def wake(self) -> None:
        """Cause a turn without a letter: policy, orders or memory have changed."""
        self._woken.set()

    def take(self) -> list[Letter]:
        """Remove and give all letters."""
        self._woken.clear()
        taken, self._waiting = self._waiting, []
        return taken

    def take_last(self) -> list[Letter]:
        """Remove and give all letters, and accept no more requests."""
        self._last_was_taken = True
        return self.take()

    def check(self) -> None:
        """Raise the error that `broke` recorded, if there is one."""
        if self._error is not None:
            raise self._error

    async def wait(self, wake_at: float | None) -> None:
        """Wait for a letter, at the latest until `wake_at` in epoch seconds; None waits without limit."""
        timeout = None if wake_at is None else max(0.0, wake_at - self._clock())
        await happens(self._woken, timeout)
