"""`idle`: what the real daemon costs a machine while there is nothing to do."""

import tempfile
import time
from pathlib import Path

import psutil

from tests.bench.figures import ROUNDS, Figure, Options, at_most, median_of
from tests.bench.process import cpu_s, make_lab, running

WATCHED_S = 20.0
SETTLING_S = 3.0
CPU_GOAL = at_most(0.3)
MEMORY_GOAL = at_most(80.0)


def measure(options: Options) -> list[Figure]:
    """The processor's time and the resident memory of the daemon, and the memory of its children."""
    shares = []
    with tempfile.TemporaryDirectory() as folder:
        file, config = make_lab(Path(folder))
        with running(file, config) as pid:
            daemon = psutil.Process(pid)
            time.sleep(SETTLING_S)
            for _ in range(ROUNDS):
                began, before = time.monotonic(), cpu_s(daemon)
                time.sleep(WATCHED_S)
                shares.append(100 * (cpu_s(daemon) - before) / (time.monotonic() - began))
            memory = daemon.memory_info().rss / 1e6
            children = sum(child.memory_info().rss for child in daemon.children(recursive=True)) / 1e6
    return [
        median_of("processor", shares, "% of a core", CPU_GOAL),
        Figure("resident memory", memory, "MB", MEMORY_GOAL),
        Figure("resident memory of its children", children, "MB"),
    ]
