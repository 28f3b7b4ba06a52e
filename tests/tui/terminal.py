"""A dashboard as a process in a pseudo-terminal: what it writes, counted and read."""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyte


@dataclass
class Terminal:
    """The screen that has drawn all that the process wrote."""

    pid: int
    master: int
    screen: pyte.Screen
    started: float
    written: bytearray = field(default_factory=bytearray)
    _stream: pyte.ByteStream | None = None

    def pump(self, seconds: float) -> int:
        """Read for so long; how many bytes came."""
        before, until = len(self.written), time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if not self._read(left):
                break
        return len(self.written) - before

    def until(self, condition: Callable[[], bool], limit_s: float = 20.0) -> float:
        """Read until something is so; seconds since the process was started. Raises AssertionError."""
        while not condition():
            if time.monotonic() - self.started > limit_s or not self._read(0.5):
                raise AssertionError("never seen:\n" + self.text)
        return time.monotonic() - self.started

    def more(self, limit_s: float) -> None:
        """Wait for the next bytes. Raises AssertionError when none come."""
        before = len(self.written)
        self._read(limit_s)
        if len(self.written) == before:
            raise AssertionError("nothing more was written")

    def shows(self, words: str) -> bool:
        """Whether the words are on the screen."""
        return words in self.text

    def press(self, keys: bytes) -> None:
        """Write to the process as a keyboard does."""
        os.write(self.master, keys)

    @property
    def text(self) -> str:
        """What is on the screen."""
        return "\n".join(self.screen.display)

    def end(self) -> int:
        """Wait until it has ended, reading what it still writes; its exit code."""
        give_up_at = time.monotonic() + 20
        while self._read(1.0):
            if time.monotonic() > give_up_at:
                raise AssertionError("it does not end:\n" + self.text)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self, timeout: float) -> bool:
        if not select.select([self.master], [], [], timeout)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:  # Linux's way to say that nobody has the other end open
            return False
        self.written += data
        if self._stream is None:
            self._stream = pyte.ByteStream(self.screen)
        self._stream.feed(data)
        return bool(data)


# COLUMNS and LINES go before the terminal's own size, and workers of pytest-xdist have them.
_NOT_HANDED_ON = ("NO_COLOR", "SSH_CONNECTION", "COLUMNS", "LINES")


@contextmanager
def terminal(
    arguments: list[str], columns: int = 120, lines: int = 40, **environment: str
) -> Iterator[Terminal]:
    """Python with these arguments in a terminal of this size."""
    values = {name: value for name, value in os.environ.items() if name not in _NOT_HANDED_ON}
    values |= {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LC_ALL": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
    }
    values |= {"XDG_CONFIG_HOME": "/nonexistent"} | environment
    started = time.monotonic()
    pid, master = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        os.chdir(Path(__file__).resolve().parents[2])
        os.execve(sys.executable, [sys.executable, *arguments], values)
    try:
        yield Terminal(pid, master, pyte.Screen(columns, lines), started)
    finally:
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass  # it has ended, and was waited for
        os.close(master)


def dashboard(socket: Path, *more: str) -> list[str]:
    """The arguments that open the dashboard on a socket."""
    return ["-m", "daemon", "tui", "--socket", str(socket), *more]
