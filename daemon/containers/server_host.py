"""The common part of the docker runtime's hosts, and the host for a server that others run."""

import time
from collections.abc import Callable

import structlog

from daemon.containers.ready import ModelServer, ReadyModel
from daemon.contracts.values import OnAlarm
from daemon.contracts.wire.status import EngineReport
from daemon.core.alarms import trouble, trouble_of
from daemon.core.errors import EngineError
from daemon.core.tasks.task import Stage
from daemon.core.timestamps import to_iso
from daemon.llm.client import ModelClient, ModelIdentity, Request, Started

log = structlog.get_logger()


class ServedHost:
    """The part that both kinds share: the report, and the result of the last start."""

    def __init__(
        self, stage: Stage, name: str, server: ModelServer, on_alarm: OnAlarm, clock: Callable[[], float]
    ) -> None:
        self.stage = stage
        self.name = name
        self._server = server
        self._on_alarm = on_alarm
        self._clock = clock
        self._client: ModelClient | None = None
        self._ended = False  # since it was ready
        self._loaded: ReadyModel | None = None
        self._restarts = 0
        self._state, self._detail, self._since = "stopped", "", clock()

    @property
    def alive(self) -> bool:
        """Whether the server was proven ready, and has not been seen to end since."""
        return self._client is not None and not self._ended

    @property
    def identity(self) -> ModelIdentity:
        """The model that it serves. Raises EngineError before the first start."""
        if self._loaded is None:
            raise EngineError(f"the {self.stage} server was never started")
        return self._loaded.identity

    def report(self) -> EngineReport:
        """The server as the operator sees it."""
        return EngineReport(
            stage=self.stage,
            name=self.name,
            state=self._state,
            detail=self._detail,
            since=to_iso(self._since),
            model=self._server.model,
            memory_mb=self._loaded.memory_mb if self._loaded is not None and self.alive else None,
            restarts=self._restarts,
        )

    def _become(self, state: str, detail: str = "") -> None:
        if state != self._state:
            self._since = self._clock()
            log.info("engine", name=self.name, stage=self.stage, state=state, detail=detail)
        self._state, self._detail = state, detail

    def _ready(self, loaded: ReadyModel) -> Started:
        self._loaded = loaded
        self._client = self._server.client(self._reloaded)
        self._ended = False
        self._on_alarm(f"reload_{self.stage}", None)
        slow = trouble_of(f"degraded_{self.stage}", f"{self.name}: {loaded.lacks}")
        self._on_alarm(slow.code, slow if loaded.lacks else None)
        if loaded.lacks:
            self._become("degraded", loaded.lacks)
        else:
            on_cpu = loaded.identity.device == "cpu"
            self._become("ready", "on the processor: this machine has no GPU" if on_cpu else "")
        return Started(self._client, loaded.answer)

    def _reloaded(self, seconds: float) -> None:
        told = f"{self._server.model} was loaded again in mid-phase, in {seconds:.0f} s"
        fix = f"find out who else uses {self.name} or the GPU's memory"
        again = trouble(f"reload_{self.stage}", told, fix=fix)
        self._on_alarm(again.code, again)

    async def _close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None


class RemoteHost(ServedHost):
    """A ModelHost for a server at `url` that others run: `start` has it answer, `stop` leaves it running."""

    def __init__(
        self,
        stage: Stage,
        server: ModelServer,
        url: str,
        on_alarm: OnAlarm,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(stage, url, server, on_alarm, clock)

    async def start(self, first: Request) -> Started:
        """Have the server answer `first`. Raises EngineError."""
        self._become("starting")
        try:
            return self._ready(await self._server.load(first))
        except EngineError as exc:
            self._become("unreachable", str(exc))
            raise

    async def stop(self) -> None:
        """Close the connections."""
        await self._close()
        if self._state != "unreachable":
            self._become("stopped")
