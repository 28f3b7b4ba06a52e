"""`commands`: the time of one call of a command, from its start to its end, with a daemon and without."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from daemon.store import open_store
from tests.bench.bytecode import kept_in
from tests.bench.figures import Figure, Options, at_most, in_turn, median_of, seconds_of
from tests.bench.process import database, make_lab, running

CALLS = 11
GOAL = at_most(0.4)
COMMANDS = ("tasks", "status", "attention", "ledger", "rubric show")


def measure(options: Options) -> list[Figure]:
    """The median time of each command, and of Python with nothing to do."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as daemons:
        ways = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "introeval --help": [sys.executable, "-m", "daemon", "--help"],
        }
        for where in ("without a daemon", "with a daemon"):
            folder = Path(name) / where
            folder.mkdir()
            file, config = make_lab(folder)
            open_store(database(config)).close()
            if where == "with a daemon":
                daemons.enter_context(running(file, config))
            introeval = [sys.executable, "-m", "daemon", "--config", str(file)]
            ways |= {f"introeval {each}, {where}": [*introeval, *each.split()] for each in COMMANDS}
        environment = os.environ | kept_in(Path(name))
        calls = {each: partial(seconds_of, partial(_call, line, environment)) for each, line in ways.items()}
        in_turn(calls, 1)  # the first round makes the bytecode
        times = in_turn(calls, CALLS)
    return [
        median_of(each, times[each], "s", GOAL if each.startswith("introeval") else None) for each in ways
    ]


def _call(line: list[str], environment: Mapping[str, str]) -> None:
    subprocess.run(line, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
