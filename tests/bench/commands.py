"""`commands`: the time of one call of a command, from its start to its end, with a daemon that answers."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.figures import Figure, Options, at_most
from tests.bench.process import make_lab, running

CALLS = 15
GOAL = at_most(0.4)
COMMANDS = ("--help", "tasks", "status")


def measure(options: Options) -> list[Figure]:
    """The median time of each command."""
    with tempfile.TemporaryDirectory() as folder:
        file, config = make_lab(Path(folder))
        with running(file, config):
            return [
                Figure(f"commands: introeval {each}", _median_s(file, each), "s", GOAL) for each in COMMANDS
            ]


def _median_s(file: Path, command: str) -> float:
    line = [sys.executable, "-m", "daemon", "--config", str(file), command]
    times = []
    for _ in range(CALLS):
        began = time.perf_counter()
        subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - began)
    return statistics.median(times)
