"""Delivery: frozen documents to the outbox, then their videos to the archive.

Failures are retried automatically: a full or missing outbox costs nothing but time. A document that can't be
delivered does not delay the others.
"""

import asyncio
import contextlib
from collections.abc import Callable
from enum import Enum
from pathlib import Path

import structlog

from daemon.core.alarms import trouble, trouble_of
from daemon.core.errors import DeliveryError, StoreError
from daemon.core.tasks.lifecycle import backoff_s
from daemon.core.tasks.task import Task
from daemon.delivery.archive import archive, has_own_name
from daemon.delivery.outbox import Outbox
from daemon.monitoring.alarms import Alarms
from daemon.store import audit, documents, videos
from daemon.store.database import Database
from daemon.store.session import Session
from daemon.system.waits import happens, waking

log = structlog.get_logger()

_GROUP = 64
_ARCHIVED_AT_ONCE = 4  # few, since the database thread is busy meanwhile
_NAMED = 20  # at most so many blocked documents have an alarm each
_BLOCKED = "outbox_blocked"
_TAKEN = "archive_name"


class _Ended(Enum):
    """How a round ended."""

    DONE = "done"
    BLOCKED = "blocked"  # the rest waits for a person
    PARTLY = "partly"  # some failed and are retried
    AWAY = "away"  # the outbox or the database cannot be used
    IDLE = "idle"  # the outbox cannot be used, and nothing waits for it


_RESTS = (_Ended.DONE, _Ended.BLOCKED, _Ended.IDLE)
_FAILURES = {_Ended.DONE: 0, _Ended.AWAY: 1, _Ended.IDLE: 1}


