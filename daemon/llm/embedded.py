"""The embedded host: llama.cpp's server in a child process, started and stopped like a container."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from daemon.contracts.wire.status import EngineReport
from daemon.core.errors import EngineError, ModelError
from daemon.core.tasks.task import Stage
from daemon.llm.client import ModelIdentity, Request, Started
from daemon.llm.limits import AnswerLimits
from daemon.llm.openai import OpenAIClient
from daemon.system import child, lock
from daemon.system.weights import Weights


class EmbeddedServer:
    """A ModelHost for one GGUF file, whose bytes are verified before each load.

    `engines` is the folder of the lock files, `log` the file of the child's stderr. So many requests as
    `parallel` gives at a start are served at once, each with the options' whole context. Loading and answers
    stand under `limits`.
    """

    def __init__(
        self,
        stage: Stage,
        weights: Weights,
        *,
        engines: Path,
        log: Path,
        parallel: Callable[[], int] = lambda: 1,
        limits: AnswerLimits | None = None,
    ) -> None:
        self.lock = engines / f"{stage}.lock"
        self._stage = stage
        self._weights = weights
        self._model = weights.path
        self._log = log
        self._parallel = parallel
        self._limits = limits or AnswerLimits()
        self._child: child.Child | None = None
        self._client: OpenAIClient | None = None
        self._identity: ModelIdentity | None = None

    @property
    def alive(self) -> bool:
        """Whether the child runs."""
        return self._child is not None and self._child.alive

    @property
    def pid(self) -> int | None:
        """The child's process id; None while it does not run."""
        return self._child.pid if self._child else None

    @property
    def identity(self) -> ModelIdentity:
        """The model that it serves. Raises EngineError before the first start."""
        if self._identity is None:
            raise EngineError(f"the embedded {self._stage} server was never started")
        return self._identity

    def report(self) -> EngineReport:
        """The child as the operator sees it."""
        state = "stopped" if not self.alive else "starting" if self._client is None else "ready"
        return EngineReport(
            stage=self._stage, name=f"embedded {self._stage}", state=state, model=self._model.stem
        )

    async def start(self, first: Request) -> Started:
        """See ModelHost."""
        await self.stop()
        answered = False
        try:
            client = await self._bring_up(first.options.num_ctx)
            answer = await client.generate(first, lambda tokens: None)
            answered = True
        finally:
            if not answered:
                await self.stop()
        return Started(client, answer)

    async def stop(self) -> None:
        """Stop the child, and one that an earlier daemon left: its lock is free only when it is gone."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None
        if self._child is not None:
            await self._child.stop(grace_s=2.0)
            self._child = None
        await lock.gone(self.lock)

    async def _bring_up(self, num_ctx: int) -> OpenAIClient:
        try:
            digest = await asyncio.to_thread(self._weights.verify)
        except ModelError as exc:
            raise EngineError(str(exc)) from exc
        self._child = await child.Child.spawn(
            f"embedded {self._stage} server",
            "daemon.llm.server",
            [
                f"--model={self._model}",
                f"--parallel={self._parallel()}",
                f"--ctx={num_ctx}",
                f"--lock={self.lock}",
            ],
            log=self._log,
            memory_limit=child.memory_share(self._weights.size),
        )
        limit_s = self._limits.load.now
        try:
            async with asyncio.timeout(limit_s):
                ready = await self._child.receive()
        except TimeoutError as exc:
            self._limits.ran_out(limit_s, start=True, pause=False)
            raise EngineError(
                f"the embedded {self._stage} server did not load within {limit_s:.0f} s; see: {self._log}"
            ) from exc
        self._client = OpenAIClient(
            ready["url"],
            self._model.stem,
            key=ready["key"],
            limits=self._limits,
            llama_cpp=True,
        )
        if not await self._client.health():
            raise EngineError(f"the embedded {self._stage} server is not healthy; see: {self._log}")
        self._identity = ModelIdentity(
            self._model.stem,
            f"sha256:{digest}",
            ready["version"],
            "embedded",
            revision=self._weights.revision,
        )
        return self._client
