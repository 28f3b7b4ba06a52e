"""`intake`: how soon a file becomes a task, and how fast a burst of them does.

The intake runs as in the daemon, with the real reader of media; what follows a birth is left out. A task
is born when its claim, hash, probe and receipt are durable.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from daemon.intake.limits import Limits
from daemon.stt.decoder import MediaReader
from tests.bench.clips import short_clips
from tests.bench.figures import Figure, Options, at_least, at_most, median_of, percentile
from tests.support.intake_lab import IntakeLab, lab
from tests.support.waiting import until

SINGLE = 30
SINGLE_SETTLE_S = 0.3
BURST = 1000
BURST_SETTLE_S = 2.0
LATENCY_GOAL = at_most(0.5)
RATE_GOAL = at_least(50.0)
_TIMEOUT_S = 120.0


def measure(options: Options) -> list[Figure]:
    """The 95th percentile of the latency beyond the settle time, and births per second of a burst."""
    latencies = asyncio.run(_single())
    took = asyncio.run(_burst())
    return [
        Figure(f"claim of one file, p95 of {SINGLE}", percentile(latencies, 95), "s", LATENCY_GOAL),
        median_of("claim of one file, median", latencies, "s"),
        Figure(f"a burst of {BURST:,} files", BURST / took, "files/s", RATE_GOAL),
    ]


async def _single() -> list[float]:
    """Seconds from the rename that completes a file to its task, less the settle time, one by one."""
    latencies = []
    with tempfile.TemporaryDirectory() as name, lab(Path(name)) as intake:
        clips = _made(Path(name), SINGLE)
        async with _running(intake, SINGLE_SETTLE_S):
            for number, clip in enumerate(clips, 1):
                began = time.monotonic()
                clip.rename(intake.inbox / clip.name)
                await _born(intake, number)
                latencies.append(time.monotonic() - began - SINGLE_SETTLE_S)
    return latencies


async def _burst() -> float:
    """Seconds until all files that lie there are tasks, less the settle time."""
    with tempfile.TemporaryDirectory() as name, lab(Path(name)) as intake:
        for clip in _made(Path(name), BURST):
            clip.rename(intake.inbox / clip.name)
        began = time.monotonic()
        async with _running(intake, BURST_SETTLE_S):
            await _born(intake, BURST)
            return time.monotonic() - began - BURST_SETTLE_S


def _made(folder: Path, count: int) -> list[Path]:
    (folder / "made").mkdir()
    return short_clips(folder / "made", [f"s{number:04d}" for number in range(count)])


async def _born(intake: IntakeLab, count: int) -> None:
    await until(lambda: len(intake.born) >= count, _TIMEOUT_S)


@asynccontextmanager
async def _running(opened: IntakeLab, settle_s: float) -> AsyncIterator[None]:
    """The intake of a lab with the real reader of media, once it watches."""
    stop, media = asyncio.Event(), MediaReader(max_duration_s=900.0, log=opened.state / "media.log")
    intake = opened.intake(media=media, settle_s=settle_s, rescan_s=30.0, limits=Limits())
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(intake.run(stop))
            try:
                await intake.settle()
                yield
            finally:
                stop.set()
    finally:
        await media.aclose()
    assert not any(opened.alarms), opened.alarms
