"""The node of the docker runtime: a local node whose models run in containers that anybody can start."""

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from daemon.containers.container import OnExit
from daemon.containers.engine import DockerEngine
from daemon.containers.hints import Hints
from daemon.containers.host import ContainerHost
from daemon.contracts.ledger import Ledger
from daemon.contracts.ports import Extractor, MemoryGuard, Rater, Transcriber
from daemon.contracts.values import OnProgress
from daemon.core.errors import EngineError
from daemon.core.schedule.phase_state import Group
from daemon.core.tasks.task import Stage
from daemon.node.local import LocalNode

log = structlog.get_logger()

_PATROL_S = 2.0  # the longest that a container started from outside holds the GPU unseen


class DockerNode(LocalNode):
    """A LocalNode that patrols its containers, reads the weights of the next groups while one is loaded, and
    at its end leaves the containers as `on_exit` says.

    `hosts` are those in containers, by stage. They are checked when the Docker engine reports that one was
    started or ended, and every `patrol_s` seconds, since it may not report.
    """

    def __init__(
        self,
        transcriber: Transcriber,
        extractor: Extractor,
        rater: Rater,
        progress: OnProgress,
        guard: MemoryGuard | None = None,
        *,
        engine: DockerEngine,
        hosts: Mapping[Stage, ContainerHost],
        on_exit: OnExit = "restore",
        patrol_s: float = _PATROL_S,
    ) -> None:
        super().__init__(transcriber, extractor, rater, progress, guard)
        self._engine = engine
        self._hosts = hosts
        self._on_exit: OnExit = on_exit
        self._patrol_s = patrol_s
        self._hints = Hints(engine, [host.name for host in hosts.values()])
        self._patrol: asyncio.Task[None] | None = None
        self._ahead: list[asyncio.Task[None]] = []
        self._closed = False

    async def ensure(self, group: Group | None, *, fresh: bool = False) -> Ledger:
        """See LocalNode. The weights of the engines that start are read while the others stop; those of the
        engines that may be next are read once the group is loaded, so that no switch waits for the disk.
        """
        if self._patrol is None:
            if self._hosts and not self._closed:
                self._patrol = asyncio.create_task(self._look_for_ever(), name="patrol")
        elif self._patrol.done() and not self._closed:
            self._patrol.result()  # raise the error that ended it
        await _cancelled(self._ahead)
        starting = [self._hosts[s] for s in group or () if s in self._hosts and not self._hosts[s].alive]
        reading = [asyncio.create_task(host.warm()) for host in starting]
        try:
            ledger = await super().ensure(group, fresh=fresh)
        finally:
            await _cancelled(reading)
        if group:
            self._ahead = [asyncio.create_task(self._read_ahead(group))]
        return ledger

    async def aclose(self) -> None:
        """Stop everything, then restore the containers. A second call does nothing.

        Without a Docker engine nothing can be restored now: the record stays, and the next start restores
        them.
        """
        if self._closed:
            return
        self._closed = True
        await _cancelled([*self._ahead, *([self._patrol] if self._patrol is not None else [])])
        await self._hints.aclose()
        try:
            await super().aclose()
            for host in self._hosts.values():
                await host.restore(self._on_exit)
        except EngineError as exc:
            log.error("the containers are not restored; the next start does it", why=str(exc))
        await self._engine.aclose()

    async def _read_ahead(self, group: Group) -> None:
        """Read the weights of the engines that are not loaded, in the order in which their turns come."""
        stages = list(Stage)
        last = max(map(stages.index, group))
        for stage in (*stages[last + 1 :], *stages[:last]):
            if stage in self._hosts and stage not in group:
                await self._hosts[stage].warm()

    async def _look_for_ever(self) -> None:
        while True:
            await self._hints.wait(self._patrol_s)
            await asyncio.gather(*(host.look() for host in self._hosts.values()))


async def _cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
