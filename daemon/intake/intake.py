"""The intake: watches the inbox, and turns its finished files into tasks.

One loop scans the inbox after a hint, when a file may have settled, and after `rescan_s` seconds. Settled
files wait for their turn, are claimed when there is capacity, and go through the pipeline beside the loop.
"""

import asyncio
import contextlib
import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from daemon.contracts.ports import Media
from daemon.contracts.signal import Signal
from daemon.contracts.values import Born, Claim
from daemon.core.errors import StoreError, two_parts
from daemon.core.intake.stability import Known, SeenFile, observe, restart
from daemon.intake.alarm import IntakeAlarm, IntakeAlarms, shown
from daemon.intake.candidates import Candidates, Choice, loose, orphans
from daemon.intake.claim import Claimer
from daemon.intake.delays import Delays
from daemon.intake.files import Files
from daemon.intake.landed import Settled, Tidied
from daemon.intake.limits import Limits
from daemon.intake.pipeline import Pipeline
from daemon.intake.places import ClaimPaths
from daemon.intake.room import DiskRoom, disk_alarm
from daemon.intake.scan import InboxUnavailable, Scan, Scanner
from daemon.intake.slow import answered
from daemon.intake.watcher import Poll, Watcher, Watching
from daemon.store.session import Session
from daemon.stt.packages import PackageReader
from daemon.system.place import Place
from daemon.system.waits import happens, waking

_ORPHAN_S = 60.0  # in the normal case a claimed file leaves the inbox within seconds
_SHORTEST_GAP_S = 0.05
_GAP_FACTOR, _LONGEST_GAP_S = 4.0, 2.0


