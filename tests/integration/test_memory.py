"""Nothing in the daemon's memory grows with the number of finished tasks."""

import gc
import sqlite3
from collections import deque
from pathlib import Path
from types import FunctionType, MethodType, ModuleType

import pytest

from daemon.contracts.wire.words import Verb
from tests.support.inprocess import Lab
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

FIRST = 5_000_000
FINISHED = 40
FEW = 5


def remembered(root: object, ids: range) -> dict[str, int]:
    """How many of `ids` stand in each set or mapping that `root` leads to, with some name for it.

    What a function sees of its module is left out: that belongs to the program and not to the daemon.
    """
    found: dict[str, int] = {}
    waiting, known = deque([("daemon", root)]), {id(root)}
    while waiting:
        name, holder = waiting.popleft()
        if isinstance(holder, set | frozenset | dict):
            count = sum(isinstance(key, int) and key in ids for key in holder)
            if count:
                found[name] = count
        if isinstance(holder, FunctionType):
            inside: list[object] = list(holder.__closure__ or ())
        elif isinstance(holder, MethodType):
            inside = [holder.__self__, holder.__func__]
        else:
            inside = gc.get_referents(holder)
        for each in inside:
            if id(each) not in known and not isinstance(each, type | ModuleType | str | int | float | bytes):
                known.add(id(each))
                waiting.append((f"{name}>{type(each).__name__}"[-200:], each))
    return found


@pytest.mark.parametrize(
    "groups", [[["stt"], ["extract", "rate"]], [["stt", "extract", "rate"]]], ids=["in turns", "all resident"]
)
async def test_a_daemon_keeps_nothing_of_each_finished_task_while_one_is_held(
    tmp_path: Path, groups: list[list[str]]
) -> None:
    lab = Lab(tmp_path, settings={"gpu.residency": groups})
    async with lab.daemon():
        pass
    with sqlite3.connect(tmp_path / "var" / "introeval.db") as database:  # ids that are like no other number
        database.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", ("processing_tasks", FIRST))
    async with lab.daemon() as daemon:
        lab.hand_in("anna_held.mp4")
        await until(lambda: daemon.supervisor.tasks)
        await daemon.supervisor.ask(Verb.HOLD, FIRST + 1)
        for number in range(FINISHED):
            lab.hand_in(f"s{number:03}_me.mp4")
        await daemon.intake.settle()
        await until(lambda: len(daemon.supervisor.tasks) == 1, 60)
        await until(lambda: len(lab.results()) == FINISHED)
        status = await daemon.observer.status()
        assert status.clock is not None
        assert (status.clock.done, status.clock.total) == (FINISHED, FINISHED + 1)
        ids = range(FIRST, FIRST + 2 * FINISHED)
        # The recording's picture of the last second still has them.
        await until(lambda: max(remembered(daemon, ids).values(), default=0) <= FEW, 20)
