"""The real daemon as a process, with its real containers, a scripted Whisper in a real child, and media that
are no videos: `python -m tests.docker.docker_daemon FOLDER SECONDS`. A transcription takes SECONDS.
"""

import asyncio
import signal
import sys
from pathlib import Path

from daemon.app.docker_engines import docker_node
from daemon.app.engines import Site
from daemon.app.run import running
from daemon.cli.run import log_to_file
from daemon.config.load import Config, load
from daemon.contracts.ports import Node
from daemon.contracts.values import Failed, OnProgress, StageOutcome, SttWork, Transcribed
from daemon.contracts.wire.status import EngineReport
from daemon.core.errors import Blame, Fault
from daemon.core.tasks.task import Stage
from daemon.system.child import Child, ChildDied
from daemon.system.lock import gone
from daemon.system.state_folder import owned
from tests.support.scripted import SPEAKING, TRANSCRIPT, ScriptedMedia


class Scribe:
    """A Transcriber whose child lives and dies as Whisper's does, but hears the same words in all videos."""

    stage = Stage.STT

    def __init__(self, state: Path, seconds: float) -> None:
        self._lock = state / "engines" / "stt.lock"
        self._log = state / "log" / "stt.log"
        self._seconds = seconds
        self._child: Child | None = None
        self._turn = asyncio.Lock()

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.alive

    def report(self) -> EngineReport:
        return EngineReport(stage="stt", name="scribe", state="ready" if self.alive else "stopped")

    def identity(self) -> dict[str, str]:
        return {}

    async def start(self) -> None:
        await self.stop()
        arguments = ["--lock", str(self._lock)]
        self._child = await Child.spawn("scribe", "tests.docker.docker_stt", arguments, log=self._log)
        await self._child.receive()

    async def stop(self) -> None:
        if self._child is not None:
            await self._child.stop()
            self._child = None
        await gone(self._lock)

    async def transcribe(self, work: SttWork, progress: OnProgress) -> StageOutcome:
        assert self._child is not None
        async with self._turn:
            try:
                await self._child.send({"seconds": self._seconds})
                await self._child.receive()
            except ChildDied as exc:
                return Failed(work.ticket, Fault(Blame.ENGINE, "died", str(exc), died=True))
        return Transcribed(work.ticket, TRANSCRIPT, SPEAKING)


def main(folder: Path, seconds: float) -> None:
    """Run until SIGTERM."""

    def make_node(config: Config, site: Site) -> Node:
        return docker_node(config, site, Scribe(config.paths.state, seconds))

    async def run(config: Config) -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        async with running(config, stop, make_node, lambda _: ScriptedMedia()):
            await stop.wait()

    config = load(folder / "introeval.toml", {})
    with owned(config.paths.state):
        log_to_file(config)
        asyncio.run(run(config))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
