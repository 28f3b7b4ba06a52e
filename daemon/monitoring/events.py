"""The last events: a ring that any number of readers may follow, each at its own speed.

A reader keeps only the id of the last event that it has seen, so that a slow or dead one costs no memory
here. Ids grow, also over a restart: the first new one is the clock's milliseconds, so that no id is given
again that a crash has kept from the database.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice, takewhile
from typing import Protocol

import structlog

from daemon.contracts.values import Change, Failed, Unscorable
from daemon.contracts.wire.base import EventLine
from daemon.core.forecast.explain import seconds
from daemon.core.intake.naming import printable
from daemon.core.keeping.traces import Traces
from daemon.core.tasks.task import STAGE_OF, Event, Task
from daemon.core.timestamps import to_iso
from daemon.monitoring.alarms import Alarm

log = structlog.get_logger()

RING = 1000


class EventTally(Protocol):
    """Counts committed transitions and switches."""

    def committed(self, changes: Sequence[Change]) -> None:
        """Count transitions that are durable."""
        ...

    def switched(self, group: str, seconds: float) -> None:
        """Count a switch to `group` that took `seconds`."""
        ...


class Events:
    """The last events, oldest first. Used on the loop's thread alone.

    `kept` are those of earlier runs. `written_id` is the newest that is in the database: `Record` sets it.
    `seq` grows with every event and with every call of `changed`: a client that has seen it need not ask for
    tasks again. `pseudonym` is what the log calls a student; None: nothing.
    """

    def __init__(self, clock: Callable[[], float], size: int = RING, kept: Iterable[EventLine] = ()) -> None:
        self._clock = clock
        self._ring = deque(kept, maxlen=size)
        self._woken = asyncio.Event()
        self._first_id = self.seq = int(clock() * 1000)
        self.last_id = self._ring[-1].id if self._ring else self._first_id
        self.written_id = self.last_id
        self._dropped = self._ring[0].id - 1 if self._ring else self.last_id  # the newest id that has left
        self.closed = False
        self.tallies: list[EventTally] = []
        self.pseudonym: Callable[[str], str] | None = None

    def add(
        self,
        kind: str,
        message: str,
        *,
        task_id: int | None = None,
        student: str | None = None,
        status: str | None = None,
        actor: str | None = None,
    ) -> None:
        """Add an event; `kind` is one of those of EventLine. `actor` is who gave the order."""
        if len(self._ring) == self._ring.maxlen:
            self._dropped = max(self._dropped, self._ring[0].id)  # a forgotten event must not come back
        self.last_id = max(self.last_id + 1, self._first_id)
        event = EventLine(
            id=self.last_id,
            at=to_iso(self._clock()),
            kind=kind,
            message=message,
            task_id=task_id,
            student=student,
            status=status,
            actor=actor,
        )
        self._ring.append(event)
        self.changed()
        self._wake()

    def committed(self, changes: Sequence[Change]) -> None:
        """Add events for durable transitions. Moves into a batch and out of it are left out."""
        for tally in self.tallies:
            tally.committed(changes)
        for change in changes:
            if (message := _news(change)) is not None:
                self.of_task(change.after, message, _why(change), node=change.node)
        self.changed()

    def switched(self, group: str, seconds: float) -> None:
        """Add the event of a loaded group."""
        for tally in self.tallies:
            tally.switched(group, seconds)
        self.add("phase", f"{group} is loaded after {seconds:.1f} s")

    def alarm(self, alarm: Alarm, lasts: bool) -> None:
        """Add the event of an alarm that began, or was cleared."""
        if lasts:
            self.add("alarm", str(alarm.trouble))
        else:
            lasted = seconds(self._clock() - alarm.since)
            self.add("cleared", f"cleared: {alarm.trouble.cause}; it lasted {lasted}")

    def of_task(
        self, task: Task, message: str, why: str = "", *, actor: str | None = None, node: str | None = None
    ) -> None:
        """Add an event of a task, which is given as it is now, at the `node` of another machine or here.

        The log names the task and not the student, and leaves out the `why`, which may name the file.
        """
        shown = {} if self.pseudonym is None else {"student": self.pseudonym(task.student)}
        if node is not None:
            message, shown = f"{message} at {node}", {**shown, "node": node}
        log.info(message, task_id=task.id, status=task.status.value, **shown)
        told = f"task {task.id} of {task.student} {message}" + (f": {why}" if why else "")
        status = task.status.value
        self.add("task", told, task_id=task.id, student=task.student, status=status, actor=actor)

    def changed(self) -> None:
        """Record that lists of tasks have changed, without an event."""
        self.seq += 1

    def recent(self, limit: int) -> list[EventLine]:
        """The last `limit` events, oldest first."""
        return list(islice(self._ring, max(0, len(self._ring) - limit), None))

    def after(self, last_id: int) -> list[EventLine] | None:
        """The events after `last_id`; None when some of them have left the ring, or it never was."""
        if not self._dropped <= last_id <= self.last_id:
            return None
        return self.newer(last_id)

    @property
    def unwritten(self) -> list[EventLine]:
        """The events that are not in the database yet."""
        return self.newer(self.written_id)

    def newer(self, last_id: int) -> list[EventLine]:
        """The events after `last_id` that are still here, oldest first."""
        return [*takewhile(lambda event: event.id > last_id, reversed(self._ring))][::-1]

    def forget(self, traces: Traces) -> None:
        """Drop the events of a student, also those of alarms, and the student from orders. Other events keep
        their ids.
        """
        named = traces.in_text()
        kept = [
            event.model_copy(update={"actor": None}) if event.actor == traces.student else event
            for event in self._ring
            if event.student != traces.student and not named.found(event.message.encode())
        ]
        self._dropped = self.last_id if len(kept) < len(self._ring) else self._dropped
        self._ring = deque(kept, maxlen=self._ring.maxlen)

    async def wait(self, last_id: int) -> None:
        """Return once there is an event after `last_id`, or after `close`."""
        while not self.closed and self.last_id <= last_id:
            await self._woken.wait()

    def close(self) -> None:
        """Wake all who wait: no more events will come."""
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        """Wake all who wait now; later ones wait for the next event."""
        self._woken.set()
        self._woken = asyncio.Event()


def _news(change: Change) -> str | None:
    """The event's words for a transition, or None for one that is not reported."""
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
            return f"gave no result at {stage} and is retried"
    return None


def _why(change: Change) -> str:
    """The cause of a failed attempt, or an empty text."""
    return printable(change.outcome.fault.message) if isinstance(change.outcome, Failed) else ""
