"""`intake`: how soon a file becomes a task, and how fast a burst of them does.

The intake runs as in the daemon, with the real reader of media; what follows a birth is left out. A task
is born when its claim, hash, probe and receipt are durable.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

from daemon.contracts.values import Born
from daemon.intake.alarm import IntakeAlarm
from daemon.intake.intake import Intake
from daemon.monitoring.alarms import Alarms
from daemon.store import open_store
from daemon.store.session import Session
from daemon.stt.decoder import MediaReader
from tests.bench.clips import short_clips
from tests.bench.figures import Figure, Options, at_least, at_most, median_of, percentile

SINGLE = 30
SINGLE_SETTLE_S = 0.3
BURST = 1000
BURST_SETTLE_S = 2.0
LATENCY_GOAL = at_most(0.5)
RATE_GOAL = at_least(50.0)
_TIMEOUT_S = 120.0


class Births:
    """What the intake tells of."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = asyncio.Event()
        self.alarms: tuple[IntakeAlarm, ...] = ()

    def born(self, births: Sequence[Born]) -> None:
        """New tasks stand."""
        self.count += sum(birth.task is not None for birth in births)
        self._changed.set()

    def alarm(self, alarms: tuple[IntakeAlarm, ...]) -> None:
        """What hinders the intake now."""
        self.alarms = alarms

    async def reach(self, count: int) -> None:
        """Wait until so many were born. Raises TimeoutError."""
        async with asyncio.timeout(_TIMEOUT_S):
            while self.count < count:
                self._changed.clear()
                await self._changed.wait()


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
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = _made(folder, SINGLE)
        async with _intake(folder, SINGLE_SETTLE_S) as (intake, births):
            await intake.settle()
            for number, clip in enumerate(clips, 1):
                began = time.monotonic()
                clip.rename(folder / "inbox" / clip.name)
                await births.reach(number)
                latencies.append(time.monotonic() - began - SINGLE_SETTLE_S)
    return latencies


async def _burst() -> float:
    """Seconds until all files that lie there are tasks, less the settle time."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for clip in _made(folder, BURST):
            clip.rename(folder / "inbox" / clip.name)
        began = time.monotonic()
        async with _intake(folder, BURST_SETTLE_S) as (_, births):
            await births.reach(BURST)
            return time.monotonic() - began - BURST_SETTLE_S


def _made(folder: Path, count: int) -> list[Path]:
    (folder / "inbox").mkdir()
    (folder / "made").mkdir()
    return short_clips(folder / "made", [f"s{number:04d}" for number in range(count)])


@asynccontextmanager
async def _intake(folder: Path, settle_s: float) -> AsyncIterator[tuple[Intake, Births]]:
    """A running intake on a database and a reader of media of its own."""
    births, stop = Births(), asyncio.Event()
    state = folder / "state"
    state.mkdir()
    with ThreadPoolExecutor(1) as executor:
        db = executor.submit(open_store, folder / "state" / "introeval.db").result()
        media = MediaReader(max_duration_s=900.0, log=state / "media.log")
        session = Session(db, executor, Alarms(time.time).on)
        intake = Intake(
            folder / "inbox",
            state,
            session=session,
            media=media,
            on_alarms=births.alarm,
            settle_s=settle_s,
        )
        intake.born.connect(births.born)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(intake.run(stop))
                try:
                    yield intake, births
                finally:
                    stop.set()
        finally:
            await media.aclose()
            executor.submit(db.close).result()
    assert not births.alarms, births.alarms
