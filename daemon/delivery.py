"""Delivery: frozen documents into the outbox, then their videos into the archive.

It is tried again by itself: an outbox that is full or gone costs nothing but time.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import structlog

from daemon.alarms import Alarms
from daemon.core.errors import DeliveryError, StoreError
from daemon.core.lifecycle import backoff_s
from daemon.core.task import Task
from daemon.intake.archive import archive, has_own_name
from daemon.journal import Journal
from daemon.outbox import Outbox

log = structlog.get_logger()

_GROUP = 64
_ARCHIVED_AT_ONCE = 4  # the work waits for the database meanwhile
_TAKEN = "archive_name"


class Delivery:
    """Delivers whatever the database says is not in the outbox yet."""

    def __init__(
        self, journal: Journal, outbox: Outbox, state: Path, alarms: Alarms, clock: Callable[[], float]
    ) -> None:
        self._journal, self._outbox, self._state = journal, outbox, state
        self._alarms, self._clock = alarms, clock
        self._hinted = asyncio.Event()
        self._rested = asyncio.Event()
        self.still = asyncio.Lock()  # held by a round, and by who must not have one meanwhile

    @property
    def idle(self) -> bool:
        """Whether, after the last hint, everything was delivered."""
        return self._rested.is_set()

    def hint(self) -> None:
        """There may be something to deliver."""
        self._rested.clear()
        self._hinted.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop`, then once more what is ready."""
        failures = 0
        stopper = asyncio.create_task(self._wake_at(stop))
        while True:
            self._hinted.clear()
            async with self.still:
                done = await self._round()
            failures = 0 if done else failures + 1
            if stop.is_set():
                break
            if done and not self._hinted.is_set():
                self._rested.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if done else backoff_s(failures)):
                    # While the outbox is away, new results do not make it come back.
                    await (self._hinted if done else stop).wait()
        await stopper

    async def _round(self) -> bool:
        """Deliver and archive all that there is. False when something must be tried again."""
        try:
            return await self._deliver() and await self._archive()
        except StoreError as exc:
            self._alarms.set("store", str(exc))
            return False

    async def _deliver(self) -> bool:
        while documents := await self._journal(self._journal.store.undelivered, _GROUP):
            try:
                published = await asyncio.to_thread(self._outbox.publish_all, documents)
            except DeliveryError as exc:
                self._alarms.set("outbox", str(exc))
                return False
            if published.done:
                await self._journal(self._journal.store.delivered, published.done, self._clock())
            if published.failed:
                self._alarms.set("outbox", next(iter(published.failed.values())))
                return False
        self._alarms.clear("outbox")
        return True

    async def _archive(self) -> bool:
        try:
            while (moved := await self._journal(self._archive_some)) is not None:
                self._tell_of_taken_names(moved)
        except OSError as exc:
            advice = "see that the state folder can be written, has room, and holds no links"
            self._alarms.set("archive", f"a video can't be archived: {exc.strerror}; {advice}")
            return False
        self._alarms.clear("archive")
        return True

    def _archive_some(self) -> list[tuple[Task, Path]] | None:
        """Archive a few videos. Where they are now, or None when there were none. Raises OSError, StoreError.

        Called on the database thread, so that no task is taken up again with the path that its video leaves.
        """
        store = self._journal.store
        tasks = store.archivable(_ARCHIVED_AT_ONCE)
        moved, lost = self._move(tasks)
        if lost:
            log.warning("videos were taken out of the spool by somebody", tasks=lost)
            store.removed(lost)
        if moved:
            store.archived([(task.id, path) for task, path in moved], self._clock())
        return moved if tasks else None

    def _move(self, tasks: list[Task]) -> tuple[list[tuple[Task, Path]], list[int]]:
        """Archive the videos. Where they are now, and the tasks whose video is nowhere. Raises OSError."""
        moved: list[tuple[Task, Path]] = []
        lost: list[int] = []
        for task in tasks:
            try:
                moved.append((task, archive(task, self._state)))
            except FileNotFoundError:
                lost.append(task.id)
        return moved, lost

    def _tell_of_taken_names(self, moved: list[tuple[Task, Path]]) -> None:
        """Two videos of one name mean that ids have begun again. The alarm lasts until the next start."""
        taken = [str(task.id) for task, path in moved if not has_own_name(task, path)]
        if taken:
            told = f"the archive holds another file under the name of the video of task {', '.join(taken)}"
            advice = "both are kept; see whether the database was lost or an older one put back"
            self._alarms.set(_TAKEN, f"{told}; {advice}")

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._hinted.set()
