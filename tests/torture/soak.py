"""Ten thousand tasks through one daemon, at speed: what grows with the tasks, and whether it becomes slower.

The real daemon in a process of its own, on scripted engines that take no time. Classes of students who come
again and again are handed in, each when the one before is through.
"""

import contextlib
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psutil

from daemon.config.load import Config, load
from tests.bench.process import Socket, database, running
from tests.torture.cores import Cores
from tests.torture.table import Report

CLASS = 250
_TASKS, _SHORT = 10_000, 1_000
_WARM = 0.2  # of the tasks, in which caches fill
_LIMIT_S = 300.0  # of one class
_LOOK_S = 0.2
_MORE_MB = 10.0  # at the end: a kilobyte a task
_SETTINGS = """
[intake]
settle_s = 0.1
min_free_mb = 0
[gpu]
residency = [["stt", "extract", "rate"]]
[stt]
parallel = 4
[extract]
parallel = 4
[rate]
parallel = 4
"""


@dataclass(frozen=True)
class Sight:
    """What the daemon holds after so many tasks, and the seconds of its processor until then."""

    tasks: int
    memory_mb: float
    files: int
    threads: int
    database_mb: float
    log_mb: float
    processor_s: float
    status_ms: float


def run_soak(short: bool, seed: int, tell: Callable[[str], None], cores: Cores) -> Report:
    """Work off the tasks, and compare the end with the beginning. There is nothing to draw from a seed."""
    report = Report("soak", "")
    with cores.one(), tempfile.TemporaryDirectory(prefix="introeval-soak-") as tmp:
        began, tasks = time.monotonic(), _SHORT if short else _TASKS
        folder = Path(tmp)
        sights, lost = _work_off(folder, tasks, tell)
    for complaint in lost:
        report.broken["lost"] += 1
        report.again.append(f"python -m tests.torture soak  # {complaint}")
    for complaint in judged(sights):
        report.broken["other"] += 1
        report.again.append(f"python -m tests.torture soak  # {complaint}")
    report.done, report.processor_s = told(sights), sights[-1].processor_s
    report.seconds = time.monotonic() - began
    return report


def told(sights: list[Sight]) -> str:
    """The growth in words."""
    first, last = _first(sights), sights[-1]
    more = last.tasks - first.tasks
    return (
        f"{last.tasks} tasks; memory {first.memory_mb:.0f} to {last.memory_mb:.0f} MB, "
        f"files {first.files} to {last.files}, threads {first.threads} to {last.threads}, "
        f"{(last.database_mb - first.database_mb) * 1e3 / more:.1f} KB of database and "
        f"{(last.log_mb - first.log_mb) * 1e3 / more:.1f} KB of log a task, processor a task "
        f"{_ms_a_task(sights, late=False):.1f} ms at first, {_ms_a_task(sights, late=True):.1f} at last"
    )


def judged(sights: list[Sight]) -> list[str]:
    """What grew that should not have, in words. Each figure is compared with that after the first tasks."""
    first, last = _first(sights), sights[-1]
    more = last.tasks - first.tasks
    early, late = _ms_a_task(sights, late=False), _ms_a_task(sights, late=True)
    a_task_kb = (last.database_mb - first.database_mb) * 1e3 / more
    limits = {
        f"{last.memory_mb - first.memory_mb:.1f} MB more memory": last.memory_mb > first.memory_mb + _MORE_MB,
        f"{last.files - first.files} more open files": last.files > first.files + 2,
        f"{last.threads - first.threads} more threads": last.threads > first.threads + 2,
        f"{a_task_kb:.1f} KB of database a task": a_task_kb > 25.0,
        f"{late:.1f} ms a task at the end, {early:.1f} at first": late > 1.3 * early,
        f"{last.status_ms:.0f} ms for the status": last.status_ms > max(50.0, 3 * first.status_ms),
    }
    return [complaint for complaint, broken in limits.items() if broken]


def _first(sights: list[Sight]) -> Sight:
    return sights[int(_WARM * len(sights))]


