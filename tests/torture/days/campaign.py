"""Many labs, each from its own seed, on all cores; a process each."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.torture.days.agenda import DAY_S
from tests.torture.table import BROKEN, Report

_DAYS = 2  # of each lab: the second begins with what the first has left in its folders and its database
_LIMIT_S = 900.0


def run_days(hours: float, seed: int, tell: Callable[[str], None], cores: int | None = None) -> Report:
    """Simulate `hours` of labs, from `seed` on."""
    began = time.monotonic()
    labs = max(1, round(hours * 3600 / (DAY_S * _DAYS)))
    report, sum_of = Report("days", ""), Counter[str]()
    for number, (status, lines) in enumerate(_all(range(seed, seed + labs), cores), 1):
        counts = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
        sum_of.update({name: value for name, value in counts.items() if name != "seed"})
        for line in lines[:-1]:
            kind = line.partition(":")[0]
            if kind in BROKEN:
                report.broken[kind] += 1
        if status:
            at = counts.get("seed", "unknown")
            report.again.append(f"python -m tests.torture.days --seed {at} --days {_DAYS} --log days.log")
        broken = f", {len(report.again)} failed" if report.again else ""
        tell(f"days: {number} of {labs} labs, {sum_of['hours']:.0f} h{broken}")
    report.done = (
        f"{labs} labs, {sum_of['hours']:.0f} h, {sum_of['uploads']} uploads, {sum_of['attempts']} attempts, "
        f"{sum_of['results']} results, {sum_of['kills']} kills"
    )
    report.seconds = time.monotonic() - began
    return report


def _all(seeds: Sequence[int], cores: int | None) -> Iterator[tuple[int, list[str]]]:
    with ThreadPoolExecutor(cores or os.cpu_count()) as pool:
        for done in as_completed([pool.submit(_lab, seed) for seed in seeds]):
            yield done.result()


def _lab(seed: int) -> tuple[int, list[str]]:
    command = [sys.executable, "-m", "tests.torture.days", "--seed", str(seed), "--days", str(_DAYS)]
    ran = subprocess.run(
        command,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_LIMIT_S,
    )
    lines = ran.stdout.splitlines()
    if not lines or not lines[-1].startswith("{"):
        lines.append(json.dumps({"seed": seed}))
    return ran.returncode, lines