class Intake:
    """Claims the videos of one inbox until it is told to stop.

    `born` is sent with new tasks, and with an empty list after refusals, whose reasons are to be delivered.
    `refusals` is sent with refused claims and reasons, `opened` with what became of a deposit, and of whom.
    `on_alarms` is called with all present alarms at each change. `clock` gives seconds since the epoch,
    `ticks` monotonic seconds. Raises OSError when the state folder can't be created.
    """

    def __init__(
        self,
        inbox: Path,
        state: Path,
        *,
        session: Session,
        media: Media,
        on_alarms: Callable[[tuple[IntakeAlarm, ...]], None],
        settle_s: float = 2.0,
        empty_s: float = 300.0,
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
        self._room = DiskRoom(free_bytes or (lambda: shutil.disk_usage(self._state).free), min_free_bytes)
        self._settle_s, self._rescan_s, self._ticks = settle_s, rescan_s, ticks
        self._empty_s = settle_s if limits.done_marker else max(settle_s, empty_s)
        self.born = Signal[[Sequence[Born]]]()
        self.refusals = Signal[[Sequence[tuple[Claim, str]]]]()
        self.opened = Signal[[str, str | None]]()
        self._alarms = IntakeAlarms(on_alarms)
        own, names, marker = limits.ownership, limits.names, limits.done_marker
        self._scanner = Scanner(
            inbox, ignore=ignore, done_marker=marker, place=place, ownership=own, names=names
        )
        self._watcher = Watcher(inbox, self.hint, poll=poll)
        self._candidates = Candidates(inbox, files, rescan_s)
        self._claimer = Claimer(
            inbox,
            ClaimPaths.below(state.absolute()),
            session=session,
            media=media,
            on_born=self.born,
            on_refused=self.refusals,
            on_opened=self.opened,
            packages=PackageReader(self._state / "log" / "media.log", limits.max_size_bytes),
            clock=clock,
            limits=limits,
            files=files,
            room=self._room,
        )
        self._pipeline = Pipeline(self._claimer, self._settled)
        self._known: Mapping[bytes, Known] = {}
        self._hidden: Mapping[bytes, Known] = {}
        self._wake = asyncio.Event()
        self._rested = asyncio.Event()
        self._hinted = True
        self._rests_until = 0.0  # by the loop's clock: no look before it, in spite of hints
        self._look_at = ticks()
        self._settles_at: float | None = None
        self._delays = Delays(ticks)
        self._closed = False
        self.refused = 0

    @property
    def alarms(self) -> tuple[IntakeAlarm, ...]:
        """The present alarms."""
        return self._alarms.all

    @property
    def watching(self) -> Watching:
        """How the inbox is watched at present."""
        return self._watcher.watching

    @property
    def idle(self) -> bool:
        """Whether the last look found nothing more that could be claimed."""
        return self._rested.is_set()

    @property
    def waiting(self) -> int:
        """The number of files that the last look saw and that are not claimed yet."""
        return len(self._known)

    @property
    def available(self) -> bool:
        """Whether the last look could read the inbox."""
        return not any(alarm.code == "inbox_unavailable" for alarm in self.alarms)

    @property
    def polling(self) -> bool:
        """Whether new files cause no events, so that the inbox is polled."""
        return self._watcher.watching is Watching.POLLING

    def hint(self) -> None:
        """Look at the inbox soon, since something may have changed."""
        self._hinted = True
        self._rested.clear()
        self._wake.set()

    def close(self, *, closed: bool) -> None:
        """Stop claiming (True), or claim again (False). Files that were claimed are brought in either way."""
        self._closed = closed
        self.hint()

    async def settle(self) -> None:
        """Wait until a look that began after this call finds nothing more to claim.

        It does not wait for files that can't be claimed (see `alarms`), nor for an inbox that is away.
        """
        self.hint()
        await self._rested.wait()

    async def run(self, stop: asyncio.Event) -> None:
        """Claim files until `stop`. Work that then takes longer is left to the next start."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watcher.run(stop))
            self._pipeline.begin(tasks, stop)
            async with waking(stop, self._wake.set):
                while not stop.is_set():
                    self._wake.clear()
                    await self._look()
                    await self._resume_open()
                    await self._take_ready()
                    self._consider_rest()
                    await self._wait()

    async def _resume_open(self) -> None:
        """Resume the claims that a crash or an error left open, if an attempt is due."""
        if not (self._delays.is_due and self.available):  # away: who knows what would be claimed again?
            return
        self._delays.begin()
        try:
            claims = await self._claimer.open_claims()
        except StoreError as exc:
            self._store_fails(exc)
            return
        self._delays.resume(claims)
        self._pipeline.put(claims)
        self._alarms.put("claims", self._delays.alarms)

    async def _look(self) -> None:
        """Scan the inbox if it is time to, and queue its settled files."""
        if self._look_in() > 0:
            return
        loop = asyncio.get_running_loop()
        began = loop.time()
        # None for a look after a hint: only a timed look can show that events are missing.
        events = None if self._hinted else self._watcher.events
        self._hinted = False
        look = await answered(asyncio.to_thread(self._scanner.scan), lambda: self._scanner.at, self._alarms)
        now = self._ticks()
        self._look_at, self._settles_at = now + self._rescan_s, None
        if isinstance(look, InboxUnavailable):
            path = shown(self._inbox)
            self._alarms.put("inbox", [IntakeAlarm("inbox_unavailable", path, *two_parts(look.message))])
        else:
            await self._see(look, now, events)
        # A slow share, or an inbox of many thousands of files, must not be scanned all the time.
        took = loop.time() - began
        self._rests_until = loop.time() + max(_SHORTEST_GAP_S, took, min(_GAP_FACTOR * took, _LONGEST_GAP_S))

    async def _see(self, look: Scan, now: float, events: int | None) -> None:
        if look.replaced:
            self._watcher.restart()
        is_new = events is not None and any(entry.path not in self._known for entry in look.files)
        self._watcher.doubt(events if is_new else None, now)
        observing = (self._known, look.files, now, self._settle_s, self._empty_s)
        observed = await asyncio.to_thread(observe, *observing)
        self._known, self._settles_at = observed.known, observed.wake_at
        await asyncio.to_thread(self._candidates.replace, observed.ready, self._pipeline.load)
        self._alarms.put("inbox", look.alarms)
        self._alarms.put("names", self._claimer.alarms)
        await self._watch_hidden(look, now)

    async def _watch_hidden(self, look: Scan, now: float) -> None:
        observed = observe(self._hidden, look.hidden, now, _ORPHAN_S)
        self._hidden = observed.known
        with contextlib.suppress(StoreError, OSError):  # reported elsewhere, and retried at the next look
            tidied = await self._claimer.tidy(observed.ready) if observed.ready else Tidied()
            self._alarms.put("orphans", [*orphans(tidied.unknown), *loose(tidied.failed)])

    async def _take_ready(self) -> None:
        """Claim settled files while there is capacity."""
        if self._closed or not await self._has_room():
            return
        while choice := await self._choose(now := self._ticks()):
            if choice.written:  # a program still writes to these: they must settle again
                self._known = restart(self._known, {entry.path for entry in choice.written}, now)
                self._settles_at = min(now + self._settle_s, self._settles_at or math.inf)
            if choice.takeable and not await self._take(choice.takeable):
                break
        self._alarms.put("held", self._candidates.held_open(self._known, self._ticks()))
        self._alarms.put("rights", self._candidates.denied())

    async def _choose(self, now: float) -> Choice | None:
        choosing = asyncio.to_thread(self._candidates.next, self._pipeline.claims, self._delays.claims, now)
        return await answered(choosing, lambda: self._inbox, self._alarms)

    async def _take(self, files: Sequence[SeenFile]) -> bool:
        """Claim these files. Returns whether the database could be written."""
        try:
            taken = await answered(self._claimer.take(files), lambda: self._inbox, self._alarms)
        except StoreError as exc:
            self._store_fails(exc)
            return False
        for entry, error in taken.denied:
            self._candidates.deny(entry, error, self._ticks())
        self._pipeline.put(taken.claims)
        self._alarms.put("names", self._claimer.alarms)
        return True

    def _store_fails(self, exc: StoreError) -> None:
        self._delays.put_all(IntakeAlarm("store", shown(self._inbox), *two_parts(str(exc))))
        self._alarms.put("claims", self._delays.alarms)

    async def _has_room(self) -> bool:
        """Whether the disk of the state folder has enough free space; without it no file is taken."""
        alarm = await asyncio.to_thread(disk_alarm, self._room, self._state)
        self._alarms.put("disk", [alarm] if alarm else [])
        return alarm is None

    def _settled(self, group: Sequence[Claim], settled: Settled) -> None:
        self.refused += settled.refused
        if settled.refused:
            self.born([])
        self._delays.end(claim for claim in group if claim.id not in settled.delayed)
        self._delays.put((claim, settled.delayed[claim.id]) for claim in group if claim.id in settled.delayed)
        self._alarms.put("claims", self._delays.alarms)
        self._wake.set()

    def _consider_rest(self) -> None:
        """Rest if no file is settling or in work: those that wait can't be claimed now."""
        hopeful = self.available and self._delays.is_hopeful
        if not (hopeful or self._settles_at is not None or self._hinted or self._pipeline.claims):
            self._rested.set()

    def _look_in(self) -> float:
        """Seconds until the next look is due."""
        rest_s = self._rests_until - asyncio.get_running_loop().time()
        due_s = min(self._look_at, self._settles_at or math.inf) - self._ticks()
        return max(rest_s, 0.0 if self._hinted else due_s)

    async def _wait(self) -> None:
        """Wait until the next look or attempt is due, or for an event."""
        retry_at = self._delays.retry_at if self.available else None
        retry_s = math.inf if retry_at is None else retry_at - self._ticks()
        await happens(self._wake, max(0.0, min(self._look_in(), retry_s)))
