"""Retention: archived videos are removed when their time is over, a few at once."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import structlog

from daemon.alarms import Alarms
from daemon.core.errors import StoreError
from daemon.journal import Journal

log = structlog.get_logger()

_AT_ONCE = 8
_GAP_S = 0.2
_EVERY_S = 600.0
_DAY_S = 86_400.0


class Retention:
    """Keeps each video in the archive for `archive_days` after it came there."""

    def __init__(
        self, journal: Journal, archive_days: float, alarms: Alarms, clock: Callable[[], float]
    ) -> None:
        self._journal, self._keep_s = journal, archive_days * _DAY_S
        self._alarms, self._clock = alarms, clock

    async def run(self, stop: asyncio.Event) -> None:
        """Look at the archive again and again until `stop`."""
        while not stop.is_set():
            more = False
            with contextlib.suppress(StoreError):  # told of where the work needs the database
                more = await self._round()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _GAP_S if more else _EVERY_S)

    async def _round(self) -> bool:
        """Remove a few videos. Whether there may be more."""
        try:
            removed = await self._journal(self._remove)
        except OSError as exc:
            told = f"a video whose time is over can't be removed from the archive: {exc.strerror}"
            self._alarms.set("retention", f"{told}; see that the state folder can be written")
            return False
        self._alarms.clear("retention")
        if removed:
            log.info("videos removed: their time in the archive is over", tasks=removed)
        return len(removed) == _AT_ONCE

    def _remove(self) -> list[int]:
        """Called on the database thread, so that no task is taken up again in the middle of it. A crash in
        between leaves rows whose file is gone: the next round comes to the same. Raises OSError, StoreError.
        """
        store = self._journal.store
        tasks = store.expired(self._clock() - self._keep_s, _AT_ONCE)
        for task in tasks:
            Path(task.path).unlink(missing_ok=True)
        store.removed([task.id for task in tasks])
        return [task.id for task in tasks]
