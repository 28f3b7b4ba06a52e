"""Guards that no other test takes by themselves. See `tests.torture.mutants`."""

import asyncio
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from daemon.contracts.documents import Document, Kind
from daemon.contracts.values import ExtractWork, Ticket
from daemon.core.errors import ExclusionError
from daemon.core.tasks.lifecycle import RetryPolicy
from daemon.core.tasks.task import Stage, Status, Task
from daemon.delivery.outbox import Outbox
from daemon.node import LocalNode
from daemon.store import open_store
from daemon.supervisor.task_book import TaskBook
from daemon.system.folder import Folder
from tests.support.checkout import REPOSITORY
from tests.support.inprocess import Lab
from tests.support.places import outlet
from tests.support.scripted import TRANSCRIPT, Log, ScriptedEngine
from tests.torture.mutants import HARNESS, MUTANTS, Mutant

WORK = ExtractWork(Ticket(1, 1, 1), TRANSCRIPT)
NAME = "s01/0001-intro.result.json"


def test_each_commit_is_synced_and_references_are_held(tmp_path: Path) -> None:
    with open_store(tmp_path / "introeval.db") as db:
        assert (db.pragma("synchronous"), db.pragma("foreign_keys")) == (2, 1)


def test_nothing_is_told_done_before_file_and_folder_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outbox").mkdir()
    steps = list[str]()
    fsync, rename = os.fsync, Folder.rename

    def synced(fd: int) -> None:
        fsync(fd)
        steps.append(f"sync {Path(os.readlink(f'/proc/self/fd/{fd}')).name}")

    def renamed(folder: Folder, name: bytes, target: Folder, new: bytes) -> None:
        rename(folder, name, target, new)
        steps.append(f"name {new.decode()}")

    earlier = Outbox(outlet(tmp_path / "outbox"))
    earlier.publish_all([Document(1, Kind.RECEIPT, "s01/0001-intro.receipt.json", b"{}", 1)])
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Folder, "rename", renamed)
    published = Outbox(outlet(tmp_path / "outbox")).publish_all([Document(2, Kind.RESULT, NAME, b"{}\n", 1)])
    assert published.done == [2]
    assert steps == ["sync outbox", "sync .introeval-2.tmp", "name 0001-intro.result.json", "sync s01"]


def node(log: Log, **named: Any) -> LocalNode:
    stt, extract, rate = (ScriptedEngine(stage, log, **named) for stage in Stage)
    return LocalNode(stt, extract, rate, lambda ticket, done: None)


@pytest.mark.anyio
async def test_work_of_a_group_that_is_not_loaded_is_refused() -> None:
    log = Log()
    here = node(log)
    await here.ensure(frozenset({Stage.STT}))
    with pytest.raises(ExclusionError):
        _ = [outcome async for outcome in here.extract([WORK])]
    assert log.tried(Stage.EXTRACT) == []


@pytest.mark.anyio
async def test_no_switch_begins_while_an_attempt_runs() -> None:
    log, ends = Log(), asyncio.Event()

    async def pause(seconds: float) -> None:
        if seconds:  # of an attempt; a start takes none
            await ends.wait()

    here = node(log, pause=pause, seconds=1.0)
    await here.ensure(frozenset({Stage.EXTRACT}))

    async def ask() -> None:
        assert len([outcome async for outcome in here.extract([WORK])]) == 1

    asking = asyncio.create_task(ask())
    while not log.tried(Stage.EXTRACT):
        await asyncio.sleep(0)
    with pytest.raises(ExclusionError):
        await here.ensure(frozenset({Stage.STT}))
    assert log.alive == {Stage.EXTRACT}
    ends.set()
    await asking


@pytest.mark.anyio
async def test_a_start_ends_all_engines_also_those_that_look_stopped(tmp_path: Path) -> None:
    stops: Counter[Stage] = Counter()

    class Counted(ScriptedEngine):
        async def stop(self) -> None:
            stops[self.stage] += 1
            await super().stop()

    async with Lab(tmp_path, engine=Counted).daemon() as daemon:
        async with asyncio.timeout(20):
            while not daemon.supervisor.idle:
                await asyncio.sleep(0)
        assert stops.keys() == set(Stage)


def test_an_outcome_of_an_earlier_attempt_is_dropped() -> None:
    book = TaskBook(RetryPolicy(), lambda: 0.0)
    task = Task(1, "s01", "me.mp4", "/spool/me", "0", 1, 10.0, 1.0, Status.STT_PROCESSING, attempt=2)
    book.add([task])
    assert book.answered(Ticket(1, 1, 2)) == task
    assert book.answered(Ticket(1, 1, 1)) is None
    assert book.answered(Ticket(1, 2, 2)) is None


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.guard)
def test_each_guard_can_be_taken_out_and_has_its_test(mutant: Mutant) -> None:
    for name, old, new in ((mutant.file, mutant.old, mutant.new), *mutant.also):
        assert (REPOSITORY / name).read_text().count(old) == 1, name
        assert old != new
    if not mutant.test.startswith(HARNESS):
        file, _, test = mutant.test.partition("::")
        assert f"def {test.partition('[')[0]}(" in (REPOSITORY / file).read_text()
