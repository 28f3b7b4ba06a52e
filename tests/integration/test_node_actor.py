"""The actor of a machine alone, without Ray: what it leaves, and what it finds left."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon.cluster.actor import Lent, NodeActor
from daemon.contracts.values import ExtractWork, OnAlarm, OnProgress, StageOutcome, SttWork, Take, Ticket
from daemon.contracts.wire.status import GpuState
from daemon.core.alarms import trouble
from daemon.core.tasks.task import Stage
from daemon.node import LocalNode
from daemon.system.lock import gone, holder
from tests.support.ray_lab import FACTS
from tests.support.scripted import TRANSCRIPT, Log, ScriptedEngine
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

HOLDS = "import sys, time; from pathlib import Path; from daemon.system.lock import taken; "
HOLDS += "lock = taken(Path(sys.argv[1])); print('holds', flush=True); time.sleep(1000)"
STT = frozenset({Stage.STT})
FOLDER, LOG = Path(), Log()  # of the test
READ: list[bytes] = []  # the sounds of the attempts


@dataclass
class LockedEngine(ScriptedEngine):
    """An engine that is gone only once its lock is free, as a real one."""

    async def transcribe(self, work: SttWork, progress: OnProgress) -> StageOutcome:
        reads = await asyncio.create_subprocess_exec("cat", work.pcm, stdout=asyncio.subprocess.PIPE)
        READ.append((await reads.communicate())[0])
        return await super().transcribe(work, progress)

    async def stop(self) -> None:
        await super().stop()
        await gone(FOLDER / "engine.lock", kill_after_s=0.0)


@asynccontextmanager
async def lend(progress: OnProgress, on_alarm: OnAlarm) -> AsyncIterator[Lent]:
    engines = (
        LockedEngine(Stage.STT, LOG),
        ScriptedEngine(Stage.EXTRACT, LOG, 1000.0),
        ScriptedEngine(Stage.RATE, LOG),
    )
    on_alarm("degraded_stt", trouble("degraded_stt", "it is slow"))
    progress(Ticket(1, 1, 1), 0.5)

    async def no_gpu() -> GpuState:
        return GpuState(absent="none")

    node = LocalNode(*engines, progress)
    yield Lent(node, lambda: FACTS, lambda longest: None, no_gpu)
    (FOLDER / "given back").touch()


@pytest.fixture
def actor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NodeActor:
    monkeypatch.setattr(sys.modules[__name__], "FOLDER", tmp_path)
    monkeypatch.setattr(sys.modules[__name__], "LOG", Log())
    monkeypatch.setattr(sys.modules[__name__], "READ", [])
    return NodeActor(f"{__name__}:lend")


async def test_an_engine_that_an_earlier_actor_left_is_ended_before_there_is_work(
    actor: NodeActor, tmp_path: Path
) -> None:
    lock = tmp_path / "engine.lock"
    left = subprocess.Popen([sys.executable, "-c", HOLDS, str(lock)], stdout=subprocess.PIPE)
    assert left.stdout is not None
    left.stdout.readline()
    assert holder(lock) == left.pid
    await actor.open()
    assert holder(lock) is None
    assert left.wait() < 0
    left.stdout.close()


def sounds() -> list[str]:
    """What this process holds of sound: the places of its open files."""
    places = []
    for each in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the listing itself
            places.append(os.readlink(each))
    return [place for place in places if "sound" in place]


async def test_sound_is_there_for_its_work_alone_and_in_no_folder(actor: NodeActor) -> None:
    await actor.open()
    await actor.ensure(STT, False, {})
    await actor.sound("1-0.pcm", b"ab")
    await actor.sound("1-0.pcm", b"cd")
    assert [place.partition(":")[0] for place in sounds()] == ["/memfd"]
    work = SttWork(Ticket(1, 1, 1), Path("1-0.pcm"), (Take(1.0),))
    assert len([answer async for answer in actor.work(1, Stage.STT, [work])]) == 1
    assert READ == [b"abcd"], "by another process, as the engine is"
    assert sounds() == []
    await actor.sound("2-0.pcm", b"never asked for")
    await actor.ensure(None, False, {})
    assert sounds() == [], "of an attempt that was given up before it began"


async def test_work_that_is_dropped_has_ended_by_then(actor: NodeActor) -> None:
    await actor.open()
    await actor.ensure(frozenset({Stage.EXTRACT}), False, {})
    work = actor.work(1, Stage.EXTRACT, [ExtractWork(Ticket(1, 1, 1), TRANSCRIPT)])
    asking = asyncio.ensure_future(anext(work))
    await until(lambda: LOG.tried(Stage.EXTRACT))
    await actor.drop(1)
    await actor.ensure(None, False, {})
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_pulse_tells_progress_and_problems(actor: NodeActor, tmp_path: Path) -> None:
    await actor.open()
    told = await actor.pulse()
    assert told.progress == {Ticket(1, 1, 1): 0.5}
    assert [trouble.cause for trouble in told.troubles] == ["it is slow"]
    assert told.facts == FACTS
    await actor.aclose()
    assert (tmp_path / "given back").exists()
