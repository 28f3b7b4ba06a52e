"""Hints that something may have changed in the inbox. They say when to look, never what is there.

Events come from inotify by way of watchfiles, which can die (a name that is no UTF-8), go blind (the
folder was replaced or mounted over) or be refused (the system's limit of watches). All of that is
noticed here, and ends in a new watch or in polling: a hint every `poll_s`.
"""

import asyncio
import contextlib
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Literal

import structlog
from watchfiles import awatch

from daemon.intake.inotify import InotifyWatch, find_watch
from daemon.system.durable import FileIdentity, identity
from daemon.system.mounts import MOUNTINFO, is_remote
from daemon.system.waits import happens, waking

log = structlog.get_logger()

Poll = Literal["auto"] | bool

_DEBOUNCE_MS = 200  # how long a stream of events may hold a hint back
_STEP_MS = 100  # each is a wake-up of the watching thread: at 50 half of what an idle daemon costs
_CHECK_MS = 2_000  # how often a quiet watch is checked to be still that of the folder
_RETRY_S = (0.2, 1.0, 2.0)  # after the first, the second and every further failure in a row
_TRIES_TO_TELL = 2
_LIMIT_TEXTS = ("too many open files", "limit reached", "no space left")


class Watching(StrEnum):
    """How the inbox is watched now."""

    EVENTS = "events"
    POLLING = "polling"
    NOTHING = "nothing"  # there is no inbox, or the watch is being made


class Watcher:
    """Watches one folder and those below it. `poll` "auto" polls where no event can come."""

    def __init__(
        self,
        root: Path,
        on_hint: Callable[[], None],
        *,
        poll: Poll = "auto",
        poll_s: float = 2.0,
        mountinfo: Path = MOUNTINFO,
    ) -> None:
        self._root = root
        self._on_hint = on_hint
        self._poll = poll
        self._poll_s = poll_s
        self._mountinfo = mountinfo
        self._end_watch = asyncio.Event()
        self._no_watches_left = False
        self._untold = 0
        self._blind = False
        self.events = 0
        self.watching = Watching.NOTHING

    def missed(self) -> None:
        """A file came of which no event told, so none will tell of the next: poll, unless told not to.

        A share that calls itself local is known by this alone.
        """
        if not self._blind:
            log.warning("no event tells of new files; the inbox is polled from now on", inbox=str(self._root))
        self._blind = True
        self._end_watch.set()

    def restart(self) -> None:
        """Watch anew: another folder stands there now."""
        self._end_watch.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Give hints until `stop`."""
        failures = 0
        async with waking(stop, self._end_watch.set):
            while not stop.is_set():
                self._end_watch.clear()
                if await self._must_poll():
                    self.watching = Watching.POLLING
                    self._on_hint()
                    await happens(self._end_watch, self._poll_s)
                    continue
                failures = await self._watch(failures)
                self.watching = Watching.NOTHING
                self._on_hint()
                if failures and not stop.is_set():
                    await happens(self._end_watch, _RETRY_S[min(failures, len(_RETRY_S)) - 1])

    async def _watch(self, failures: int) -> int:
        """Hint for as long as the watch holds. The failures in a row, of which `failures` came before."""
        watch: InotifyWatch | None = None
        try:
            before = await asyncio.to_thread(identity, self._root)
            events = awatch(
                self._root,
                watch_filter=None,
                debounce=_DEBOUNCE_MS,
                step=_STEP_MS,
                stop_event=self._end_watch,
                rust_timeout=_CHECK_MS,
                yield_on_timeout=True,
                force_polling=False,
                recursive=True,
                ignore_permission_denied=True,
            )
            async with contextlib.aclosing(events):
                async for changes in events:
                    if self.watching is not Watching.EVENTS:
                        watch = await asyncio.to_thread(find_watch, self._root)
                        self._on_hint()  # what came before the watch stood gave no event
                        self._untold = 0 if watch else self._untold + 1
                        if 0 < self._untold <= _TRIES_TO_TELL:
                            return failures + 1  # the folder was exchanged already, or there is no telling
                    elif changes:
                        self.events += 1
                        self._on_hint()
                    self.watching = Watching.EVENTS
                    failures = 0
                    if not await asyncio.to_thread(self._is_seeing, before, watch):
                        return 0
        except (OSError, RuntimeError, ExceptionGroup) as exc:  # watchfiles' own are of RuntimeError
            if isinstance(exc, ExceptionGroup) and exc.split((OSError, RuntimeError))[1] is not None:
                raise
            if any(text in repr(exc).lower() for text in _LIMIT_TEXTS):
                self._no_watches_left = True
            return failures + 1
        return 0

    def _is_seeing(self, before: FileIdentity, watch: InotifyWatch | None) -> bool:
        """Whether the watch is still of the folder that stands there. Raises OSError when none does."""
        return identity(self._root) == before and (watch is None or watch.stands())

    async def _must_poll(self) -> bool:
        if self._poll != "auto":
            return self._poll
        if self._no_watches_left or self._blind:
            return True
        return await asyncio.to_thread(is_remote, self._root, self._mountinfo)
