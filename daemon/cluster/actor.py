"""The actor: holds the node of a machine that lends its GPU, and does what the daemon on the head asks.

It runs in a process of Ray on that machine, and knows nothing of Ray. What it needs beside the engines is
made there, by that machine's own configuration: `lend` names the function, as `module:name`.
"""

import asyncio
import importlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from daemon.cluster.values import MachineFacts, NodeAnswer, NodeSnapshot
from daemon.contracts.ports import Node
from daemon.contracts.values import NodePlan, OnAlarm, OnProgress, StageOutcome, SttWork, Ticket
from daemon.contracts.wire.status import GpuState
from daemon.core.alarms import Trouble
from daemon.core.schedule.phase_state import Group
from daemon.core.tasks.task import Stage


@dataclass(frozen=True, slots=True)
class Lent:
    """A node with its surroundings and its plan.

    `expect` plans for prompts; `plan` gives what its card holds, None for what the head's holds.
    """

    node: Node
    facts: Callable[[], MachineFacts]
    expect: Callable[[Mapping[Stage, int]], object]
    read_gpu: Callable[[], Awaitable[GpuState]]
    plan: Callable[[], NodePlan | None] = lambda: None


Lend = Callable[[OnProgress, OnAlarm], AbstractAsyncContextManager[Lent]]


class NodeActor:
    """A machine's node. Its answers carry what the node is like then."""

    def __init__(self, lend: str) -> None:
        self._lend = lend
        self._open = AsyncExitStack()
        self._lent: Lent | None = None
        self._sounds: dict[str, int] = {}
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._progress: dict[Ticket, float] = {}
        self._troubles: dict[str, Trouble] = {}

    async def open(self) -> NodeAnswer:
        """Take the machine: end the engines that an earlier actor left.

        Raises ConfigError, ModelError, EngineError, and AlreadyRunning where another owns the state folder.
        """
        module, _, name = self._lend.partition(":")
        lend: Lend = getattr(importlib.import_module(module), name)
        self._lent = lent = await self._open.enter_async_context(lend(self._heard, self._alarm))
        self._open.push_async_callback(lent.node.aclose)
        await lent.node.ensure(None)
        return NodeAnswer(None, await self.pulse())

    async def pulse(self) -> NodeSnapshot:
        """What the node is like now."""
        assert self._lent is not None, "open comes first"
        node = self._lent.node
        return NodeSnapshot(
            facts=self._lent.facts(),
            state=await node.observe(),
            reports=tuple(node.reports()),
            identity={stage: node.identity(stage) for stage in Stage},
            progress=dict(self._progress),
            troubles=tuple(self._troubles.values()),
            gpu=await self._lent.read_gpu(),
            plan=self._lent.plan(),
        )

    async def ensure(self, group: Group | None, fresh: bool, longest: Mapping[Stage, int]) -> NodeAnswer:
        """Load a group for prompts of at most so many tokens; see `Node`. No sound stays."""
        assert self._lent is not None
        self._lent.expect(longest)
        ledger = await self._node.ensure(group, fresh=fresh)
        self._forget(list(self._sounds))
        return NodeAnswer(ledger, await self.pulse())

    async def sound(self, name: str, chunk: bytes) -> None:
        """Add decoded sound to that called `name`, which lasts until its work ends.

        It lies in memory without a place in any folder, so that it goes with this process however that ends.
        """
        with self._sound(name).open("ab") as file:
            file.write(chunk)

    async def work(self, call: int, stage: Stage, works: Sequence[Any]) -> AsyncIterator[NodeAnswer]:
        """The outcomes of a stage's work, as they end; see `Node`."""
        outcomes: asyncio.Queue[StageOutcome | None] = asyncio.Queue()
        names = [work.pcm.name for work in works if isinstance(work, SttWork)]
        works = [
            replace(work, pcm=self._sound(work.pcm.name)) if isinstance(work, SttWork) else work
            for work in works
        ]
        working = self._calls[call] = asyncio.create_task(self._work(stage, works, outcomes))
        try:
            while (outcome := await outcomes.get()) is not None:
                yield NodeAnswer(outcome, await self.pulse())
            await working
        finally:
            await self.drop(call)
            for work in works:
                self._progress.pop(work.ticket, None)
            self._forget(names)

    async def drop(self, call: int) -> None:
        """End work that nobody waits for any more. Returns once it has ended."""
        if (working := self._calls.pop(call, None)) is not None:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def aclose(self) -> None:
        """Stop everything and give the machine back. Raises EngineError."""
        self._forget(list(self._sounds))
        await self._open.aclose()

    @property
    def _node(self) -> Node:
        assert self._lent is not None, "open comes first"
        return self._lent.node

    def _sound(self, name: str) -> Path:
        """Where the sound called `name` is read, also by the processes of this user."""
        if name not in self._sounds:
            self._sounds[name] = os.memfd_create("sound")
        return Path(f"/proc/{os.getpid()}/fd/{self._sounds[name]}")

    def _forget(self, names: Iterable[str]) -> None:
        for name in names:
            if (sound := self._sounds.pop(name, None)) is not None:
                os.close(sound)

    async def _work(
        self, stage: Stage, works: Sequence[Any], outcomes: asyncio.Queue[StageOutcome | None]
    ) -> None:
        node = self._node
        streams: Mapping[Stage, Callable[[Sequence[Any]], AsyncIterator[StageOutcome]]] = {
            Stage.STT: node.transcribe,
            Stage.EXTRACT: node.extract,
            Stage.RATE: node.rate,
        }
        try:
            async for outcome in streams[stage](works):
                outcomes.put_nowait(outcome)
        finally:
            outcomes.put_nowait(None)

    def _heard(self, ticket: Ticket, done: float) -> None:
        self._progress[ticket] = done

    def _alarm(self, code: str, trouble: Trouble | None) -> None:
        if trouble is None:
            self._troubles.pop(code, None)
        else:
            self._troubles[code] = trouble
