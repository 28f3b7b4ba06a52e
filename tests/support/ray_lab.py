"""A cluster on this machine: Ray's head and nodes, each at an address of its own, on scripted engines."""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
import pytest

from daemon.app.parts import Daemon
from daemon.cluster import start
from daemon.cluster.actor import Lent
from daemon.cluster.link import RayLink
from daemon.cluster.machines import Employer, Machines
from daemon.cluster.values import MachineFacts
from daemon.config.cluster import PORTS, ClusterSettings
from daemon.contracts.ports import Lender
from daemon.contracts.values import OnAlarm, OnProgress, Orders
from daemon.contracts.wire.status import GpuState
from daemon.core.tasks.task import Stage
from daemon.node import LocalNode
from tests.support.checkout import REPOSITORY
from tests.support.scripted import Log, ScriptedEngine

needs_ray = pytest.mark.skipif(
    not start.installed() and not os.environ.get("INTROEVAL_CI"), reason=start.INSTALL
)
_BASE = 20_000  # below the kernel's own ports
_UP_S = 60.0


def first_port(at: int) -> int:
    """The first port of a machine of the tests; other processes of the tests take others."""
    return _BASE + PORTS * (10 * (os.getpid() % 12) + at)


@dataclass
class RayLab:
    """Ray's processes, each started by the product's own command lines; a node by `introeval node join`."""

    folder: Path
    first_port: int = field(default_factory=lambda: first_port(0))
    network: str = "127.0.0"
    token: str = field(default_factory=lambda: secrets.token_hex(32))
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _begun: dict[str, tuple[list[str], int]] = field(default_factory=dict)

    def settings(self, at: int) -> ClusterSettings:
        token_file = self.folder / f"token-{at}"
        if not token_file.exists():
            token_file.touch(0o600)
            token_file.write_text(self.token)
        return ClusterSettings(
            address=f"{self.network}.{2 + at}", port=self.first_port + PORTS * at, token_file=token_file
        )

    @property
    def head(self) -> str:
        settings = self.settings(0)
        return f"{settings.address}:{settings.port}"

    def pace(self, seconds: Mapping[Stage, float], start_seconds: float = 0.0) -> None:
        """Let attempts and starts of engines take so long, on machines that are opened from now on."""
        (self.folder / "pace").write_text(json.dumps([seconds.get(s, 0.0) for s in Stage] + [start_seconds]))

    def begin_head(self) -> None:
        self._begin("head", start.head_command(self.settings(0)), 0)

    def begin_node(self, at: int) -> None:
        self._begin(f"node{at}", [*self.within(at), *self.node_command(at)], at)

    def within(self, at: int) -> list[str]:
        """The command that runs another on that machine."""
        return []

    def node_command(self, at: int) -> list[str]:
        settings, file = self.settings(at), self.folder / f"node{at}.toml"
        values = {"address": settings.address, "port": settings.port, "token_file": str(settings.token_file)}
        file.write_text("[cluster]\n" + "".join(f"{key} = {json.dumps(v)}\n" for key, v in values.items()))
        return [sys.executable, "-m", "daemon", "--config", str(file), "node", "join", self.head]

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Start whatever ends again after a second, as systemd does."""
        done = threading.Event()

        def keep() -> None:
            while not done.wait(1.0):
                for name in [name for name, process in self.running.items() if process.poll() is not None]:
                    self.end(name)
                    self._begin(name, *self._begun[name], waits=False)

        thread = threading.Thread(target=keep)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def tree(self, name: str) -> list[psutil.Process]:
        """A process of Ray with all below it, the children first."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.running[name].pid)
            return [*reversed(process.children(recursive=True)), process]
        return []

    def kill(self, name: str, *, only: str = "", by: int = signal.SIGKILL) -> None:
        """Send a signal to all of a process of Ray, or to those whose command line has `only`."""
        for process in self.tree(name):
            with suppress(psutil.NoSuchProcess):
                if only in " ".join(process.cmdline()):
                    process.send_signal(by)

    def end(self, name: str) -> None:
        """Kill all of a machine's processes, also those whose parent is gone."""
        self.kill(name)
        self.running.pop(name).wait()

    def _begin(self, name: str, command: list[str], at: int, *, waits: bool = True) -> None:
        self._begun[name] = command, at
        log = self.folder / f"{name}.log"
        start.new_folder(self.settings(at))
        with log.open("wb") as file:
            self.running[name] = subprocess.Popen(
                command,
                stdout=file,
                stderr=file,
                env=self.environ(at),
                cwd=REPOSITORY,
                start_new_session=True,
            )
        if at or not waits:  # a node that comes is waited for where it is used
            return
        deadline = time.monotonic() + _UP_S
        while b"Ray runtime started" not in log.read_bytes():
            if self.running[name].poll() is not None or time.monotonic() > deadline:
                raise AssertionError(log.read_text())
            time.sleep(0.1)

    def environ(self, at: int) -> dict[str, str]:
        own = {"INTROEVAL_TEST_NODE": f"node{at}", "INTROEVAL_TEST_FOLDER": str(self.folder)}
        return {
            **os.environ,
            **own,
            "PYTHONPATH": str(REPOSITORY),
            **start.environment(self.settings(at).token_file),
        }

    def new_link(self) -> RayLink:
        environ = start.environment(self.settings(0).token_file)
        return RayLink(self.head, "tests.support.ray_lab:lend", self.folder / "link.log", environ)


