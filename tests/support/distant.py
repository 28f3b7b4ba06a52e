"""The node of another machine in this process: scripted engines, and a moment at which all of it is gone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from daemon.contracts.ledger import Ledger
from daemon.contracts.ports import Node
from daemon.contracts.values import (
    ExtractWork,
    NodePlan,
    NodeState,
    Provenance,
    RateWork,
    StageOutcome,
    SttWork,
)
from daemon.contracts.wire.status import EngineReport
from daemon.core.errors import NodeGone
from daemon.core.schedule.phase_state import Group
from daemon.core.tasks.task import Stage
from daemon.node import LocalNode
from tests.support.scripted import Log, Script, ScriptedEngine, goes_well

V = TypeVar("V")


@dataclass
class Distant:
    """Implements `ports.Lender`. After `go`, all that was asked and is asked of it raises NodeGone."""

    seconds: float = 0.0
    start_seconds: float = 0.0
    script: Script = goes_well
    log: Log = field(default_factory=Log)
    plan: NodePlan | None = None
    engine: type[ScriptedEngine] = ScriptedEngine

    def __post_init__(self) -> None:
        stt, extract, rate = (
            self.engine(stage, self.log, self.seconds, self.script, start_seconds=self.start_seconds)
            for stage in Stage
        )
        self._node: Node = LocalNode(stt, extract, rate, lambda ticket, done: None)
        self._gone = asyncio.Event()
        self.starting = 0  # how often it was asked to load something

    def go(self) -> None:
        """Be gone from now on."""
        self._gone.set()

    @property
    def in_hand(self) -> int:
        """The tries that have begun and not ended."""
        told = [what for what, _, _ in self.log.entries]
        return told.count("begin") - told.count("end")

    @property
    def tries(self) -> int:
        return [what for what, _, _ in self.log.entries].count("begin")

    async def observe(self) -> NodeState:
        return await self._unless_gone(self._node.observe())

    def reports(self) -> list[EngineReport]:
        return self._node.reports()

    def identity(self, stage: Stage) -> Provenance:
        return self._node.identity(stage)

    async def ensure(self, group: Group | None, *, fresh: bool = False) -> Ledger:
        self.starting += group is not None
        return await self._unless_gone(self._node.ensure(group, fresh=fresh))

    def transcribe(self, tasks: Sequence[SttWork]) -> AsyncIterator[StageOutcome]:
        return self._stream(self._node.transcribe(tasks))

    def extract(self, tasks: Sequence[ExtractWork]) -> AsyncIterator[StageOutcome]:
        return self._stream(self._node.extract(tasks))

    def rate(self, tasks: Sequence[RateWork]) -> AsyncIterator[StageOutcome]:
        return self._stream(self._node.rate(tasks))

    async def aclose(self) -> None:
        await self._node.aclose()

    async def _stream(self, outcomes: AsyncIterator[StageOutcome]) -> AsyncIterator[StageOutcome]:
        async def read() -> list[StageOutcome]:
            return [outcome async for outcome in outcomes]

        for outcome in await self._unless_gone(read()):
            yield outcome

    async def _unless_gone(self, answer: Awaitable[V]) -> V:
        asked: asyncio.Future[Any] = asyncio.ensure_future(answer)
        gone = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait((asked, gone), return_when=asyncio.FIRST_COMPLETED)
            if self._gone.is_set():
                raise NodeGone("the machine is gone")
            return asked.result()  # type: ignore[no-any-return]
        finally:
            for future in (asked, gone):
                future.cancel()
            await asyncio.gather(asked, gone, return_exceptions=True)
