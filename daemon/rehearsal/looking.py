"""Looks at the machine from outside the daemon: which engines are alive, and the load of GPU and processor.

Nothing of it is asked of the daemon: processes come from the process table, containers from the Docker
engine, the figures from the driver and the kernel.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.config.load import Config
from daemon.core.errors import EngineError
from daemon.core.forecast.rehearsal import Sighting
from daemon.core.schedule.residency import MODELS
from daemon.core.tasks.task import Stage
from daemon.gpu.nvml import NvmlGpu

if TYPE_CHECKING:
    from daemon.containers.engine import DockerEngine

_LOOK_S = 0.2  # a look takes about a hundredth of a core
_ENGINE_S = 4.0
_WORKERS = (b"daemon.stt.worker", b"daemon.llm.server")


class Lookout:
    """Takes looks while `run` runs; `blind` counts those at which the Docker engine did not answer."""

    def __init__(self, config: Config) -> None:
        self._engines = str(config.paths.state / "engines").encode()
        self._containers = _containers(config)
        self._base_url = config.docker.base_url
        self._gpu = NvmlGpu()
        self._busy = _processor_time()
        self.gpu_name = ""
        self.blind = 0
        self.looks: list[Sighting] = []

    async def run(self) -> None:
        """Take looks until cancelled; their times are of the monotonic clock."""
        engine = self._docker()
        try:
            while True:
                at = time.monotonic()
                try:
                    alive = frozenset(_alive(self._engines)) | await self._running_containers(engine)
                except EngineError:
                    self.blind += 1
                else:
                    gpu = await self._gpu.reading()
                    self.gpu_name = gpu.name
                    load = self._load()
                    self.looks.append(
                        Sighting(at=at, alive=alive, cpu=load, gpu=gpu.utilisation, gpu_mb=gpu.used_mb)
                    )
                await asyncio.sleep(_LOOK_S)
        finally:
            if engine is not None:
                await engine.aclose()

    def _docker(self) -> "DockerEngine | None":
        if not self._containers:
            return None
        from daemon.containers.engine import DockerEngine  # the Docker SDK is slow to import

        return DockerEngine(self._base_url, timeout_s=_ENGINE_S)

    async def _running_containers(self, engine: "DockerEngine | None") -> frozenset[Stage]:
        """The stages whose container runs now. Raises EngineError when the Docker engine does not say."""
        if engine is None:
            return frozenset()
        seen = {stage: await engine.inspect(name) for stage, name in self._containers.items()}
        return frozenset(stage for stage, state in seen.items() if state is not None and state.pid)

    def _load(self) -> float:
        """The load of the processor since the last look, in percent."""
        (idle, total), before = _processor_time(), self._busy
        self._busy = idle, total
        spent = total - before[1]
        return 100.0 * (1.0 - (idle - before[0]) / spent) if spent else 0.0


def _containers(config: Config) -> Mapping[Stage, str]:
    models = {Stage.EXTRACT: config.extract, Stage.RATE: config.rate}
    if config.runtime != "docker":
        return {}
    return {stage: models[stage].container for stage in MODELS if models[stage].container}


def _alive(engines: bytes) -> Iterator[Stage]:
    """The stages whose engine is a process that names its lock file below `engines`."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has ended meanwhile
            continue
        if any(worker in command for worker in _WORKERS):
            yield from (
                stage
                for stage in Stage
                if any(each.endswith(engines + b"/" + stage.encode() + b".lock") for each in command)
            )


def _processor_time() -> tuple[int, int]:
    """The processor's idle and whole time so far, in ticks (proc(5), /proc/stat)."""
    ticks = [int(each) for each in Path("/proc/stat").read_text().partition("\n")[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)