class Delivery:
    """Delivers the documents that are undelivered in the database."""

    def __init__(
        self, session: Session, outbox: Outbox, state: Path, alarms: Alarms, clock: Callable[[], float]
    ) -> None:
        self._session, self._outbox, self._state = session, outbox, state
        self._alarms, self._clock = alarms, clock
        self._hinted = asyncio.Event()
        self._again = asyncio.Event()
        self._rested = asyncio.Event()
        self._class_ended = False
        self._store_failed = False
        self.blocked = 0  # documents that wait until a person moves a file away
        self.still = asyncio.Lock()  # held by a round, and by code during which none may run

    @property
    def idle(self) -> bool:
        """Whether all but the blocked documents were delivered since the last hint."""
        return self._rested.is_set()

    def hint(self) -> None:
        """Wake the delivery: there may be a document."""
        self._rested.clear()
        self._hinted.set()

    def end_class(self) -> None:
        """Log the head of the audit once all is delivered: the log is another place than the database."""
        self._class_ended = True
        self.hint()

    def try_again(self) -> None:
        """Deliver now, without the backoff: the outbox may be back."""
        self._again.set()
        self.hint()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set, then in one last round."""
        failures = 0
        async with waking(stop, self.try_again):
            while True:
                self._hinted.clear()
                self._again.clear()
                async with self.still:
                    ended = await self._round()
                # While it is away the backoff stays at its shortest: a look costs little, and results wait.
                failures = _FAILURES.get(ended, failures + 1)
                if stop.is_set():
                    break
                if ended in _RESTS and not self._hinted.is_set():
                    await self._log_head()
                    self._rested.set()
                # While the outbox is away, a new result is no reason to look at it.
                told = self._again if ended is _Ended.AWAY else self._hinted
                await happens(told, backoff_s(failures) if failures else None)

    async def _log_head(self) -> None:
        if not self._class_ended:
            return
        with contextlib.suppress(StoreError):  # it is logged after the next round
            number, digest = await self._session(audit.head)
            log.info("the audit at the end of the class", entry=number, hash=digest)
            self._class_ended = False

    async def _round(self) -> _Ended:
        """Deliver and archive all that there is."""
        try:
            delivered = await self._deliver()
            if delivered is not _Ended.AWAY and not await self._archive():
                return _Ended.PARTLY
        except StoreError as exc:
            self._alarms.set(trouble_of("store", str(exc)))
            self._store_failed = True
            return _Ended.AWAY
        if self._store_failed:  # what failed was done again; perhaps nobody else writes any more
            self._alarms.clear("store")
            self._store_failed = False
        return delivered

    async def _deliver(self) -> _Ended:
        failed: dict[int, str] = {}
        blocked: dict[int, str] = {}
        waiting = await self._session(documents.undelivered, _GROUP)
        while True:  # once even with nothing to deliver: an outbox that is away is reported at once
            try:
                published = await asyncio.to_thread(self._outbox.publish_all, waiting)
            except DeliveryError as exc:
                self._alarms.set(trouble_of("outbox", str(exc)))
                return _Ended.AWAY if waiting else _Ended.IDLE
            if published.done:
                await self._session(documents.delivered, published.done, self._clock())
            failed |= published.failed
            blocked |= published.blocked
            if len(waiting) < _GROUP:
                break
            waiting = await self._session(documents.undelivered, _GROUP, waiting[-1].id)
        self._tell(failed, blocked)
        if failed:
            return _Ended.PARTLY
        return _Ended.BLOCKED if blocked else _Ended.DONE

    def _tell(self, failed: dict[int, str], blocked: dict[int, str]) -> None:
        """Raise the alarms of documents that could not be delivered, and clear those of the others."""
        if failed:
            count = "1 file" if len(failed) == 1 else f"{len(failed)} files"
            self._alarms.set(
                trouble("outbox", next(iter(failed.values())), affects=f"{count}, kept and delivered later")
            )
        else:
            self._alarms.clear("outbox")
        self.blocked = len(blocked)
        named = dict(list(blocked.items())[:_NAMED])
        told = [trouble(f"{_BLOCKED} {id_}", message) for id_, message in named.items()]
        if len(blocked) > len(named):
            more = f"{len(blocked) - len(named)} more files of the outbox are blocked like these"
            told.append(trouble(_BLOCKED, more, fix="move the named ones away, and these are shown"))
        self._alarms.replace(_BLOCKED, told)

    async def _archive(self) -> bool:
        try:
            while (moved := await self._session(self._archive_some)) is not None:
                self._tell_of_taken_names(moved)
        except OSError as exc:
            self._alarms.set(trouble("archive", f"a video can't be archived: {exc.strerror}"))
            return False
        self._alarms.clear("archive")
        return True

    def _archive_some(self, db: Database) -> list[tuple[Task, Path]] | None:
        """Archive a few videos. Gives where they are, None if there were none. Raises OSError, StoreError.

        Runs on the database thread, so that no task is reopened with the path that its video is leaving.
        """
        tasks = videos.archivable(db, _ARCHIVED_AT_ONCE)
        moved, lost = self._move(tasks)
        if lost:
            log.warning("videos of finished tasks are missing from the spool", tasks=lost)
            videos.removed(db, lost)
        if moved:
            videos.archived(db, [(task.id, path) for task, path in moved], self._clock())
        return moved if tasks else None

    def _move(self, tasks: list[Task]) -> tuple[list[tuple[Task, Path]], list[int]]:
        """Archive videos. Gives where they are now, and the ids of tasks without video. Raises OSError."""
        moved: list[tuple[Task, Path]] = []
        lost: list[int] = []
        for task in tasks:
            try:
                moved.append((task, archive(task, self._state)))
            except FileNotFoundError:
                lost.append(task.id)
        return moved, lost

    def _tell_of_taken_names(self, moved: list[tuple[Task, Path]]) -> None:
        """Raise an alarm until the next start: two videos of one name mean that ids have begun again."""
        taken = [str(task.id) for task, path in moved if not has_own_name(task, path)]
        if taken:
            told = f"the archive holds another file under the name of the video of task {', '.join(taken)}"
            self._alarms.set(trouble(_TAKEN, told))
