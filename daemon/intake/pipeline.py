"""Brings claimed files in, each at its own pace, and has those that are in settled in groups.

Files are fetched a few at a time, students and accounts in turn, so that what is large or slow to read
holds up nobody else's. What was fetched is settled together with what else is ready: a burst costs few
transactions, and a lone file never waits.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence

from daemon.contracts.values import Claim
from daemon.core.errors import StoreError
from daemon.core.intake.turns import InWork, next_in_turn
from daemon.intake.alarm import IntakeAlarm, reason_of, shown
from daemon.intake.claim import Claimer
from daemon.intake.files import CopyInterrupted
from daemon.intake.landed import Landed, Settled
from daemon.system.waits import happens

_GROUP = 64
_LINGER_S = 0.5  # how long what is ready waits for more
_GRACE_S = 2.0  # after a stop: what takes longer is left for the next start


class Pipeline:
    """All that is between the inbox and the tasks. `on_settled` is told of each group and what came of it."""

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
        """Every claim that is in here."""
        landed = [each.claim for each in (*self._landed, *self._settling)]
        return [*self._waiting, *self._fetching.values(), *landed]

    @property
    def load(self) -> InWork:
        """Whose files are in here."""
        return InWork.of(self.claims)

    def put(self, claims: Iterable[Claim]) -> None:
        """Take these in. None of them may be in here already."""
        self._waiting += claims
        self._fill()

    def begin(self, tasks: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        """Begin to work in a group of tasks, until `stop` and what is done within moments of it."""
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
        with contextlib.suppress(CopyInterrupted):  # it stays open, and the next start goes on with it
            landed = await self._claimer.fetch(claim, lambda: self._halted)
            self._landed.append(landed)

    def _fetched(self, task: asyncio.Task[None]) -> None:
        del self._fetching[task]
        self._ready.set()
        self._fill()

    async def _linger(self) -> None:
        """Wait for more to settle at once, if there is more to come."""
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
            settled = self._all_delayed(str(exc), "the database")
        except OSError as exc:
            path = shown(exc.filename) if isinstance(exc.filename, bytes) else "the state folder"
            told = f"{path}: {reason_of(exc)}; see that it can be written and has room"
            settled = self._all_delayed(told, path)
        group, self._settling = [each.claim for each in self._settling], ()
        self._on_settled(group, settled)

    def _all_delayed(self, message: str, path: str) -> Settled:
        alarm = IntakeAlarm("claim_waits", path, message)
        return Settled(delayed={each.claim.id: alarm for each in self._settling})

    async def _halt_at(self, stop: asyncio.Event) -> None:
        """Begin nothing new; leave what is not done within moments."""
        await stop.wait()
        self._halted = True
        self._waiting.clear()
        self._ready.set()
        if self._fetching:
            await asyncio.wait(self._fetching, timeout=_GRACE_S)
        for task in self._fetching:
            task.cancel()
