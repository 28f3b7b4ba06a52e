"""What happened last: a ring of events that any number may follow, each at its own speed.

A reader keeps nothing but the id of the last event that it has seen, so that a slow or dead one costs no
memory here. Ids grow, also over a restart: the first one is the milliseconds of the clock.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Protocol

import structlog

from daemon.contracts.values import Change, Failed, Unscorable
from daemon.contracts.wire.base import EventLine
from daemon.core.intake.naming import printable
from daemon.core.keeping.traces import Traces
from daemon.core.tasks.task import STAGE_OF, Event, Task
from daemon.core.timestamps import to_iso

log = structlog.get_logger()

RING = 1000


class EventTally(Protocol):
    """Who counts what happens."""

    def committed(self, changes: Sequence[Change]) -> None:
        """Transitions are durable."""
        ...

    def switched(self, group: str, seconds: float) -> None:
        """A group was loaded."""
        ...


class Events:
    """The last events, oldest first. Used on the loop's thread alone.

    `seq` grows with every event and with every call of `changed`, so that who has seen it need not ask
    for tasks again.
    """

    def __init__(self, clock: Callable[[], float], size: int = RING) -> None:
        self._clock = clock
        self._ring: deque[EventLine] = deque(maxlen=size)
        self._woken = asyncio.Event()
        self.last_id = self.seq = int(clock() * 1000)
        self._dropped = self.last_id  # the newest id that is not in the ring any more
        self.closed = False
        self.tallies: list[EventTally] = []

    def add(
        self,
        kind: str,
        message: str,
        *,
        task_id: int | None = None,
        student: str | None = None,
        status: str | None = None,
    ) -> None:
        """Something happened: `kind` is one of those of EventLine."""
        if len(self._ring) == self._ring.maxlen:
            self._dropped = max(self._dropped, self._ring[0].id)  # what was forgotten does not come back
        self.last_id += 1
        self._ring.append(
            EventLine(
                id=self.last_id,
                at=to_iso(self._clock()),
                kind=kind,
                message=message,
                task_id=task_id,
                student=student,
                status=status,
            )
        )
        self.changed()
        self._wake()

    def committed(self, changes: Sequence[Change]) -> None:
        """Transitions are durable. What only moves a task into a batch and out of it is no news."""
        for tally in self.tallies:
            tally.committed(changes)
        for change in changes:
            if (message := _news(change)) is not None:
                self.of_task(change.after, message, _why(change))
        self.changed()

    def switched(self, group: str, seconds: float) -> None:
        """A group is loaded, after so many seconds."""
        for tally in self.tallies:
            tally.switched(group, seconds)
        self.add("phase", f"{group} is loaded after {seconds:.1f} s")

    def alarm(self, message: str, lasts: bool) -> None:
        """An alarm began, or is cleared."""
        self.add("alarm" if lasts else "cleared", message)

    def of_task(self, task: Task, message: str, why: str = "") -> None:
        """Something happened to a task, which is now as given. The log names the task and not the student,
        and leaves out the `why`, which may name the file.
        """
        log.info(message, task_id=task.id, status=task.status.value)
        told = f"task {task.id} of {task.student} {message}" + (f": {why}" if why else "")
        self.add("task", told, task_id=task.id, student=task.student, status=task.status.value)

    def changed(self) -> None:
        """What a list of tasks says is not what it was."""
        self.seq += 1

    def recent(self, limit: int) -> list[EventLine]:
        """The last events, oldest first."""
        return list(islice(self._ring, max(0, len(self._ring) - limit), None))

    def after(self, last_id: int) -> list[EventLine] | None:
        """What came after an event; None when that is not known any more, or never was."""
        if not self._dropped <= last_id <= self.last_id:
            return None
        newer = self.last_id - last_id
        return self.recent(newer) if newer else []

    def forget(self, student: str) -> None:
        """Drop what was said of a student, also by an alarm. The ids stay as they are."""
        named = Traces(student).in_text()
        kept = [e for e in self._ring if e.student != student and not named.found(e.message.encode())]
        self._dropped = self.last_id if len(kept) < len(self._ring) else self._dropped
        self._ring = deque(kept, maxlen=self._ring.maxlen)

    async def wait(self, last_id: int) -> None:
        """Return once there is an event after `last_id`, or nothing more will come."""
        while not self.closed and self.last_id <= last_id:
            await self._woken.wait()

    def close(self) -> None:
        """Nothing more will come: those who wait are told."""
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        """Wake all who wait; who comes later waits for the next event."""
        self._woken.set()
        self._woken = asyncio.Event()


def _news(change: Change) -> str | None:
    """What a transition says to the operator, or None."""
    stage = STAGE_OF[change.before.status]
    took = "" if change.seconds is None else f" after {change.seconds:.1f} s"
    outcome = change.outcome
    match change.event:
        case Event.STARTED:
            return f"starts {stage}"
        case Event.TRANSCRIBED:
            return f"is transcribed{took}"
        case Event.EXTRACTED:
            return f"has its form{took}"
        case Event.RATED:
            return f"is done{took}"
        case Event.UNSCORABLE:
            code = outcome.code if isinstance(outcome, Unscorable) else "nothing to rate"
            return f"cannot be scored: {code}"
        case Event.FAILED:
            return f"failed at {stage}"
        case Event.CANCELLED:
            return "is cancelled"
        case Event.RELEASED if _why(change):
            return f"came to nothing at {stage} and is tried again"
    return None


def _why(change: Change) -> str:
    """Why an attempt failed, or nothing."""
    return printable(change.outcome.fault.message) if isinstance(change.outcome, Failed) else ""
