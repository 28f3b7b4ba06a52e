"""The host of a model in a container: runs only in its group's phase, proven ready, verified gone after."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import structlog

from daemon.containers.container import Container, OnExit
from daemon.containers.engine import ContainerError, ContainerState
from daemon.containers.ready import ModelServer, ReadyModel
from daemon.containers.server_host import ServedHost
from daemon.containers.warm import read_ahead
from daemon.contracts.values import OnAlarm
from daemon.core.alarms import trouble
from daemon.core.errors import EngineError
from daemon.core.learnt_limit import LearntLimit
from daemon.core.schedule.memory import KvCache, ModelNeed
from daemon.core.schedule.server_setup import ServerSetup
from daemon.core.tasks.task import Stage
from daemon.llm.client import Request, Started

log = structlog.get_logger()

OnDescribed = Callable[[ModelNeed | None, ServerSetup], None]
"""Called with the memory that a model takes (None: not known yet) and what its server was set up for."""

_POLL_S = 0.03
_LOOK_S = 0.25
_CALM_S = 60.0  # an alarm that is cleared at once is seen by nobody
_LOOPS = 2  # times in a row that a container ended by itself, and counts as a crash loop
_TOLD = ("missing", "crash_loop", "failed")  # a stop does not fix these, so they stay visible after it
_AWAY = ("unreachable", "denied")
_PASSING = (*_AWAY, "stopping")  # over as soon as the engine answers


class ContainerHost(ServedHost):
    """A ModelHost in one container, which runs only between `start` and `stop`.

    A container that runs at another time holds the GPU in another group's phase: `look`, to be called
    every few seconds, stops it and raises an alarm, which is cleared after `calm_s` seconds without one.

    `on_described` is called with what the model takes, once that is known, and what the container's
    server was set up for. `lower` is called when the model does not fit on the GPU, also on a fresh start:
    True when the plan asks for less now; otherwise the work goes on, degraded. `on_return` is called when a
    look finds that the Docker engine answers again. `follow` is called with the id of the container while it
    is in use.
    """

    def __init__(
        self,
        stage: Stage,
        container: Container,
        server: ModelServer,
        on_alarm: OnAlarm,
        *,
        on_described: OnDescribed = lambda need, setup: None,
        lower: Callable[[], bool] = lambda: False,
        on_return: Callable[[], None] = lambda: None,
        follow: Callable[[str], None] = lambda container: None,
        load_timeout_s: float = 180.0,
        calm_s: float = _CALM_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(stage, container.name, server, on_alarm, clock)
        self._container = container
        self._on_described = on_described
        self._lower = lower
        self._on_return = on_return
        self._follow = follow
        self._up_limit = LearntLimit(load_timeout_s)
        self._calm_s = calm_s
        self._busy = asyncio.Lock()
        self._wanted = False
        self._confirmed = False  # verified gone
        self._seen: ContainerState | None = None
        self._ends = 0
        self._alarmed_at: float | None = None

    @property
    def pid(self) -> int | None:
        """The id on this machine of the container's first process; None while it is not in use."""
        return self._seen.pid if self._seen is not None and self.alive else None

    async def start(self, first: Request) -> Started:
        """Run the container until its model has answered `first`. Raises EngineError, the container gone."""
        async with self._busy:
            self._wanted, self._confirmed = True, False
            self._become("starting")
            try:
                return self._ready(await self._bring_up(first))
            except EngineError as exc:
                self._become(exc.state if isinstance(exc, ContainerError) else "failed", str(exc))
                self._wanted = False
                await self._stop_and_verify()
                raise

    async def stop(self) -> None:
        """Stop the container, also one that looks gone. Raises ContainerError unless it is verified gone."""
        self._wanted = False
        async with self._busy:
            if not self._confirmed and self._state not in _TOLD:
                self._become("stopping")
            await self._stop_and_verify()
            if self._state not in _TOLD:
                self._become("stopped")

    async def restore(self, on_exit: OnExit) -> None:
        """Restore the container as its owner had it. Raises ContainerError."""
        async with self._busy:
            await self._container.restore(on_exit)

    async def warm(self) -> None:
        """Read the model's weights into the page cache, if they are found: its start is then faster."""
        try:
            seen = await self._container.seen()
        except ContainerError:
            return  # the start that follows reports why
        await read_ahead(seen.mounts, self._server.model)

    async def look(self) -> None:
        """Check that the container runs while in use, and not otherwise. No-op during a start or stop."""
        if self._busy.locked():
            return
        async with self._busy:
            away = self._state in _AWAY
            try:
                running = await self._container.running()
                if self._wanted:
                    self._look_after(running)
                else:
                    await self._guard_unused(running)
            except ContainerError as exc:
                self._become(exc.state, str(exc))
            else:
                if away:
                    self._on_return()

    def _look_after(self, running: list[ContainerState]) -> None:
        """Check a container in use: it must be the one that was started."""
        began = self._seen
        if not any(began is not None and _same(began, now) for now in running):
            if not self._ended:
                self._restarts += 1
            self._ended = True
            self._become("failed", f"{self.name} ended while it was in use; see: docker logs {self.name}")
            return
        if began is not None:
            self._follow(began.id)
        if self._state in _PASSING and self._loaded is not None:
            self._become("degraded" if self._loaded.lacks else "ready", self._loaded.lacks)

    async def _guard_unused(self, running: list[ContainerState]) -> None:
        """Stop a container that runs while it is not in use, with an alarm."""
        now, code = self._clock(), f"container_{self.stage}"
        if running and self._confirmed:
            self._alarmed_at = now
            told = f"{self.name} was started from outside while it is not in use, and is stopped again"
            self._on_alarm(code, trouble(f"container_{self.stage}", told))
        if running:
            await self._stop_and_verify()
        elif self._alarmed_at is not None and now - self._alarmed_at >= self._calm_s:
            self._alarmed_at = None
            self._on_alarm(code, None)
        self._confirmed = True
        if self._container.last is None:
            self._become("missing", f"there is no container {self.name}; run: introeval setup")
        elif self._state in (*_PASSING, "missing"):
            self._become("stopped")

    async def _stop_and_verify(self) -> None:
        """Stop the container and verify that it is gone. Raises ContainerError; it then counts as running."""
        await self._close()
        self._confirmed = False
        try:
            await self._container.end()
        except ContainerError as exc:
            self._become(exc.state, str(exc))
            raise
        self._confirmed = True
        self._seen = None
        self._describe(self._loaded.need if self._loaded is not None else None)

    async def _bring_up(self, first: Request) -> ReadyModel:
        loaded = await self._run(first)
        if loaded.lacks:
            log.warning("the container is restarted once", name=self.name, why=loaded.lacks)
            await self._container.end()
            loaded = await self._run(first)
        loaded = self._as_seen(loaded, first.options.num_ctx)
        self._describe(loaded.need)
        if loaded.lacks and self._lower():
            raise ContainerError("failed", f"{loaded.lacks}; the next attempt uses less memory")
        return loaded

    def _as_seen(self, loaded: ReadyModel, num_ctx: int) -> ReadyModel:
        """The same, with the need by what its server took, and its cache where that is not the usual one."""
        if self._container.last is None:
            return loaded
        setup, need, identity = self._container.last.setup, loaded.need, loaded.identity
        if need is not None and loaded.memory_mb is not None:
            need = need.seen(loaded.memory_mb, setup.slots, num_ctx, setup.kv)
        if setup.kv is not KvCache.F16:
            identity = replace(identity, kv_cache=setup.kv.value)
        return replace(loaded, need=need, identity=identity)

    def _describe(self, need: ModelNeed | None = None) -> None:
        if self._container.last is not None:
            self._on_described(need, self._container.last.setup)

    async def _run(self, first: Request) -> ReadyModel:
        """Run the container until its model has answered, and check that it did not end in between."""
        began = self._seen = await self._container.run()
        self._follow(began.id)
        try:
            await self._until_up(began)
            loaded = await self._server.load(first)
        except EngineError as exc:
            await self._stable(began, exc)  # if the container ended, that is the real cause
            raise
        await self._stable(began)
        self._ends = 0
        return loaded

    async def _until_up(self, began: ContainerState) -> None:
        loop = asyncio.get_running_loop()
        start = look_at = loop.time()
        limit_s = self._up_limit.now
        while not await self._server.answers():
            if loop.time() >= look_at:
                if not _same(began, await self._container.seen()):
                    raise EngineError(f"{self.name} ended before its server answered")
                look_at = loop.time() + _LOOK_S
            if loop.time() > start + limit_s:
                self._up_limit = self._up_limit.ran_out(limit_s)
                raise EngineError(
                    f"{self.name} runs, but its server did not answer within {limit_s:g} s;"
                    f" see: docker logs {self.name}"
                )
            await asyncio.sleep(_POLL_S)
        self._up_limit = self._up_limit.passed(loop.time() - start)

    async def _stable(self, began: ContainerState, cause: EngineError | None = None) -> None:
        """Raise ContainerError when the container that was started does not run any more."""
        now = await self._container.seen()
        if _same(began, now):
            return
        self._ends += 1
        self._restarts += 1
        why = now.error or f"exit code {now.exit_code}"
        if now.alive or self._ends >= _LOOPS:
            raise ContainerError(
                "crash_loop",
                f"{self.name} ends by itself each time it is started ({why}); see: docker logs {self.name}",
            ) from cause
        raise ContainerError(
            "failed", f"{self.name} ended by itself ({why}); see: docker logs {self.name}"
        ) from cause


def _same(began: ContainerState, now: ContainerState) -> bool:
    """Whether the container runs, and has run without a break."""
    run = (now.id, now.started_at, now.restarts)
    return now.alive and run == (began.id, began.started_at, began.restarts)
