"""Real terminals for the tests: a tmux server of the tests' own, whose panes are read as a person reads them.

A pane runs a shell that runs one command, and then says with which code it ended and how the terminal's
line discipline stands. The terminal lives on, so that what the command left behind can be seen.
"""

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.support.waiting import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
INTROEVAL = (sys.executable, "-m", "daemon")
BEFORE = "what stood here before"
_AFTER = (
    "code=$?; printf '\\nended with %s\\n' $code; "
    "said=$(stty -a | tr ' ;' '\\n\\n' | grep -xE -- '-?(isig|icanon|echo)' | tr '\\n' ' '); "
    "printf 'line: %s.\\n' \"$said\"; "
    "exec sleep 3600"
)
_OVER = "\nline: "
SANE = "line: isig icanon echo ."
LIMIT_S = 30.0


@dataclass(frozen=True)
class Modes:
    """What a program can leave behind in a terminal."""

    alternate: bool
    mouse: bool
    cursor: bool


RESTORED = Modes(alternate=False, mouse=False, cursor=True)


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of an operator who has set nothing: the tests' own must not count."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(REPOSITORY),
        **more,
    }


def plain(
    command: Sequence[str], variables: Mapping[str, str], *, inherited: Sequence[str] = ("TERM",)
) -> str:
    """A shell command line that runs `command` with these variables alone, and those that the shell has."""
    kept = [f'{name}="${name}"' for name in inherited if name not in variables]
    given = [shlex.quote(f"{name}={value}") for name, value in variables.items()]
    return " ".join(["env", "-i", *kept, *given, shlex.join(command)])


class Tmux:
    """A server of its own, which lives until it is closed."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._opened = 0
        self.run("start-server", ";", "set-option", "-s", "exit-empty", "off")

    def run(self, *arguments: str) -> str:
        """Run a command of tmux; what it prints."""
        command = ["tmux", "-u", "-f", "/dev/null", "-S", str(self._socket), *arguments]
        clean = {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "TERM": "xterm-256color",
            "SHELL": "/bin/sh",
        }
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=clean)
        if done.returncode != 0:
            raise AssertionError(f"tmux {shlex.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def open(
        self, command: str, width: int = 80, height: int = 24, *, term: str = "xterm-256color"
    ) -> "Terminal":
        """A terminal of that size that calls itself `term`, with a shell that runs `command`."""
        self._opened += 1
        name = f"t{self._opened}"
        script = f"trap : INT; TERM={term}; export TERM; echo {shlex.quote(BEFORE)}; {command}; {_AFTER}"
        size = ("-x", str(width), "-y", str(height))
        shown = self.run(
            "new-session", "-d", "-P", "-F", "#{pane_pid}", "-s", name, *size, "--", "/bin/sh", "-c", script
        )
        return Terminal(self, name, int(shown))

    def close(self) -> None:
        """End the server, and all terminals with it."""
        self.run("kill-server")


@dataclass
class Terminal:
    """One terminal."""

    tmux: Tmux
    name: str
    shell: int  # process id

    def type(self, *keys: str) -> None:
        """Press keys, by tmux's names for them: `q`, `Escape`, `C-c`."""
        self.tmux.run("send-keys", "-t", self.name, "--", *keys)

    def write(self, text: str) -> None:
        """Type a text."""
        self.tmux.run("send-keys", "-t", self.name, "-l", "--", text)

    @property
    def text(self) -> str:
        """What is seen."""
        return self.tmux.run("capture-pane", "-p", "-t", self.name)

    @property
    def joined(self) -> str:
        """What is seen, where a line that was wrapped is one line."""
        return self.tmux.run("capture-pane", "-J", "-p", "-t", self.name)

    @property
    def colours(self) -> str:
        """What is seen, with its escape sequences."""
        return self.tmux.run("capture-pane", "-e", "-p", "-t", self.name)

    @property
    def modes(self) -> Modes:
        """How the terminal stands."""
        said = self.tmux.run(
            "display-message", "-p", "-t", self.name, "#{alternate_on} #{mouse_any_flag} #{cursor_flag}"
        )
        alternate, mouse, cursor = (word == "1" for word in said.split())
        return Modes(alternate, mouse, cursor)

    def resize(self, width: int, height: int) -> None:
        """Change its size."""
        self.tmux.run("resize-window", "-t", self.name, "-x", str(width), "-y", str(height))

    def sees(self, *words: str, limit_s: float = LIMIT_S) -> str:
        """Wait until all these words are seen at one time; what is seen then."""
        seen = ""

        def there() -> bool:
            nonlocal seen
            seen = self.text
            whole = all(word in seen for word in words)
            assert whole or _OVER not in seen, f"{words} did not come before the end of the command:\n{seen}"
            return whole

        wait_until(there, lambda: f"{words} in\n{seen}", limit_s)
        return seen

    def sees_no(self, *words: str) -> str:
        """Wait until none of these words is seen; what is seen then."""
        seen = ""

        def gone() -> bool:
            nonlocal seen
            seen = self.text
            return not any(word in seen for word in words)

        wait_until(gone, lambda: f"none of {words} in\n{seen}")
        return seen

    def program(self, word: str = "tui") -> psutil.Process:
        """The process that the shell runs now, a child of its or further below, with that argument."""
        found: list[psutil.Process] = []

        def there() -> bool:
            found[:] = [
                each
                for each in psutil.Process(self.shell).children(recursive=True)
                if word in _arguments(each)
            ]
            return bool(found)

        wait_until(there, lambda: f"a process with the argument {word}")
        return found[-1]

    def ended(self) -> int:
        """Wait until the command has ended and the terminal stands as before; the exit code."""
        seen = self.sees("ended with ", _OVER)
        assert self.modes == RESTORED
        assert SANE in seen, seen
        assert BEFORE in seen, seen
        return int(seen.partition("ended with ")[2].split()[0])

    def close(self) -> None:
        """Close the window, as with a click."""
        self.tmux.run("kill-session", "-t", self.name)


def left_behind(mark: str) -> list[str]:
    """The dashboards that live and have `mark` in an argument of theirs."""
    return [
        " ".join(arguments)
        for process in psutil.process_iter()
        if "tui" in (arguments := _arguments(process)) and any(mark in argument for argument in arguments)
    ]


def nothing_left_behind(mark: str) -> None:
    """Wait until no dashboard with that mark lives."""
    wait_until(lambda: not left_behind(mark), lambda: f"the end of {left_behind(mark)}")


def _arguments(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return []
