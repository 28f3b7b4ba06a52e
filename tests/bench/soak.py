"""`soak`: class after class through the real daemon on scripted engines, with an operator at the dashboard.

What grows then, although every class looks alike, would grow for ever. A class of thirty takes a tenth of its
planned time, and the next one is handed in when it is through.
"""

import itertools
import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from daemon.config.load import Config, load
from tests.bench.figures import Figure, Options, at_most
from tests.bench.process import Socket, running
from tests.tui.terminal import Terminal, dashboard, terminal

STUDENTS = 30
TRY_S = 1.0
STEP_S = 1.0
QUIET_S = 20.0
SETTLING_S = 3.0
OPEN_A_TASK = (b"j", b"\r", b"\t", b"\t", b"\t", b"\t", b"\x1b")
KEYS = (*OPEN_A_TASK, b"2", b"3", b"4", b"1", b"v", b"s", b"k", b"z", b"z")
GROWTH = at_most(5.0)
SETTINGS = """
[intake]
settle_s = 0.2
[gpu]
residency = [["stt"], ["extract"], ["rate"]]
[extract]
parallel = 4
[rate]
parallel = 4
[batch]
max_wait_s = 1
"""


def measure(options: Options) -> list[Figure]:
    """How much memory and how many open files the daemon and the dashboard have gained at the end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "introeval.toml"
        file.write_text(SETTINGS)
        config = load(file, {})
        scripted = [sys.executable, "-m", "tests.support.scripted_daemon", str(folder), str(TRY_S)]
        with running(file, config, scripted) as pid, terminal(dashboard(config.paths.socket)) as seen:
            seen.until(lambda: seen.shows("live"))
            watched = {"daemon": Watched(pid), "dashboard": Watched(seen.pid)}
            tasks = _classes(config, seen, list(watched.values()), options.minutes * 60)
            seen.press(b"\x1b")
            seen.press(b"1")
            seen.pump(SETTLING_S)
            quiet = seen.pump(QUIET_S) / QUIET_S
    return [
        Figure("tasks", tasks, f"in {options.minutes:g} min"),
        *(
            figure
            for name, process in watched.items()
            for figure in (
                Figure(f"{name}, resident memory at first", process.at_first_mb, "MB"),
                Figure(f"{name}, growth", process.growth_mb, "MB", GROWTH),
                Figure(f"{name}, open files more", process.files_more, "", at_most(0)),
            )
        ),
        Figure("dashboard afterwards, bytes", quiet, "B/s", at_most(50)),
    ]


@dataclass
class Watched:
    """A process, looked at again and again."""

    pid: int
    memory_mb: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def look(self) -> None:
        """Note what it holds now."""
        process = psutil.Process(self.pid)
        self.memory_mb.append(process.memory_info().rss / 1e6)
        self.files.append(process.num_fds())

    @property
    def _part(self) -> int:
        return max(1, len(self.memory_mb) // 6)

    @property
    def at_first_mb(self) -> float:
        """What it held in the second sixth of the time: the first belongs to caches that fill."""
        return statistics.median(self.memory_mb[self._part : 2 * self._part])

    @property
    def growth_mb(self) -> float:
        """How much more it held in the last sixth."""
        return statistics.median(self.memory_mb[-self._part :]) - self.at_first_mb

    @property
    def files_more(self) -> float:
        """How many more files were open at most in the last sixth."""
        return max(self.files[-self._part :]) - max(self.files[self._part : 2 * self._part])


def _classes(config: Config, seen: Terminal, watched: list[Watched], seconds: float) -> int:
    """Hand in classes until the time is over, and see the last one through. Gives the number of tasks."""
    numbers, keys = itertools.count(), itertools.cycle(KEYS)
    socket = Socket(config.paths.socket)
    until = time.monotonic() + seconds
    handed_in = 0
    while True:
        if _done(socket) == handed_in:
            if time.monotonic() > until:
                return handed_in
            for number in itertools.islice(numbers, STUDENTS):
                _hand_in(config.paths.inbox, f"s{number % STUDENTS:03d}_{number}.mp4")
            handed_in += STUDENTS
        seen.press(next(keys))
        seen.pump(STEP_S)
        seen.written.clear()
        for process in watched:
            process.look()


def _done(socket: Socket) -> int:
    """How many tasks are finished and delivered."""
    said = json.loads(socket.get("/status"))
    return int(said["counts"].get("completed", 0)) - int(said["undelivered"])


def _hand_in(inbox: Path, name: str) -> None:
    part = inbox / f"{name}.part"
    part.write_text(name)
    part.rename(inbox / name)
