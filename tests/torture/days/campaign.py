"""Many labs, each from its own seed, on all cores; a worker has some of them."""

import json
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.torture.cores import Cores, Worked
from tests.torture.days.agenda import DAY_S
from tests.torture.table import BROKEN, Report

_DAYS = 2  # of each lab: the second begins with what the first has left in its folders and its database
_A_WORKER = 8  # labs: enough for its start, and few enough that all workers end together


def run_days(hours: float, seed: int, tell: Callable[[str], None], cores: Cores) -> Report:
    """Simulate `hours` of labs, from `seed` on."""
    began = time.monotonic()
    labs = max(1, round(hours * 3600 / (DAY_S * _DAYS)))
    report, sums = Report("days", ""), Counter[str]()
    each = min(_A_WORKER, -(-labs // cores.count))

    def work(first: int) -> None:
        worked, number, done = Worked(), min(each, seed + labs - first), 0
        arguments = ["--seed", str(first), "--labs", str(number), "--days", str(_DAYS)]
        found: list[str] = []
        for line in cores.lines("tests.torture.days", arguments, worked):
            if not line.startswith("{"):
                found.append(line)
                continue
            _take(report, sums, json.loads(line), found)
            done, found = done + 1, []
            broken = f", {len(report.again)} failed" if report.again else ""
            tell(f"days: {sums['labs']} of {labs} labs, {sums['hours']:.0f} h{broken}")
        report.processor_s += worked.processor_s
        if done < number:  # a lab ended without its sum
            report.broken["other"] += number - done
            report.again.append(f"python -m tests.torture.days {' '.join(arguments)}")

    with ThreadPoolExecutor(cores.count) as pool:
        list(pool.map(work, range(seed, seed + labs, each)))
    report.done = (
        f"{labs} labs, {sums['hours']:.0f} h, in {sums['class_s'] / 3600:.0f} of them work was to do: "
        f"{sums['uploads']} uploads, {sums['attempts']} attempts, {sums['results']} results, "
        f"{sums['kills']} kills, {sums['lives']} lives"
    )
    report.seconds = time.monotonic() - began
    return report


def _take(report: Report, sums: Counter[str], counts: dict[str, Any], found: list[str]) -> None:
    """One lab."""
    kinds = [kind for line in found if (kind := line.partition(":")[0]) in BROKEN]
    report.broken.update(kinds)
    if found:
        report.again.append(
            f"python -m tests.torture.days --seed {counts['seed']} --days {_DAYS} --log days.log"
        )
    sums.update({name: value for name, value in counts.items() if name != "seed"})
    sums["labs"] += 1
