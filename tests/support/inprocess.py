"""The whole daemon in this process, on scripted engines: its inbox, its outbox, and what its engines saw."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.app.engines import Site
from daemon.app.parts import Daemon
from daemon.app.run import running
from daemon.config.load import Config, load
from daemon.contracts.ports import Extractor, Media, Node, Transcriber
from daemon.core.tasks.task import Stage
from daemon.node import LocalNode
from tests.support.folders import copy_in, put
from tests.support.scripted import Log, Script, ScriptedEngine, ScriptedMedia, goes_well
from tests.support.waiting import until

PHASES: list[list[str]] = [["stt"], ["extract", "rate"]]
PASSES: list[list[str]] = [["stt"], ["extract"], ["rate"]]
TOGETHER: list[list[str]] = [["stt", "extract", "rate"]]


@dataclass
class Lab:
    """A lab of its own in a folder."""

    folder: Path
    script: Script = goes_well
    seconds: dict[Stage, float] = field(default_factory=dict)
    start_seconds: float = 0.0
    media: Media = field(default_factory=ScriptedMedia)
    transcriber: Transcriber | None = None  # replaces the scripted one
    extractor: Extractor | None = None  # also
    engine: type[ScriptedEngine] = ScriptedEngine
    settings: dict[str, Any] = field(default_factory=dict)
    log: Log = field(default_factory=Log)
    engines: dict[Stage, ScriptedEngine] = field(default_factory=dict)

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox"

    def hand_in(self, name: str, content: str | bytes | None = None) -> None:
        """Put a video into the inbox; its content is its name unless given."""
        put(self.inbox / name, name if content is None else content)

    def hand_in_file(self, video: Path) -> None:
        """Put a copy of a file into the inbox."""
        copy_in(self.inbox, video)

    def results(self) -> dict[str, dict[str, Any]]:
        """Every result of the outbox by its name below it."""
        found = self.outbox.glob("[!.]*/*.result.json")  # a folder that is being made has a dot
        return {str(path.relative_to(self.outbox)): json.loads(path.read_text()) for path in found}

    @property
    def config(self) -> Config:
        """The configuration, with a settle time and residency of the tests' own."""
        file = self.folder / "introeval.toml"
        self.folder.mkdir(parents=True, exist_ok=True)
        values: dict[str, Any] = {
            "intake.settle_s": 0.05,
            "gpu.residency": PHASES,
            "stt.parallel": 1,
            **self.settings,
        }
        tables: dict[str, list[str]] = {}
        for key, value in values.items():
            table, _, name = key.partition(".")
            tables.setdefault(table, []).append(f"{name} = {json.dumps(value)}")
        file.write_text("\n".join(f"[{table}]\n" + "\n".join(lines) for table, lines in tables.items()))
        return load(file, {})

    @asynccontextmanager
    async def daemon(self) -> AsyncIterator[Daemon]:
        """The running daemon."""
        config = self.config
        self.inbox.mkdir(parents=True, exist_ok=True)
        config.paths.state.mkdir(parents=True, exist_ok=True)
        async with running(config, asyncio.Event(), self._node, lambda _: self.media) as daemon:
            yield daemon

    def _node(self, config: Config, site: Site) -> Node:
        for stage in Stage:
            self.engines[stage] = self.engine(
                stage, self.log, self.seconds.get(stage, 0.0), self.script, start_seconds=self.start_seconds
            )
        stt, extract, rate = (self.engines[stage] for stage in Stage)
        return LocalNode(self.transcriber or stt, self.extractor or extract, rate, site.progress)


async def worked_off(daemon: Daemon, timeout_s: float = 60.0) -> None:
    """Wait until nothing is left to take, to do or to deliver."""
    async with asyncio.timeout(timeout_s):
        await daemon.intake.settle()
        await until(lambda: daemon.idle, timeout_s)
