"""The intake: watches the inbox, and turns what is finished there into tasks.

One loop looks at the inbox whenever a hint came, a file may have settled, or `rescan_s` is over. What is
ready then waits its turn, is claimed as there is capacity, and goes through the pipeline beside the loop.
"""

import asyncio
import contextlib
import math
import shutil
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from daemon.contracts.ports import Media
from daemon.contracts.signal import Signal
from daemon.contracts.values import Born, Claim
from daemon.core.errors import StoreError
from daemon.core.intake.stability import Known, SeenFile, observe, restart
from daemon.intake.alarm import IntakeAlarm, IntakeAlarms, reason_of, shown
from daemon.intake.candidates import Candidates, Choice, loose, orphans
from daemon.intake.claim import Claimer, Limits
from daemon.intake.delays import Delays
from daemon.intake.files import Files
from daemon.intake.landed import Settled, Tidied
from daemon.intake.pipeline import Pipeline
from daemon.intake.places import ClaimPaths
from daemon.intake.room import DiskRoom
from daemon.intake.scan import InboxUnavailable, Scan, Scanner
from daemon.intake.watcher import Poll, Watcher, Watching
from daemon.store.session import Session
from daemon.system.place import Place
from daemon.system.waits import happens, waking

_ORPHAN_S = 60.0  # a claim takes its file out of the inbox within seconds
_SHORTEST_GAP_S = 0.05
_GAP_FACTOR, _LONGEST_GAP_S = 4.0, 2.0
_EVENT_LATEST_S = 3.0  # after the file itself; what comes later comes never
_SLOW_S = 10.0

T = TypeVar("T")


