"""The intake: watches the inbox, and turns what is finished there into tasks.

One loop looks at the inbox whenever a hint came, a file may have settled, or `rescan_s` is over, and
takes what is ready. What was taken is brought in, hashed, probed and born beside it, at most two groups
at a time, so that a burst is worked off while the next look happens.
"""

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from daemon.core.errors import StoreError
from daemon.core.stability import Known, Observation, Seen, observe, restart
from daemon.intake.alarm import Alarm, Alarms, reason_of, shown
from daemon.intake.candidates import Candidates, held_open, orphans
from daemon.intake.claim import Claimer, Limits, OnDatabase
from daemon.intake.files import Files
from daemon.intake.places import Places
from daemon.intake.scan import InboxUnavailable, Scan, Scanner
from daemon.intake.watcher import Poll, Watcher, Watching
from daemon.place import Place
from daemon.ports import Media, Store
from daemon.values import Born, Claim

GROUP = 64
_GROUPS_AT_ONCE = 2
_ORPHAN_S = 60.0  # a claim takes its file out of the inbox within seconds
_SHORTEST_GAP_S = 0.05
_LONGEST_RETRY_S = 60.0
_TRIES_BEFORE_REST = 3
_EVENT_LATEST_S = 3.0  # after the file itself; what comes later comes never


