"""The rehearsal's own daemon: its folders, its configuration, and its process.

The folders lie below the real state folder, so on the same disk. The process runs the real program. It ends
with the rehearsal, also when that is killed, and until then holds the lock of the real state folder, so that
no daemon can start beside its engines.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from daemon.config.cluster import ClusterSettings
from daemon.config.load import Config
from daemon.config.sections import DockerSettings, IntakeSettings, PathSettings
from daemon.core.errors import EngineError, RehearsalRefused
from daemon.core.schedule.residency import MODELS
from daemon.core.tasks.task import Stage
from daemon.store import classes, open_reader, recovery
from daemon.system import bound
from daemon.system.state_folder import CONTAINERS, DATABASE

REHEARSALS = "rehearsals"
_NOW = "now"
_SOCKET = "rehearsal.sock"
_PREFIX = "INTROEVAL_"
_STOP_MARGIN_S = 60.0  # beyond the attempts' grace: engines are stopped, containers restored


def model_names(config: Config) -> dict[Stage, str]:
    """The models of the configuration, by stage."""
    named = {Stage.EXTRACT: config.extract.model, Stage.RATE: config.rate.model}
    if config.runtime == "embedded":
        named = {stage: config.embedded.of(stage) for stage in MODELS}
    return {Stage.STT: config.stt.model, **named}


def refuse_unless_idle(config: Config) -> None:
    """Raise RehearsalRefused while a class or tasks of the real daemon are open, StoreError for a database
    that cannot be read.
    """
    database = config.paths.state / DATABASE
    if not database.exists():
        return
    with open_reader(database) as db:
        open_class, tasks = classes.opened(db), len(recovery.open_tasks(db))
    if open_class is not None:
        told = f"the class {open_class.name} is open, and a rehearsal would take the engines from it"
        raise RehearsalRefused(f"{told}; to end it, run: introeval class close")
    if tasks:
        told = f"{tasks} tasks are open, and a rehearsal would take the engines from them"
        raise RehearsalRefused(f"{told}; to finish them first, run: introeval run --once")


class Lab:
    """The folders and the daemon of one rehearsal."""

    def __init__(self, config: Config) -> None:
        """`config` is that of the real daemon."""
        self._folder = config.paths.state / REHEARSALS / _NOW
        self._models = config.paths.state / "models"
        self.config = _of_lab(config, self._folder)
        self._process: asyncio.subprocess.Process | None = None

    @contextlib.contextmanager
    def prepared(self) -> Iterator[None]:
        """Make the folders, and leave none of them behind; those that a killed rehearsal left go first.

        Raises EngineError when its containers cannot be restored.
        """
        self._clear()
        for name in ("inbox", "outbox", "state"):
            (self._folder / name).mkdir(parents=True)
        self._folder.chmod(0o700)
        self.config_file.touch()
        (self._folder / "state" / "models").symlink_to(self._models)
        try:
            yield
        finally:
            self._clear()

    @property
    def config_file(self) -> Path:
        """An empty file: the whole configuration is in the environment."""
        return self._folder / "introeval.toml"

    async def start(self, lock: int) -> None:
        """Start the daemon; it inherits the descriptor that holds the lock of the real state folder."""
        parent = [sys.executable, "-P", bound.__file__, str(os.getpid()), "SIGTERM", "daemon"]
        with (self._folder / "daemon.log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *parent,
                *self._arguments("run"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment(),
                pass_fds=(lock,),
                start_new_session=True,  # ctrl+c is for the rehearsal, which stops it in order
            )

    def check(self) -> None:
        """Raise EngineError when the daemon has ended."""
        code = None if self._process is None else self._process.returncode
        if code is None:
            return
        said = (self._folder / "daemon.log").read_text(errors="replace").splitlines()
        lines = [line for line in said if line.startswith("introeval: ")]
        why = lines[-1].removeprefix("introeval: ") if lines else f"it ended with {_ending(code)}"
        raise EngineError(f"the daemon of the rehearsal has ended: {why}")

    async def stop(self) -> None:
        """Stop the daemon in order; kill it when it takes too long."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(self.config.run.stop_grace_s + _STOP_MARGIN_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def _arguments(self, *command: str) -> Sequence[str]:
        return ["--config", str(self.config_file), *command]

    def environment(self) -> dict[str, str]:
        """The variables of the daemon, which hold its whole configuration."""
        others = {name: value for name, value in os.environ.items() if not name.upper().startswith(_PREFIX)}
        return others | _as_variables(self.config)

    def _clear(self) -> None:
        """Put the containers back that a killed daemon has left taken over, and remove the folders."""
        if not self._folder.exists():
            return
        if (self.config.paths.state / CONTAINERS).exists():
            command = [sys.executable, "-P", "-m", "daemon", *self._arguments("setup", "--restore")]
            done = subprocess.run(
                command, env=self.environment(), capture_output=True, text=True, check=False
            )
            if done.returncode:
                told = f"containers that a rehearsal took over are not as they were: {done.stderr.strip()}"
                raise EngineError(f"{told}; once that is fixed, run: introeval rehearse")
        self.config.paths.socket.unlink(missing_ok=True)
        shutil.rmtree(self._folder)


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _of_lab(config: Config, folder: Path) -> Config:
    """The configuration of the rehearsal: what concerns the engines is the lab's, all else as by default, so
    that no hook of the lab is told and no rule of its names keeps a synthetic student out.
    """
    return Config(
        runtime=config.runtime,
        paths=PathSettings(
            inbox=folder / "inbox",
            outbox=folder / "outbox",
            state=folder / "state",
            socket=config.paths.state / _SOCKET,  # not deeper: a socket's path may have 107 bytes
        ),
        intake=IntakeSettings(settle_s=config.intake.settle_s, owner="ignore"),
        batch=config.batch,
        retry=config.retry,
        stt=config.stt,
        gpu=config.gpu,
        extract=config.extract,
        rate=config.rate.model_copy(update={"idle_ratings": 0}),  # the class is over then
        docker=DockerSettings(**{**dict(config.docker), "on_exit": "restore"}),
        embedded=config.embedded,
        prompts=config.prompts,
        cluster=ClusterSettings(token_file=config.cluster.token_file),  # one box, whatever the lab has
    )


def _as_variables(config: Config) -> dict[str, str]:
    values = config.model_dump(mode="json")
    return {
        f"{_PREFIX}{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
    }
