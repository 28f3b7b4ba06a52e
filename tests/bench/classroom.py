"""`class`: how much longer a class of thirty takes than its stages do.

Scripted engines take a fixed time for a stage and none to start or stop. What the daemon adds, from the
last claim to the last delivery, is held against the least that the same batches, residency and slots
allow.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from pathlib import Path

from daemon.core.tasks.task import Stage
from daemon.store import open_reader, reports
from tests.bench.figures import Figure, Options, at_most
from tests.support.inprocess import PASSES, PHASES, Lab, worked_off

STUDENTS = 30
PLANNED_S = {Stage.STT: 10.0, Stage.EXTRACT: 20.0, Stage.RATE: 20.0}
WAYS = (("phases, one at a time", PHASES, 1), ("passes, four at a time", PASSES, 4))
BATCHES = (STUDENTS, 10)
GOAL = at_most(1.03)


def measure(options: Options) -> list[Figure]:
    """The ratio of the time taken to the least, for each residency and size of batches."""
    seconds = {stage: planned / options.scale for stage, planned in PLANNED_S.items()}
    figures = []
    for name, residency, parallel in WAYS:
        for size in BATCHES:
            took = asyncio.run(_take(seconds, residency, parallel, size))
            slots = {Stage.STT: 1, Stage.EXTRACT: parallel, Stage.RATE: parallel}
            ratio = took / least_s(seconds, residency, slots, size)
            figures.append(Figure(f"{name}, batches of {size}", ratio, "x the least", GOAL))
    return figures


def least_s(
    seconds: dict[Stage, float], residency: Sequence[Sequence[str]], slots: dict[Stage, int], size: int
) -> float:
    """The shortest time in which the class can be through, with switches and deliveries that cost nothing.

    Batches and groups follow each other. Within a group first come, first served is the best for tasks
    that are all alike, so that playing it through gives the least.
    """
    batches = [min(size, STUDENTS - first) for first in range(0, STUDENTS, size)]
    return sum(
        _span_s(count, list(map(Stage, group)), seconds, slots) for count in batches for group in residency
    )


def _span_s(
    count: int, stages: Sequence[Stage], seconds: dict[Stage, float], slots: dict[Stage, int]
) -> float:
    ready = [0.0] * count
    for stage in stages:
        free = [0.0] * slots[stage]
        heapify(free)
        ended = []
        for at in ready:
            end = max(at, heappop(free)) + seconds[stage]
            heappush(free, end)
            ended.append(end)
        ready = ended
    return max(ready)


async def _take(seconds: dict[Stage, float], residency: list[list[str]], parallel: int, size: int) -> float:
    settings = {
        "gpu.residency": residency,
        "extract.parallel": parallel,
        "rate.parallel": parallel,
        "batch.size": size,
    }
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder), seconds=seconds, settings=settings)
        for number in range(STUDENTS):
            lab.hand_in(f"s{number:03d}_me.mp4")
        async with lab.daemon() as daemon:
            await worked_off(daemon, timeout_s=600.0)
        with open_reader(lab.config.paths.state / "introeval.db") as reader:
            tasks = reports.tasks(reader, limit=STUDENTS + 1)
    delivered = [task.delivered_at for task in tasks if task.delivered_at and task.outcome == "evaluated"]
    if len(delivered) != STUDENTS:
        raise AssertionError(f"of {STUDENTS} tasks {len(delivered)} were evaluated and delivered")
    return max(delivered) - max(task.claimed_at for task in tasks)
