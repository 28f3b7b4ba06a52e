"""The pipeline: fetches claimed files, each at its own pace, and settles them in groups.

A few files are fetched at a time, students and accounts in turn, so that a large or slow file delays nobody
else's. Fetched files are settled together: a burst takes few transactions, and a single file does not wait.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence

from daemon.contracts.values import Claim
from daemon.core.errors import StoreError, two_parts
from daemon.core.intake.turns import InWork, next_in_turn
from daemon.intake.alarm import IntakeAlarm, reason_of, shown
from daemon.intake.claim import Claimer
from daemon.intake.files import CopyInterrupted
from daemon.intake.landed import Landed, Settled
from daemon.system.waits import happens

_GROUP = 64
_LINGER_S = 0.5  # a fetched file waits so long for others, while any is being fetched
_GRACE_S = 2.0  # after a stop; work that takes longer is left to the next start


class Pipeline:
    """The claims between inbox and tasks. `on_settled` is called with each group and its outcome."""

    def __init__(self, claimer: Claimer, on_settled: Callable[[Sequence[Claim], Settled], None]) -> None:
        self._claimer = claimer
        self._on_settled = on_settled
        self._tasks: asyncio.TaskGroup
        self._waiting: list[Claim] = []
        self._fetching: dict[asyncio.Task[None], Claim] = {}
        self._landed: list[Landed] = []
        self._settling: Sequence[Landed] = ()
        self._ready = asyncio.Event()
        self._halted = False

    @property
    def claims(self) -> list[Claim]:
        """All claims in the pipeline."""
        landed = [each.claim for each in (*self._landed, *self._settling)]
        return [*self._waiting, *self._fetching.values(), *landed]

    @property
    def load(self) -> InWork:
        """The claims in the pipeline, counted by account and student."""
        return InWork.of(self.claims)

    def put(self, claims: Iterable[Claim]) -> None:
        """Add claims that are not in the pipeline already."""
        inside = {claim.id for claim in self.claims}
        self._waiting += [claim for claim in claims if claim.id not in inside]
        self._fill()

    def begin(self, tasks: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        """Start to work in a task group, until 2 s after `stop`."""
        self._tasks = tasks
        tasks.create_task(self._run())
        tasks.create_task(self._halt_at(stop))

    async def _run(self) -> None:
        while not self._halted or self._fetching or self._landed:
            await self._ready.wait()
            self._ready.clear()
            if self._landed:
                await self._linger()
                await self._settle()

    def _fill(self) -> None:
        while self._waiting and not self._halted:
            claim = next_in_turn(self._waiting, InWork.of(self._fetching.values()))
            if claim is None:
                return
            self._waiting.remove(claim)
            task = self._tasks.create_task(self._fetch(claim))
            self._fetching[task] = claim
            task.add_done_callback(self._fetched)

    async def _fetch(self, claim: Claim) -> None:
        with contextlib.suppress(CopyInterrupted):  # the claim stays open, and the next start resumes it
            landed = await self._claimer.fetch(claim, lambda: self._halted)
            self._landed.append(landed)

    def _fetched(self, task: asyncio.Task[None]) -> None:
        del self._fetching[task]
        self._ready.set()
        self._fill()

    async def _linger(self) -> None:
        """Wait for more files to settle together, if any is being fetched."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _LINGER_S
        while self._fetching and len(self._landed) < _GROUP and loop.time() < until:
            if await happens(self._ready, until - loop.time()):
                self._ready.clear()

    async def _settle(self) -> None:
        self._settling, self._landed = self._landed[:_GROUP], self._landed[_GROUP:]
        if self._landed:
            self._ready.set()
        try:
            settled = await self._claimer.settle(self._settling)
        except StoreError as exc:
            settled = self._all_delayed(IntakeAlarm("store", "the database", *two_parts(str(exc))))
        except OSError as exc:
            path = shown(exc.filename) if isinstance(exc.filename, bytes) else "the state folder"
            told = f"{path} cannot be written: {reason_of(exc)}"
            settled = self._all_delayed(IntakeAlarm("not_written", path, told))
        group, self._settling = [each.claim for each in self._settling], ()
        self.put(settled.more)
        self._on_settled(group, settled)

    def _all_delayed(self, alarm: IntakeAlarm) -> Settled:
        return Settled(delayed={each.claim.id: alarm for each in self._settling})

    async def _halt_at(self, stop: asyncio.Event) -> None:
        """Start nothing new after `stop`, and cancel what takes longer than 2 s."""
        await stop.wait()
        self._halted = True
        self._waiting.clear()
        self._ready.set()
        if self._fetching:
            await asyncio.wait(self._fetching, timeout=_GRACE_S)
        for task in self._fetching:
            task.cancel()