class Intake:
    """Takes videos out of one inbox until told to stop.

    `on_born` is told of new tasks, and with an empty list of refusals, whose reasons are to be delivered;
    `on_alarms` of all alarms that last, whenever they change. `clock` gives seconds since the epoch,
    `ticks` seconds that never go back. Raises OSError when the state folder can't be made.
    """

    def __init__(
        self,
        inbox: Path,
        state: Path,
        *,
        store: Store,
        on_database: OnDatabase,
        media: Media,
        on_born: Callable[[Sequence[Born]], None],
        on_alarms: Callable[[tuple[Alarm, ...]], None],
        settle_s: float = 2.0,
        rescan_s: float = 30.0,
        poll: Poll = "auto",
        ignore: Sequence[str] = (),
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
        files: Files | None = None,
        min_free_bytes: int = 0,
        free_bytes: Callable[[], int] | None = None,
        place: Place | None = None,
    ) -> None:
        inbox, limits, files = inbox.absolute(), limits or Limits(), files or Files()
        self._inbox = inbox
        self._state = state.absolute()
        self._min_free_bytes = min_free_bytes
        self._free_bytes = free_bytes or (lambda: shutil.disk_usage(self._state).free)
        self._settle_s = settle_s
        self._rescan_s = rescan_s
        self._ticks = ticks
        self._on_born = on_born
        self._alarms = Alarms(on_alarms)
        self._scanner = Scanner(inbox, ignore=ignore, done_marker=limits.done_marker, place=place)
        self._watcher = Watcher(inbox, self.hint, poll=poll)
        self._suspicion: tuple[float, int] | None = None
        self._candidates = Candidates(files, rescan_s)
        self._claimer = Claimer(
            inbox,
            Places.below(state.absolute()),
            store=store,
            on_database=on_database,
            media=media,
            on_born=on_born,
            clock=clock,
            limits=limits,
            files=files,
        )
        self._known: Mapping[bytes, Known] = {}
        self._hidden: Mapping[bytes, Known] = {}
        self._groups: set[asyncio.Task[None]] = set()
        self._hinted = asyncio.Event()
        self._rested = asyncio.Event()
        self._nothing_settles = False
        self._gap_s = _SHORTEST_GAP_S
        self._recover_at: float | None = ticks()
        self._recoveries = 0
        self._closed = False
        self.refused = 0

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """What hinders the intake now."""
        return self._alarms.all

    @property
    def watching(self) -> Watching:
        """How the inbox is watched now."""
        return self._watcher.watching

    @property
    def idle(self) -> bool:
        """Whether, at the last look, there was nothing left that could be taken."""
        return self._rested.is_set()

    @property
    def waiting(self) -> int:
        """How many files were seen at the last look and are not claimed yet."""
        return len(self._known)

    @property
    def available(self) -> bool:
        """Whether the inbox could be read at the last look."""
        return not any(alarm.code == "inbox_unavailable" for alarm in self.alarms)

    @property
    def polling(self) -> bool:
        """Whether no event tells of new files, so that they are looked for."""
        return self._watcher.watching is Watching.POLLING

    def hint(self) -> None:
        """Something may have changed: look soon."""
        self._hinted.set()
        self._rested.clear()

    def close(self, *, closed: bool) -> None:
        """Take nothing new, or take again what waits; what was taken is brought in either way."""
        self._closed = closed
        self.hint()

    async def settle(self) -> None:
        """Wait until a look that began after this call finds nothing more to take.

        What can't be taken (see `alarms`) is not waited for, and neither is an inbox that is away.
        """
        self.hint()
        await self._rested.wait()

    async def run(self, stop: asyncio.Event) -> None:
        """Take until `stop`, then finish what was taken."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watcher.run(stop))
            stopper = tasks.create_task(self._wake_for(stop))
            while not stop.is_set():
                if self._recover_at is not None and self._recover_at <= self._ticks():
                    await self._recover()
                events = None if self._hinted.is_set() else self._watcher.events
                self._hinted.clear()
                self._nothing_settles = False
                wake_at = await self._look(tasks, events)
                self._nothing_settles = wake_at is None
                if self._recover_at is None:
                    self._recoveries = 0
                    self._alarms.put("claims", [])
                self._consider_rest()
                await self._wait(stop, wake_at)
            stopper.cancel()

    async def _look(self, tasks: asyncio.TaskGroup, events: int | None) -> float | None:
        """Look once and take what is ready. When the next file may have settled, if one is to.

        `events` is how many had come when this look began, None where a hint led to it.
        """
        began = time.monotonic()
        look = await asyncio.to_thread(self._scanner.scan)
        # A share where a look takes seconds is not looked at all the time.
        self._gap_s = max(_SHORTEST_GAP_S, time.monotonic() - began)
        if isinstance(look, InboxUnavailable):
            self._alarms.put("inbox", [Alarm("inbox_unavailable", shown(self._inbox), look.message)])
            return None
        if look.replaced:
            self._watcher.restart()
        now = self._ticks()
        self._doubt_events(look, now, events)
        observed = observe(self._known, look.files, now, self._settle_s)
        choice = await asyncio.to_thread(self._candidates.choose, observed.ready, now)
        self._known = restart(observed.known, {entry.path for entry in choice.written}, now)
        self._alarms.put("inbox", [*look.alarms, *held_open(choice.written, self._known, now)])
        await self._watch_hidden(look, now)
        if not self._closed and await self._has_room():
            await self._take(choice.takeable, tasks)
        self._alarms.put("rights", self._candidates.alarms())
        return self._next_look(observed, bool(choice.written), now)

    def _doubt_events(self, look: Scan, now: float, events: int | None) -> None:
        """Notice that files come of which no event tells: found by a timed look, and still untold later."""
        seeing = self._watcher.watching is Watching.EVENTS
        if self._suspicion is not None and now >= self._suspicion[0]:
            if seeing and self._watcher.events == self._suspicion[1]:
                self._watcher.missed()
            self._suspicion = None
        if seeing and events is not None and any(entry.path not in self._known for entry in look.files):
            self._suspicion = now + _EVENT_LATEST_S, events

    async def _has_room(self) -> bool:
        """Whether the disk of the state folder has room for more; else nothing is taken until it has."""
        try:
            free = await asyncio.to_thread(self._free_bytes)
        except OSError as exc:
            message = f"{self._state} cannot be looked at: {reason_of(exc)}; no video is taken until it can"
            self._alarms.put("disk", [Alarm("disk_low", str(self._state), message)])
            return False
        if free >= self._min_free_bytes:
            self._alarms.put("disk", [])
            return True
        told = f"{self._state} has {free / 1e6:.0f} MB free, and {self._min_free_bytes / 1e6:.0f} are kept"
        message = f"{told}: no video is taken until there is room; delete what is not needed on that disk"
        self._alarms.put("disk", [Alarm("disk_low", str(self._state), message)])
        return False

    def _next_look(self, observed: Observation, is_written: bool, now: float) -> float | None:
        if not is_written:
            return observed.wake_at
        again = now + self._settle_s
        return again if observed.wake_at is None else min(again, observed.wake_at)

    async def _watch_hidden(self, look: Scan, now: float) -> None:
        observed = observe(self._hidden, look.hidden, now, _ORPHAN_S)
        self._hidden = observed.known
        with contextlib.suppress(StoreError):  # told of elsewhere
            ours = await self._claimer.open_names() if observed.ready else frozenset[bytes]()
            forgotten = [entry for entry in observed.ready if entry.path not in ours]
            self._alarms.put("orphans", orphans(forgotten))

    async def _take(self, files: Sequence[Seen], tasks: asyncio.TaskGroup) -> None:
        for start in range(0, len(files), GROUP):
            while len(self._groups) >= _GROUPS_AT_ONCE:
                await asyncio.wait(self._groups, return_when=asyncio.FIRST_COMPLETED)
            try:
                taken = await self._claimer.take(files[start : start + GROUP])
            except StoreError as exc:
                self._put_off([Alarm("store", shown(self._inbox), str(exc))])
                return
            for entry, error in taken.denied:
                self._candidates.deny(entry, error, self._ticks())
            if taken.claims:
                group = tasks.create_task(self._finish(taken.claims))
                self._groups.add(group)
                group.add_done_callback(self._end_group)

    async def _finish(self, claims: Sequence[Claim] | None) -> None:
        """Bring a group in, or with None every claim that stands open."""
        try:
            finished = await (self._claimer.recover() if claims is None else self._claimer.finish(claims))
        except StoreError as exc:
            self._put_off([Alarm("store", shown(self._inbox), str(exc))])
        except OSError as exc:
            path = shown(os.fsencode(exc.filename)) if exc.filename else "the state folder"
            mend = "see that it can be written and has room"
            self._put_off([Alarm("claim_waits", path, f"{path}: {reason_of(exc)}; {mend}")])
        else:
            self.refused += finished.refused
            if finished.refused:
                self._on_born([])
            if finished.alarms:
                self._put_off(finished.alarms)

    def _end_group(self, group: asyncio.Task[None]) -> None:
        self._groups.discard(group)
        self._consider_rest()

    async def _recover(self) -> None:
        """Finish what a crash or an error left open, once no group is in work."""
        if self._groups:
            await asyncio.wait(self._groups)
        self._recover_at = None
        await self._finish(None)

    def _put_off(self, alarms: Sequence[Alarm]) -> None:
        """Claims stay open: finish them later, ever more rarely."""
        self._alarms.put("claims", alarms)
        self._recover_at = self._ticks() + min(2.0**self._recoveries, _LONGEST_RETRY_S)
        self._recoveries += 1
        self.hint()

    def _consider_rest(self) -> None:
        stuck = self._recoveries >= _TRIES_BEFORE_REST
        recovering = self._recover_at is not None and not stuck
        if self._nothing_settles and not self._groups and not recovering and not self._hinted.is_set():
            self._rested.set()

    async def _wait(self, stop: asyncio.Event, wake_at: float | None) -> None:
        """Until the next look is due. After a hint not at once, so that a stream of them costs little."""
        now = self._ticks()
        times = [now + self._rescan_s, *(at for at in (wake_at, self._recover_at) if at is not None)]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hinted.wait(), max(0.0, min(times) - now))
            await asyncio.wait_for(stop.wait(), self._gap_s)

    async def _wake_for(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.hint()
