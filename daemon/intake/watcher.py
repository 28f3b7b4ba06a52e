"""The watcher: hints that something may have changed in the inbox. They say when to look, not what is there.

Events come from inotify through watchfiles, which can fail (a name that is not UTF-8), see nothing (the
folder was replaced or mounted over) or be refused (the system's limit of watches). All of that is noticed
here, and leads to a new watch or to polling: a hint every `poll_s` seconds.
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

_DEBOUNCE_MS = 200  # a stream of events delays a hint at most so long
_STEP_MS = 100  # between wake-ups of the watching thread, which at 50 take half of an idle daemon's time
_CHECK_MS = 2_000  # between checks that a quiet watch is still that of the folder
_RETRY_S = (0.2, 1.0, 2.0)  # after the first, the second and each further failure in a row
_ATTEMPTS_TO_FIND = 2  # of the kernel's watch; then events are trusted without it
_EVENT_LATEST_S = 3.0  # after its file; an event that has not come by then will not come
_LIMIT_TEXTS = ("too many open files", "limit reached", "no space left")


class Watching(StrEnum):
    """How the inbox is watched."""

    EVENTS = "events"
    POLLING = "polling"
    NOTHING = "nothing"  # there is no inbox, or the watch is being set up


class Watcher:
    """Watches a folder and those below it. `poll` "auto" polls if no events can come."""

    def __init__(
        self,
        root: Path,
        on_hint: Callable[[], None],
        *,
        poll: Poll = "auto",
        poll_s: float = 2.0,
        mountinfo: Path = MOUNTINFO,
    ) -> None:
        self._root, self._on_hint = root, on_hint
        self._poll, self._poll_s, self._mountinfo = poll, poll_s, mountinfo
        self._end_watch = asyncio.Event()
        self._no_watches_left = False
        self._untold = 0
        self._blind = False
        self._suspicion: tuple[float, int] | None = None  # until when an event is due, and `events` before
        self.events = 0
        self.watching = Watching.NOTHING

    def missed(self) -> None:
        """Poll from now on, unless `poll` is False, since a file came without an event.

        It is the only sign of a share whose file system looks local.
        """
        if not self._blind:
            log.warning("new files cause no events; the inbox is polled from now on", inbox=str(self._root))
        self._blind = True
        self._end_watch.set()

    def doubt(self, events: int | None, now: float) -> None:
        """Notice that files come without events: call it after each look.

        `events` is their number before a look that no event caused and that found new files, else None.
        """
        seeing = self.watching is Watching.EVENTS
        if self._suspicion is not None and now >= self._suspicion[0]:
            if seeing and self.events == self._suspicion[1]:
                self.missed()
            self._suspicion = None
        if seeing and events is not None:
            self._suspicion = now + _EVENT_LATEST_S, events

    def restart(self) -> None:
        """Set up a new watch, since the path has another folder."""
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
        """Give hints while the watch works. Returns the failures in a row, `failures` of them before."""
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
                        self._on_hint()  # files that came before the watch gave no event
                        self._untold = 0 if watch else self._untold + 1
                        if 0 < self._untold <= _ATTEMPTS_TO_FIND:
                            return failures + 1  # the folder was replaced, or its watch can't be found
                    elif changes:
                        self.events += 1
                        self._on_hint()
                    self.watching = Watching.EVENTS
                    failures = 0
                    if not await asyncio.to_thread(self._is_seeing, before, watch):
                        return 0
        except (OSError, RuntimeError, ExceptionGroup) as exc:  # watchfiles raises RuntimeError
            if isinstance(exc, ExceptionGroup) and exc.split((OSError, RuntimeError))[1] is not None:
                raise
            if any(text in repr(exc).lower() for text in _LIMIT_TEXTS):
                self._no_watches_left = True
            return failures + 1
        return 0

    def _is_seeing(self, before: FileIdentity, watch: InotifyWatch | None) -> bool:
        """Whether the watch is still that of the path's folder. Raises OSError if there is none."""
        return identity(self._root) == before and (watch is None or watch.stands())

    async def _must_poll(self) -> bool:
        if self._poll != "auto":
            return self._poll
        if self._no_watches_left or self._blind:
            return True
        return await asyncio.to_thread(is_remote, self._root, self._mountinfo)