@contextmanager
def ray_lab(folder: Path, nodes: int) -> Iterator[RayLab]:
    """A head and so many nodes, named from 1 on."""
    lab = RayLab(folder)
    try:
        lab.begin_head()
        for at in range(1, nodes + 1):
            lab.begin_node(at)
        yield lab
    finally:
        for name in list(lab.running):
            lab.end(name)
        for at in range(nodes + 1):
            start.remove_folder(lab.settings(at))


FACTS = MachineFacts("", "3", "2", "1", dict.fromkeys(Stage, ""), {}, {}, {})


class _Told(Log):
    """Writes each begin of an attempt into a file, too, for those in another process."""

    def __init__(self, file: Path) -> None:
        super().__init__(_Entries(file))


class _Entries(list[tuple[str, Stage, int | None]]):
    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def append(self, entry: tuple[str, Stage, int | None]) -> None:
        super().append(entry)
        if entry[0] == "begin":
            with self._file.open("a") as file:
                file.write(f"{entry[2]}\n")


@asynccontextmanager
async def lend(progress: OnProgress, on_alarm: OnAlarm) -> AsyncIterator[Lent]:
    """A node of scripted engines, in a process of Ray, as fast as `RayLab.pace` said."""
    folder, name = Path(os.environ["INTROEVAL_TEST_FOLDER"]), os.environ["INTROEVAL_TEST_NODE"]
    paced = folder / "pace"
    *seconds, start_seconds = json.loads(paced.read_text()) if paced.exists() else [0.0] * (len(Stage) + 1)
    log = _Told(folder / f"begun-{name}")
    stt, extract, rate = (
        ScriptedEngine(stage, log, takes, start_seconds=start_seconds)
        for stage, takes in zip(Stage, seconds, strict=True)
    )

    async def no_gpu() -> GpuState:
        return GpuState(absent="none")

    facts = replace(FACTS, name=name)
    node = LocalNode(stt, extract, rate, progress)
    yield Lent(node, lambda: facts, lambda longest: None, no_gpu)


@asynccontextmanager
async def looked_after(
    lab: RayLab, employer: Employer, on_alarm: OnAlarm, ours: MachineFacts = FACTS
) -> AsyncIterator[Machines]:
    """The machines of a lab, which work for `employer`."""
    stop = asyncio.Event()

    async def learn() -> Callable[[], MachineFacts]:
        return lambda: ours

    machines = Machines(
        lab.new_link, learn, employer, lambda ticket, done: None, dict, lambda made: (), on_alarm
    )
    running = asyncio.create_task(machines.run(stop))
    try:
        yield machines
    finally:
        stop.set()
        await running


class ToTheSupervisor:
    """Who gives work to machines, as the daemon has it."""

    def __init__(self, daemon: Daemon) -> None:
        self._supervisor = daemon.supervisor

    def join(self, name: str, node: Lender) -> None:
        self._supervisor.join(name, node)

    def left(self, name: str) -> None:
        self._supervisor.left(name)

    async def drain(self, name: str, *, on: bool, actor: str | None = None) -> None:
        await self._supervisor.drain(name, on=on, actor=actor)

    @property
    def orders(self) -> Orders:
        return self._supervisor.orders
