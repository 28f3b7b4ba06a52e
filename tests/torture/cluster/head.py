"""The daemon of a torture of machines as a process: `python -m tests.torture.cluster.head FOLDER FIRST_PORT`.

It writes down when a machine comes and goes.
"""

import asyncio
import logging
import sys
import time
from pathlib import Path

import structlog

from daemon.app.parts import Daemon
from daemon.contracts.ports import Lender
from daemon.core.tasks.task import Stage
from tests.support.inprocess import Lab
from tests.support.ray_lab import RayLab, ToTheSupervisor, looked_after
from tests.torture.cluster.network import NETWORK

TRY_S = 0.4


def lab_of(folder: Path) -> Lab:
    """The daemon's lab: engines that take a moment, so that a fault finds attempts in hand."""
    return Lab(folder / "head", seconds=dict.fromkeys(Stage, TRY_S), settings={"batch.size": 10})


class _Told(ToTheSupervisor):
    def __init__(self, daemon: Daemon, file: Path) -> None:
        super().__init__(daemon)
        self._file = file

    def _tell(self, what: str, name: str) -> None:
        with self._file.open("a") as file:
            file.write(f"{time.time()} {what} {name}\n")

    def join(self, name: str, node: Lender) -> None:
        self._tell("joined", name)
        super().join(name, node)

    def left(self, name: str) -> None:
        self._tell("left", name)
        super().left(name)


async def _run(folder: Path, first_port: int) -> None:
    ray = RayLab(folder, first_port, NETWORK)
    async with lab_of(folder).daemon() as daemon:
        told = _Told(daemon, folder / "machines")
        async with looked_after(ray, told, daemon.alarms.on):
            await asyncio.Event().wait()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    asyncio.run(_run(Path(sys.argv[1]), int(sys.argv[2])))
