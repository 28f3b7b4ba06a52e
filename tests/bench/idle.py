"""`idle`: what the real daemon costs a machine while there is nothing to do."""

import tempfile
import time
from pathlib import Path

import psutil

from tests.bench.figures import Figure, Options, at_most
from tests.bench.process import make_lab, running

WATCHED_S = 20.0
SETTLING_S = 3.0
CPU_GOAL = at_most(0.5)
MEMORY_GOAL = at_most(100.0)


def measure(options: Options) -> list[Figure]:
    """The processor's time and the resident memory of the daemon, and the memory of its children."""
    with tempfile.TemporaryDirectory() as folder:
        file, config = make_lab(Path(folder))
        with running(file, config) as pid:
            daemon = psutil.Process(pid)
            time.sleep(SETTLING_S)
            began, before = time.monotonic(), _cpu_s(daemon)
            time.sleep(WATCHED_S)
            share = (_cpu_s(daemon) - before) / (time.monotonic() - began)
            memory = daemon.memory_info().rss / 1e6
            children = sum(child.memory_info().rss for child in daemon.children(recursive=True)) / 1e6
    return [
        Figure("idle: processor", 100 * share, "% of a core", CPU_GOAL),
        Figure("idle: resident memory", memory, "MB", MEMORY_GOAL),
        Figure("idle: resident memory of its children", children, "MB"),
    ]


def _cpu_s(daemon: psutil.Process) -> float:
    """Processor seconds of the daemon and of the children that it has or had."""
    living = [child.cpu_times() for child in daemon.children(recursive=True)]
    own = daemon.cpu_times()
    ended = own.children_user + own.children_system
    return float(own.user + own.system + ended + sum(times.user + times.system for times in living))