class Intake:
    """Takes videos out of one inbox until told to stop.

    `born` tells of new tasks, and with an empty list of refusals, whose reasons are to be delivered;
    `on_alarms` is told of all alarms that last, whenever they change. `clock` gives seconds since the epoch,
    `ticks` seconds that never go back. Raises OSError when the state folder can't be made.
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
        self._settle_s = settle_s
        self._rescan_s = rescan_s
        self._ticks = ticks
        self.born = Signal[[Sequence[Born]]]()
        self._alarms = IntakeAlarms(on_alarms)
        self._scanner = Scanner(
            inbox, ignore=ignore, done_marker=limits.done_marker, place=place, ownership=limits.ownership
        )
        self._watcher = Watcher(inbox, self.hint, poll=poll)
        self._suspicion: tuple[float, int] | None = None
        self._candidates = Candidates(inbox, files, rescan_s)
        self._claimer = Claimer(
            inbox,
            ClaimPaths.below(state.absolute()),
            session=session,
            media=media,
            on_born=self.born,
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
        self._rests_until = 0.0  # by the loop's clock: no look before, whatever is hinted
        self._look_at = ticks()
        self._settles_at: float | None = None
        self._delays = Delays(ticks)
        self._closed = False
        self.refused = 0

    @property
    def alarms(self) -> tuple[IntakeAlarm, ...]:
        """All that hinders the intake now."""
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
        """Look soon: something may have changed."""
        self._hinted = True
        self._rested.clear()
        self._wake.set()

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
        """Take until `stop`. What takes longer then is left for the next start."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watcher.run(stop))
            self._pipeline.begin(tasks, stop)
            async with waking(stop, self._wake.set):
                while not stop.is_set():
                    self._wake.clear()
                    await self._take_up_open()
                    await self._look()
                    await self._take_ready()
                    self._consider_rest()
                    await self._wait()

    async def _take_up_open(self) -> None:
        """Go on with claims that a crash or an error left open, if it is time to."""
        if not self._delays.is_due:
            return
        self._delays.begin()
        try:
            claims = await self._claimer.open_claims()
        except StoreError as exc:
            self._delays.put_all(IntakeAlarm("store", shown(self._inbox), str(exc)))
            self._alarms.put("claims", self._delays.alarms)
            return
        self._delays.put_all(None)
        inside = {claim.id for claim in self._pipeline.claims}
        self._pipeline.put(claim for claim in claims if claim.id not in inside)
        self._alarms.put("claims", self._delays.alarms)

    async def _look(self) -> None:
        """Look at the inbox, if it is time to: what is ready waits its turn then."""
        if self._look_in() > 0:
            return
        loop = asyncio.get_running_loop()
        began = loop.time()
        # `None` where a hint led to the look: only a timed one can tell that events are missing.
        events = None if self._hinted else self._watcher.events
        self._hinted = False
        look = await self._not_unnoticed(asyncio.to_thread(self._scanner.scan), lambda: self._scanner.at)
        now = self._ticks()
        self._look_at, self._settles_at = now + self._rescan_s, None
        if isinstance(look, InboxUnavailable):
            self._alarms.put("inbox", [IntakeAlarm("inbox_unavailable", shown(self._inbox), look.message)])
        else:
            await self._see(look, now, events)
        # A share where a look takes seconds is not looked at all the time, nor is an inbox of many thousands.
        took = loop.time() - began
        self._rests_until = loop.time() + max(_SHORTEST_GAP_S, took, min(_GAP_FACTOR * took, _LONGEST_GAP_S))

    async def _see(self, look: Scan, now: float, events: int | None) -> None:
        if look.replaced:
            self._watcher.restart()
        self._doubt_events(look, now, events)
        observed = await asyncio.to_thread(observe, self._known, look.files, now, self._settle_s)
        self._known, self._settles_at = observed.known, observed.wake_at
        await asyncio.to_thread(self._candidates.replace, observed.ready, self._pipeline.load)
        self._alarms.put("inbox", look.alarms)
        await self._watch_hidden(look, now)

    def _doubt_events(self, look: Scan, now: float, events: int | None) -> None:
        """Notice that files come of which no event tells: found by a timed look, and still untold later."""
        seeing = self._watcher.watching is Watching.EVENTS
        if self._suspicion is not None and now >= self._suspicion[0]:
            if seeing and self._watcher.events == self._suspicion[1]:
                self._watcher.missed()
            self._suspicion = None
        if seeing and events is not None and any(entry.path not in self._known for entry in look.files):
            self._suspicion = now + _EVENT_LATEST_S, events

    async def _watch_hidden(self, look: Scan, now: float) -> None:
        observed = observe(self._hidden, look.hidden, now, _ORPHAN_S)
        self._hidden = observed.known
        with contextlib.suppress(StoreError, OSError):  # told of elsewhere, and tried at the next look
            tidied = await self._claimer.tidy(observed.ready) if observed.ready else Tidied()
            self._alarms.put("orphans", [*orphans(tidied.unknown), *loose(tidied.failed)])

    async def _take_ready(self) -> None:
        """Claim of the settled files what there is room for in work."""
        if self._closed or not await self._has_room():
            return
        while choice := await self._choose(now := self._ticks()):
            if choice.written:  # somebody still writes to these: they settle anew
                self._known = restart(self._known, {entry.path for entry in choice.written}, now)
                self._settles_at = min(now + self._settle_s, self._settles_at or math.inf)
            if choice.takeable and not await self._take(choice.takeable):
                break
        self._alarms.put("held", self._candidates.held_open(self._known, self._ticks()))
        self._alarms.put("rights", self._candidates.denied())

    async def _choose(self, now: float) -> Choice | None:
        choosing = asyncio.to_thread(self._candidates.next, self._pipeline.claims, self._delays.claims, now)
        return await self._not_unnoticed(choosing, lambda: self._inbox)

    async def _not_unnoticed(self, work: Coroutine[Any, Any, T], where: Callable[[], Path]) -> T:
        """Wait for work on the inbox; while it takes long, with an alarm that says where it is."""
        working, is_slow = asyncio.create_task(work), False
        try:
            while not (await asyncio.wait({working}, timeout=_SLOW_S))[0]:
                path, is_slow = shown(where()), True
                told = f"the inbox has not answered for more than {_SLOW_S:.0f} s, now at {path}"
                fix = "see that its disk or share answers, and whose file system may be mounted there"
                self._alarms.put("slow", [IntakeAlarm("inbox_slow", path, f"{told}; {fix}")])
            return working.result()
        finally:
            working.cancel()
            if is_slow:
                self._alarms.put("slow", [])

    async def _take(self, files: Sequence[SeenFile]) -> bool:
        """Claim these. Whether the database could be written."""
        try:
            taken = await self._not_unnoticed(self._claimer.take(files), lambda: self._inbox)
        except StoreError as exc:
            self._delays.put_all(IntakeAlarm("store", shown(self._inbox), str(exc)))
            self._alarms.put("claims", self._delays.alarms)
            return False
        for entry, error in taken.denied:
            self._candidates.deny(entry, error, self._ticks())
        self._pipeline.put(taken.claims)
        return True

    async def _has_room(self) -> bool:
        """Whether the disk of the state folder has room for more; else nothing is taken until it has."""
        try:
            lacking = await asyncio.to_thread(self._room.lacking)
        except OSError as exc:
            message = f"{self._state} cannot be looked at: {reason_of(exc)}; no video is taken until it can"
            self._alarms.put("disk", [IntakeAlarm("disk_low", str(self._state), message)])
            return False
        if not lacking:
            self._alarms.put("disk", [])
            return True
        told = f"the disk of {self._state} lacks {lacking / 1e6:.0f} MB of what is to stay free"
        message = f"{told}: no video is taken until there is room; delete what is not needed on that disk"
        self._alarms.put("disk", [IntakeAlarm("disk_low", str(self._state), message)])
        return False

    def _settled(self, group: Sequence[Claim], settled: Settled) -> None:
        self.refused += settled.refused
        if settled.refused:
            self.born([])
        self._delays.end(claim for claim in group if claim.id not in settled.delayed)
        self._delays.put((claim, settled.delayed[claim.id]) for claim in group if claim.id in settled.delayed)
        self._alarms.put("claims", self._delays.alarms)
        self._wake.set()

    def _consider_rest(self) -> None:
        """Rest once nothing settles and nothing is in work: what waits then can't be taken now."""
        waits = self._settles_at is not None or self._delays.is_hopeful
        if not (waits or self._hinted or self._pipeline.claims):
            self._rested.set()

    def _look_in(self) -> float:
        """Seconds until the next look is due."""
        rest_s = self._rests_until - asyncio.get_running_loop().time()
        due_s = min(self._look_at, self._settles_at or math.inf) - self._ticks()
        return max(rest_s, 0.0 if self._hinted else due_s)

    async def _wait(self) -> None:
        """Until the next look or retry is due, or something has happened."""
        retry_at = self._delays.retry_at
        retry_s = math.inf if retry_at is None else retry_at - self._ticks()
        await happens(self._wake, max(0.0, min(self._look_in(), retry_s)))
