"""Retention: what is kept for a time is deleted when that is over, a few files at once.

These are the archived videos, the refused files, and the copies of the database made before updates. The
time is counted as `daemon.core.keeping.witness` has it: nothing is deleted because a clock alone asks for it.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog

from daemon.core.errors import StoreError
from daemon.core.keeping.witness import Reading, Witness, complaint
from daemon.monitoring.alarms import Alarms
from daemon.store import claims, keeping, videos
from daemon.store.database import Database
from daemon.store.session import Session
from daemon.system.shelves import claim_of, loose_files, remove_file
from daemon.system.waits import happens

log = structlog.get_logger()

_AT_ONCE = 8
_GAP_S = 0.2
_EVERY_S = 600.0
_DAY_S = 86_400.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def read_clocks() -> Reading:
    """Both clocks now."""
    try:
        boot = _BOOT_ID.read_text().strip()
    except OSError:  # a sandbox that has no such file
        boot = ""
    return Reading(time.time(), boot, time.clock_gettime(time.CLOCK_BOOTTIME))


class Retention:
    """Keeps files for `archive_days`: a video from when it came into the archive."""

    def __init__(
        self,
        session: Session,
        archive_days: float,
        state: Path,
        alarms: Alarms,
        clocks: Callable[[], Reading],
    ) -> None:
        self._session, self._keep_s, self._state = session, archive_days * _DAY_S, state
        self._alarms, self._clocks = alarms, clocks

    async def run(self, stop: asyncio.Event) -> None:
        """Look at what is kept again and again until `stop`."""
        while not stop.is_set():
            more = False
            with contextlib.suppress(StoreError):  # told of where the work needs the database
                more = await self._round()
            await happens(stop, _GAP_S if more else _EVERY_S)

    async def _round(self) -> bool:
        """Delete a few files. Whether there may be more."""
        seen = await self._session(keeping.witness, self._clocks())
        self._alarms.on("clock", complaint(seen))
        try:
            removed = await self._session(self._remove_videos, seen)
            there = await asyncio.to_thread(loose_files, self._state)
            files = await self._session(self._remove_files, there, seen)
        except OSError as exc:
            told = f"a file whose time is over can't be deleted: {exc.strerror}"
            self._alarms.set("retention", f"{told}; see that the state folder can be written")
            return False
        self._alarms.clear("retention")
        if removed:
            log.info("videos removed: their time in the archive is over", tasks=removed)
        if files:
            log.info("refused files and copies of the database removed: their time is over", files=files)
        return _AT_ONCE in (len(removed), files)

    def _remove_videos(self, db: Database, seen: Witness) -> list[int]:
        """Called on the database thread, so that no task is taken up again in the middle of it. A crash in
        between leaves rows whose file is gone: the next round comes to the same. Raises OSError, StoreError.
        """
        tasks = keeping.expired(db, seen.witnessed - self._keep_s, _AT_ONCE)
        for task in tasks:
            remove_file(Path(task.path), self._state)
        videos.removed(db, [task.id for task in tasks])
        return [task.id for task in tasks]

    def _remove_files(self, db: Database, there: Iterable[bytes], seen: Witness) -> int:
        """As `_remove_videos`. A refused file whose claim is not closed yet may be wanted again."""
        open_ids = {claim.id for claim in claims.still_open(db)}
        closed = [name for name in there if claim_of(name) not in open_ids]
        names = keeping.expired_files(db, closed, seen.witnessed, seen.witnessed - self._keep_s, _AT_ONCE)
        for name in names:
            remove_file(self._state / os.fsdecode(name), self._state)
        keeping.files_removed(db, names, list(map(claim_of, names)), seen.wall - self._keep_s)
        return len(names)
