"""A stop in bad moments: it is obeyed, and what could not be written is done again by the next start."""

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from daemon.contracts.values import Change, Decoded
from daemon.core.errors import EngineError, Fault, StoreError
from daemon.core.tasks.task import Stage, Status
from daemon.store import Database, commits
from tests.support.inprocess import Lab, worked_off
from tests.support.scripted import ScriptedMedia
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


async def test_a_database_that_cannot_be_written_does_not_keep_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = commits.commit
    failures: list[int] = []

    def full(store: Database, changes: list[Change]) -> None:
        failures.append(1)
        raise StoreError("the database cannot be written: disk is full; make room on its disk")

    lab = Lab(tmp_path, settings={"run.stop_grace_s": 1.0})
    lab.hand_in("s001_intro.mp4")
    lab.hand_in("s002_intro.mp4")
    monkeypatch.setattr(commits, "commit", full)
    async with lab.daemon() as daemon:
        await until(lambda: len(failures) > 1 and len(daemon.supervisor.tasks) == 2)
        began = time.monotonic()
    assert time.monotonic() - began < 1.0 + 5.0
    assert not any(engine.alive for engine in lab.engines.values())
    monkeypatch.setattr(commits, "commit", commit)
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    assert sorted(result["student_id"] for result in lab.results().values()) == ["s001", "s002"]


async def test_a_locked_database_does_not_keep_the_daemon(tmp_path: Path) -> None:
    lab = Lab(tmp_path, settings={"run.stop_grace_s": 1.0}, seconds={Stage.STT: 0.5})
    lab.hand_in("s001_intro.mp4")
    async with lab.daemon() as daemon:
        await until(lambda: lab.engines[Stage.STT].alive)
        other = sqlite3.connect(tmp_path / "var" / "introeval.db")
        other.execute("BEGIN IMMEDIATE")
        assert daemon.supervisor.tasks
        began = time.monotonic()
    assert time.monotonic() - began < 20 + 5
    other.close()
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    assert len(lab.results()) == 1


async def test_an_engine_that_does_not_stop_at_once_is_stopped_by_the_second_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path, seconds={Stage.STT: 30.0}, settings={"run.stop_grace_s": 0.0})
    lab.hand_in("s001_intro.mp4")
    async with lab.daemon():
        engine = lab.engines[Stage.STT]
        await until(lambda: engine.alive)
        stop = engine.stop
        refused: list[int] = []

        async def stubborn() -> None:
            if not refused:
                refused.append(1)
                raise EngineError("stt does not stop; look for its process")
            await stop()

        monkeypatch.setattr(engine, "stop", stubborn)
    assert (refused, engine.alive) == ([1], False)


async def test_an_unforeseen_error_is_told_as_it_is_and_leaves_no_engine_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, decode = Lab(tmp_path, settings={"stt.parallel": 2}, seconds={Stage.STT: 60.0}), ScriptedMedia.decode

    async def breaks(media: ScriptedMedia, path: Path, *more: Any) -> Decoded | Fault:
        return 1 / 0 if "s002" in path.name else await decode(media, path, *more)  # type: ignore[return-value]

    async def work() -> None:
        async with lab.daemon() as daemon:
            await until(lambda: any(task.status is Status.STT_PROCESSING for task in daemon.supervisor.tasks))
            lab.hand_in("s002_intro.mp4")
            await asyncio.Event().wait()

    monkeypatch.setattr(ScriptedMedia, "decode", breaks)
    lab.hand_in("s001_intro.mp4")
    with pytest.raises(ZeroDivisionError):
        await work()
    assert not any(engine.alive for engine in lab.engines.values())
