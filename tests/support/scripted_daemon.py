"""The real daemon as a process, on scripted engines.

Started as `python -m tests.support.scripted_daemon FOLDER SECONDS [ID]`.

A try takes SECONDS at every stage. While the task with that id is transcribed, the daemon kills itself:
it dies as by `kill -9`, with the task in hand.
"""

import asyncio
import os
import signal
import sys
from collections import deque
from pathlib import Path

from daemon.app.engines import Site, memory_guard
from daemon.app.run import running
from daemon.config.load import Config, load
from daemon.contracts.ports import Node
from daemon.contracts.values import Ticket
from daemon.core.errors import Fault
from daemon.core.tasks.task import Stage
from daemon.node import LocalNode
from daemon.system.state_folder import owned
from tests.support.scripted import Log, ScriptedEngine, ScriptedMedia


def main(folder: Path, seconds: float, poison: int | None) -> None:
    """Run until SIGTERM."""

    def script(stage: Stage, ticket: Ticket) -> Fault | None:
        if stage is Stage.STT and ticket.task_id == poison:
            os.kill(os.getpid(), signal.SIGKILL)
        return None

    def make_node(config: Config, site: Site) -> Node:
        log = Log(deque(maxlen=0))  # nobody reads it here, and it would grow with every task
        stt, extract, rate = (ScriptedEngine(stage, log, seconds, script) for stage in Stage)
        guard = memory_guard(config, site, lambda: (os.getpid(),))
        return LocalNode(stt, extract, rate, site.progress, guard)

    async def run(config: Config) -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        async with running(config, stop, make_node, lambda _: ScriptedMedia()):
            await stop.wait()

    config = load(folder / "introeval.toml", {})
    with owned(config.paths.state):
        asyncio.run(run(config))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None)
