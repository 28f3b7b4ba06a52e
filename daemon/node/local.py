"""The node of this machine: loads one group at a time, and refuses work for any other.

The scheduler never asks for two groups at once; this is the second guard. A switch first stops every engine
of the other groups, also those that look stopped, since an earlier daemon may have left one. Each engine's
`stop` returns only once it is verified gone, so the order of the calls in `ensure` is the exclusion.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from daemon.contracts.ledger import Ledger
from daemon.contracts.ports import Engine, Extractor, MemoryGuard, Rater, Transcriber
from daemon.contracts.values import (
    ExtractWork,
    Failed,
    NodeState,
    OnProgress,
    Provenance,
    RateWork,
    StageOutcome,
    SttWork,
)
from daemon.contracts.wire.status import EngineReport
from daemon.core.errors import Blame, EngineError, ExclusionError
from daemon.core.schedule.phase_state import Group
from daemon.core.tasks.task import Stage

W = TypeVar("W", SttWork, ExtractWork, RateWork)


class LocalNode:
    """Implements `ports.Node` on engines of this machine."""

    def __init__(
        self,
        transcriber: Transcriber,
        extractor: Extractor,
        rater: Rater,
        progress: OnProgress,
        guard: MemoryGuard | None = None,
    ) -> None:
        self._transcriber, self._extractor, self._rater = transcriber, extractor, rater
        self._engines: Mapping[Stage, Engine] = {e.stage: e for e in (transcriber, extractor, rater)}
        self._progress = progress
        self._guard = guard
        self._group: Group | None = None
        self._broken: set[Stage] = set()  # blamed for a fault since their last start
        self._in_flight = 0
        self._switch = asyncio.Lock()

    async def observe(self) -> NodeState:
        """The loaded group and the running engines; a group with a blamed engine is not loaded."""
        alive = frozenset(stage for stage, engine in self._engines.items() if engine.alive)
        sound = self._group is not None and self._group <= alive and not self._broken & self._group
        return NodeState(self._group if sound else None, alive)

    def reports(self) -> list[EngineReport]:
        """Each engine as the operator sees it, in the order of the stages."""
        return [self._engines[stage].report() for stage in Stage]

    def identity(self, stage: Stage) -> Provenance:
        """The identity of a stage's engine, as in `Engine`."""
        return self._engines[stage].identity()

    async def ensure(self, group: Group | None, *, fresh: bool = False) -> Ledger:
        """Stop all other groups, verify that they and their memory are gone, then start `group` and prove it.

        Raises EngineError when an engine does not stop or start; then no group is loaded. Raises
        ExclusionError while attempts are running.
        """
        async with self._switch:
            if self._in_flight:
                raise ExclusionError(f"a switch was requested while {self._in_flight} attempts run")
            self._group = None
            wanted = group or frozenset()
            keep = frozenset() if fresh else wanted - self._broken
            if self._guard is not None:
                await self._guard.measure()
            await _all_of(engine.stop() for stage, engine in self._engines.items() if stage not in keep)
            self._broken.clear()
            starting = {s for s in wanted if not self._engines[s].alive}
            ledger = Ledger()
            if self._guard is not None and starting:
                ledger = await self._guard.clear(frozenset(starting))
            try:
                await _all_of(self._engines[s].start() for s in sorted(starting))
            except EngineError:
                await _all_of(self._engines[stage].stop() for stage in wanted)
                raise
            self._group = group
            return ledger

    def transcribe(self, tasks: Sequence[SttWork]) -> AsyncIterator[StageOutcome]:
        """Transcribe: one outcome for each task, as they end."""
        return self._stream(Stage.STT, tasks, self._transcriber.transcribe)

    def extract(self, tasks: Sequence[ExtractWork]) -> AsyncIterator[StageOutcome]:
        """Read the forms: one outcome for each task, as they end."""
        return self._stream(Stage.EXTRACT, tasks, self._extractor.extract)

    def rate(self, tasks: Sequence[RateWork]) -> AsyncIterator[StageOutcome]:
        """Rate: one outcome for each task, as they end."""
        return self._stream(Stage.RATE, tasks, self._rater.rate)

    async def aclose(self) -> None:
        """Stop every engine. Raises EngineError."""
        await self.ensure(None)

    async def _stream(
        self, stage: Stage, works: Sequence[W], attempt: Callable[[W, OnProgress], Awaitable[StageOutcome]]
    ) -> AsyncIterator[StageOutcome]:
        if self._group is None or stage not in self._group or self._switch.locked():
            raise ExclusionError(f"{stage} was asked for work while {_shown(self._group)} is loaded")
        self._in_flight += len(works)
        attempts = [asyncio.ensure_future(attempt(work, self._progress)) for work in works]
        try:
            for done in asyncio.as_completed(attempts):
                outcome = await done
                if isinstance(outcome, Failed) and outcome.fault.blame is Blame.ENGINE:
                    self._broken.add(stage)
                yield outcome
        finally:
            for running in attempts:
                running.cancel()
            try:
                await asyncio.gather(*attempts, return_exceptions=True)
            finally:  # a cancellation may come here, too
                self._in_flight -= len(works)


async def _all_of(steps: Iterable[Awaitable[None]]) -> None:
    """Run all at once and wait for all, also when one fails. Raises the first EngineError."""
    for ended in await asyncio.gather(*steps, return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended


def _shown(group: Group | None) -> str:
    return "+".join(sorted(group)) if group else "nothing"
