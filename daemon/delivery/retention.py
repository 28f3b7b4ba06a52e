"""Retention: archived videos, refused files, copies of the database and the record are deleted in time.

Copies are those made before updates. The time is counted by `daemon.core.keeping.witness`: a clock that is
wrong deletes nothing. Files are deleted a few at once, since the database thread is busy meanwhile.
"""

import asyncio
import contextlib
import math
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog

from daemon.config.records import RetentionSettings
from daemon.core.alarms import trouble
from daemon.core.errors import StoreError
from daemon.core.keeping.witness import Reading, Witness, complaint
from daemon.monitoring.alarms import Alarms
from daemon.store import claims, expiring, keeping, notices, recording, videos
from daemon.store.database import Database
from daemon.store.session import Session
from daemon.system.shelves import claim_of, loose_files, remove_file
from daemon.system.waits import happens

log = structlog.get_logger()

_AT_ONCE = 8
_LINES_AT_ONCE = 100
_GAP_S = 0.2
_EVERY_S = 600.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def read_clocks() -> Reading:
    """Read the wall clock and the clock since the boot."""
    try:
        boot = _BOOT_ID.read_text().strip()
    except OSError:  # a sandbox without this file
        boot = ""
    return Reading(time.time(), boot, time.clock_gettime(time.CLOCK_BOOTTIME))


class Retention:
    """Keeps files for `archive_days`, a video's from its archiving on, results for `result_days`, the record
    for `record_days`, and what no hook has taken for `notice_days`.
    """

    def __init__(
        self,
        session: Session,
        days: RetentionSettings,
        state: Path,
        alarms: Alarms,
        clocks: Callable[[], Reading],
    ) -> None:
        self._session, self._state = session, state
        self._keep_s, self._record_s = days.archive_days * keeping.DAY_S, days.record_days * keeping.DAY_S
        self._notices_s = days.notice_days * keeping.DAY_S
        self._results_s = math.inf if days.result_days == "forever" else days.result_days * keeping.DAY_S
        self._alarms, self._clocks = alarms, clocks

    async def run(self, stop: asyncio.Event) -> None:
        """Delete expired files, every 10 minutes, until `stop`."""
        while not stop.is_set():
            more = False
            with contextlib.suppress(StoreError):  # reported by the work, which needs the database, too
                more = await self._round()
            await happens(stop, _GAP_S if more else _EVERY_S)

    async def _round(self) -> bool:
        """Delete a few expired files. Whether there may be more."""
        seen = await self._session(keeping.witness, self._clocks())
        self._alarms.on("clock", complaint(seen))
        try:
            removed = await self._session(self._remove_videos, seen)
            there = await asyncio.to_thread(loose_files, self._state)
            files = await self._session(self._remove_files, there, seen)
            lines = await self._session(
                recording.expire, seen.witnessed, seen.witnessed - self._record_s, _LINES_AT_ONCE
            )
            results = await self._session(self._remove_results, seen)
            untaken = await self._session(notices.expire, seen.witnessed, seen.witnessed - self._notices_s)
        except OSError as exc:
            self._alarms.set(trouble("retention", f"an expired file can't be deleted: {exc.strerror}"))
            return False
        self._alarms.clear("retention")
        if removed:
            log.info("videos removed: their time in the archive is over", tasks=removed)
        if files:
            log.info("refused files and copies of the database removed: their time is over", files=files)
        if results:
            log.info("results removed from the database: their time is over", tasks=results)
        if untaken:
            log.warning("notices dropped: their receiver has not taken them in time", notices=untaken)
        return _AT_ONCE in (len(removed), files, len(results)) or lines >= _LINES_AT_ONCE

    def _remove_videos(self, db: Database, seen: Witness) -> list[int]:
        """Delete a few videos, on the database thread, so that no task is reopened meanwhile. A crash leaves
        rows whose file is gone: the next round records that. Raises OSError, StoreError.
        """
        tasks = keeping.expired(db, seen.witnessed, self._keep_s, _AT_ONCE)
        for task in tasks:
            remove_file(Path(task.path), self._state)
        videos.removed(db, [task.id for task in tasks])
        return [task.id for task in tasks]

    def _remove_results(self, db: Database, seen: Witness) -> list[int]:
        """As `_remove_videos`: a few finished tasks with all that is kept of them, and rosters."""
        expiring.begin(db, seen.witnessed)
        until = seen.witnessed - self._results_s
        tasks = expiring.finished(db, until, _AT_ONCE)
        for task in tasks:
            remove_file(Path(task.path), self._state)
        expiring.delete(db, tasks, seen.wall)
        expiring.delete_rosters(db, until, seen.wall)
        return [task.id for task in tasks]

    def _remove_files(self, db: Database, there: Iterable[bytes], seen: Witness) -> int:
        """As `_remove_videos`. A refused file whose claim is open is left: its refusal may be repeated."""
        open_ids = {claim.id for claim in claims.still_open(db)}
        closed = [name for name in there if claim_of(name) not in open_ids]
        names = keeping.expired_files(db, closed, seen.witnessed, seen.witnessed - self._keep_s, _AT_ONCE)
        for name in names:
            remove_file(self._state / os.fsdecode(name), self._state)
        keeping.files_removed(db, names, list(map(claim_of, names)), seen.wall - self._keep_s)
        return len(names)