def _ms_a_task(sights: list[Sight], *, late: bool) -> float:
    """The median processor time of a task, in a class of the first or of the last fifth."""
    part = max(1, len(sights) // 5)
    first = int(_WARM * len(sights))
    some = sights[-part - 1 :] if late else sights[first : first + part + 1]
    return statistics.median(
        1e3 * (b.processor_s - a.processor_s) / (b.tasks - a.tasks) for a, b in pairwise(some)
    )


def _work_off(folder: Path, tasks: int, tell: Callable[[str], None]) -> tuple[list[Sight], list[str]]:
    file = folder / "introeval.toml"
    file.write_text(_SETTINGS)
    config = load(file, {})
    scripted = [sys.executable, "-m", "tests.support.scripted_daemon", str(folder), "0"]
    sights = []
    with running(file, config, scripted) as pid:
        process = psutil.Process(pid)
        for number in range(0, tasks, CLASS):
            for student in range(CLASS):
                _hand_in(config.paths.inbox, f"s{student:03d}_{number + student}.mp4")
            _wait_until_done(config, number + CLASS)
            sights.append(_sight(config, process, number + CLASS))
            tell(f"soak: {number + CLASS} of {tasks} tasks, {sights[-1].memory_mb:.0f} MB")
    return sights, _lost(config, tasks)


def _hand_in(inbox: Path, name: str) -> None:
    part = inbox / f"{name}.part"
    part.write_text(name)
    part.rename(inbox / name)


def _wait_until_done(config: Config, tasks: int) -> None:
    """Look into the database itself: an answer would be the daemon's work, and a busy one may refuse it."""
    until = time.monotonic() + _LIMIT_S
    while (done := _done(config)) < tasks:
        if time.monotonic() > until:
            raise AssertionError(f"{done} of {tasks} tasks are done, and no more come")
        time.sleep(_LOOK_S)


def _done(config: Config) -> int:
    """How many tasks are finished and delivered."""
    query = "SELECT COUNT(*) FROM processing_tasks WHERE status = 'completed' AND delivered_at IS NOT NULL"
    with contextlib.closing(sqlite3.connect(f"file:{database(config)}?mode=ro", uri=True)) as db:
        return int(db.execute(query).fetchone()[0])


def _sight(config: Config, process: psutil.Process, tasks: int) -> Sight:
    state = config.paths.state
    began = time.perf_counter()
    with contextlib.closing(Socket(config.paths.socket)) as socket:  # an idle one would be closed meanwhile
        socket.get("/status")
    status_s = time.perf_counter() - began
    times = process.cpu_times()
    logs = [*(state / "log").glob("*"), config.paths.inbox.parent / "daemon.out"]
    return Sight(
        tasks,
        process.memory_info().rss / 1e6,
        process.num_fds(),
        process.num_threads(),
        sum(path.stat().st_size for path in state.glob("introeval.db*")) / 1e6,
        sum(path.stat().st_size for path in logs) / 1e6,
        times.user + times.system,
        1e3 * status_s,
    )


def _lost(config: Config, tasks: int) -> list[str]:
    """What is not there at the end although it was handed in, or is there twice."""
    db = sqlite3.connect(database(config))
    rows = db.execute("SELECT user_id, filename, outcome FROM processing_tasks").fetchall()
    db.close()
    counted = Counter((student, filename) for student, filename, _ in rows)
    results = len(list(config.paths.outbox.glob("[!.]*/*.result.json")))
    left = [path.name for path in config.paths.inbox.iterdir() if not path.name.startswith(".")]
    archived = sum(1 for path in (config.paths.state / "archive").glob("*/*"))
    complaints = {
        f"{len(counted)} different tasks of {tasks}": len(counted) != tasks,
        f"{len(rows)} tasks of {tasks}": len(rows) != tasks,
        f"{results} results of {tasks}": results != tasks,
        f"{archived} archived videos of {tasks}": archived != tasks,
        f"{len(left)} files left in the inbox": bool(left),
        "a task was not evaluated": any(outcome != "evaluated" for *_, outcome in rows),
    }
    return [complaint for complaint, broken in complaints.items() if broken]
