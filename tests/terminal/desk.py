"""A place to open dashboards at, and daemons for them to look at: a scripted one, and the real one."""

import asyncio
import subprocess
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.waiting import wait_until
from tests.terminal.tmux import INTROEVAL, REPOSITORY, Terminal, Tmux, environment, plain
from tests.tui.fake_daemon import FakeDaemon, a_class, a_status, in_thread


@dataclass
class Played:
    """A scripted daemon in a thread. The attributes of `fake` may be set from the test."""

    fake: FakeDaemon
    loop: asyncio.AbstractEventLoop

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.fake.path

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine in its loop: `daemon.do(daemon.fake.kill())`."""
        asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def reset(self) -> FakeDaemon:
        """As it was at first, with nothing asked yet."""
        fake = self.fake
        if fake._server is None:
            self.do(fake.restart())
        fake.status, fake.tasks = a_status(seq=fake.status.seq + 1, pid=fake.status.pid), a_class()
        fake.delay_s, fake.garbage, fake.silent, fake.refuse, fake.obeys = 0.0, None, False, None, True
        fake.requests.clear()
        fake.results.clear()
        return fake

    def was_asked(self, beginning: str) -> None:
        """Wait until it was asked this."""
        wait_until(lambda: self.fake.asked(beginning), lambda: f"{beginning} among {self.fake.asked('POST')}")


@contextmanager
def played(socket: Path) -> Iterator[Played]:
    """A scripted daemon on `socket` for as long as the context lasts."""
    fake = FakeDaemon(socket)
    with in_thread(fake):
        assert fake._server is not None
        yield Played(fake, fake._server.get_loop())


@dataclass
class Desk:
    """Opens terminals with dashboards, on the socket `s` of its folder unless told otherwise."""

    tmux: Tmux
    folder: Path
    opened: list[Terminal] = field(default_factory=list)

    def command(self, *options: str, socket: Path | None = None, **variables: str) -> str:
        """The shell command line of a dashboard in the environment of one who has set only `variables`."""
        dashboard = [*INTROEVAL, "tui", "--socket", str(socket or self.folder / "s"), *options]
        return f"cd {self.folder} && " + plain(dashboard, environment(self.folder, **variables))

    def terminal(
        self, command: str, width: int = 80, height: int = 24, *, term: str = "xterm-256color"
    ) -> Terminal:
        """A terminal in which a shell runs `command`."""
        terminal = self.tmux.open(command, width, height, term=term)
        self.opened.append(terminal)
        return terminal

    def open(
        self, *options: str, width: int = 80, height: int = 24, term: str = "xterm-256color", **variables: str
    ) -> Terminal:
        """A terminal with a dashboard."""
        return self.terminal(self.command(*options, socket=None, **variables), width, height, term=term)

    def close(self) -> None:
        """Close every window."""
        while self.opened:
            self.opened.pop().close()


@dataclass
class RealDaemon:
    """The real daemon on scripted engines, as a process in a folder of its own."""

    folder: Path
    seconds: float = 0.2  # that a try takes at each stage
    settings: str = ""
    wrapper: tuple[str, ...] = ()  # a command line that runs the one that follows it
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / "var" / "introeval.sock"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        for name in ("inbox", "outbox", "var"):
            (self.folder / name).mkdir(exist_ok=True)
        (self.folder / "introeval.toml").write_text("[intake]\nsettle_s = 0.05\n" + self.settings)
        log = self.folder / "stderr"
        self.socket.unlink(missing_ok=True)
        with log.open("ab") as output:
            process = subprocess.Popen(
                [
                    *self.wrapper,
                    sys.executable,
                    "-m",
                    "tests.support.scripted_daemon",
                    str(self.folder),
                    str(self.seconds),
                ],
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

        def listens() -> bool:
            assert process.poll() is None, f"the daemon ended with {process.returncode}: {log.read_text()}"
            return self.socket.exists()

        self.process = process
        wait_until(listens, lambda: f"the daemon's socket: {log.read_text()}")

    def stop(self) -> None:
        """End it as the system would."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def kill(self) -> None:
        """End it as the kernel would when memory is short."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(60)
        self.process = None

    def hand_in(self, *names: str) -> None:
        """Put videos into the inbox."""
        for name in names:
            part = self.folder / "inbox" / f"{name}.part"
            part.write_text(name)
            part.rename(self.folder / "inbox" / name)

    @property
    def results(self) -> int:
        """How many results are delivered."""
        return len(list((self.folder / "outbox").glob("[!.]*/*.result.json")))
