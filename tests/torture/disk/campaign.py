"""All cuts and errors of one class, on all cores."""

import json
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.torture.cores import Cores, Worked
from tests.torture.disk.mishaps import Mishap
from tests.torture.table import Report

_SHORT_EVERY = 40  # of the calls, in a short run
_SHOWN = 4  # findings that are named by the command that runs them again


def run_instants(short: bool, seed: int, tell: Callable[[str], None], cores: Cores) -> Report:
    """A cut after every call that changes the disk."""
    report, sums = _run("instants", _SHORT_EVERY if short else 1, seed, tell, cores)
    report.done = (
        f"{sums['cuts']} cuts after {sums['calls']} calls, which left {sums['states']} states: "
        f"{sums['recovered']} recovered, {sums['second']} cut again in recovery; "
        + ", ".join(
            f"{sums[f'without {mishap}']} without {mishap} at the start" for mishap in Mishap if mishap
        )
    )
    return report


def run_errors(short: bool, seed: int, tell: Callable[[str], None], cores: Cores) -> Report:
    """Calls that change the disk fail once."""
    report, sums = _run("errors", _SHORT_EVERY if short else 1, seed, tell, cores)
    report.done = (
        f"{sums['errors']} calls failed once; {sums['away']} times the disk was away for 5 to 60 calls; "
        f"{sums['power cuts']} with a power cut in the evening"
    )
    return report


def _run(
    part: str, every: int, seed: int, tell: Callable[[str], None], cores: Cores
) -> tuple[Report, Counter[str]]:
    began = time.monotonic()
    report, workers = Report(part, ""), cores.count
    counts: list[dict[str, int]] = [{} for _ in range(workers)]

    def work(worker: int) -> None:
        worked, strange = Worked(), 0
        arguments = [part, "--seed", str(seed), "--every", str(every), "--share", f"{worker}/{workers}"]
        for text in cores.lines("tests.torture.disk", arguments, worked):
            if not text.startswith("{"):
                strange += 1
                continue
            line: dict[str, Any] = json.loads(text)
            if "kind" in line:
                _take(report, part, seed, line)
                tell(f"{part}, {line['kind']}: {line['told']}")
            else:
                counts[worker] = line
                tell(f"{part}: {_told(_sum(counts))}")
        report.processor_s += worked.processor_s
        if strange or worked.returncode not in (0, 1):
            report.broken["other"] += 1
            report.again.append(f"python -m tests.torture.disk {' '.join(arguments)}")

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))
    report.seconds = time.monotonic() - began
    return report, _sum(counts)


def _take(report: Report, part: str, seed: int, line: dict[str, Any]) -> None:
    report.broken[line["kind"]] += 1
    if len(report.again) < _SHOWN:
        report.again.append(f"python -m tests.torture.disk {part} --seed {seed} --only {line['where']}")


def _sum(counts: list[dict[str, int]]) -> Counter[str]:
    """The sum over all workers; each of them counts all calls of the class, of which it cuts after some."""
    sums: Counter[str] = Counter()
    for some in counts:
        sums.update(some)
    sums["calls"] = max((some.get("calls", 0) for some in counts), default=0)
    return sums


def _told(sums: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sums.items())
