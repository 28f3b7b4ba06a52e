"""Five thousand small files at once, and clocks that differ by hours."""

import asyncio
import os
import sqlite3
import time
from pathlib import Path

import psutil
import pytest

from daemon.contracts.wire.words import Order
from daemon.core.timestamps import to_iso
from tests.support.inprocess import Lab, worked_off
from tests.support.places import mark_of
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

BURST = 5000
STUDENTS = 250
HOURS = 3600.0


@pytest.mark.timeout(300)
async def test_a_burst_of_five_thousand_is_taken_in_bounded_memory(tmp_path: Path) -> None:
    lab = Lab(tmp_path, settings={"intake.min_free_mb": 0})
    async with lab.daemon() as daemon:
        await daemon.supervisor.order(Order.PAUSE)  # the intake alone is the subject
        before = psutil.Process().memory_info().rss
        files = psutil.Process().num_fds()
        for number in range(BURST):
            lab.hand_in(f"s{number % STUDENTS:03d}_take{number}.mp4")
            if number % 100 == 0:
                await asyncio.sleep(0)  # the daemon lives in this thread as well
        async with asyncio.timeout(240):
            await daemon.intake.settle()
            await until(lambda: len(daemon.supervisor.tasks) == BURST and daemon.delivery.idle, 240)
        process = psutil.Process()
        assert process.memory_info().rss - before < 150_000_000
        assert process.num_fds() <= files + 8
        raised = {alarm.code.partition(" ")[0] for alarm in daemon.alarms.all}
        assert raised <= {"alert_queue_depth", "intake_many_at_once"}  # each student is new, and brings many
    with sqlite3.connect(tmp_path / "var" / "introeval.db") as database:
        tasks = database.execute("SELECT filename FROM processing_tasks ORDER BY id").fetchall()
    assert len({name for (name,) in tasks}) == len(tasks) == BURST
    assert len(list(lab.outbox.glob("*/*.receipt.json"))) == BURST
    assert [path for path in lab.inbox.iterdir() if path != mark_of(lab.inbox)] == []


async def test_the_time_of_a_file_says_nothing(tmp_path: Path) -> None:
    """A share's clock, or a camera's, may be hours away from ours, in either direction."""
    lab = Lab(tmp_path)
    began = time.time()
    for student, hours in (("s001", 9), ("s002", -9), ("s003", 24 * 9000), ("s004", -began / HOURS)):
        lab.hand_in(f"{student}_me.mp4")
        os.utime(lab.inbox / f"{student}_me.mp4", (began + hours * HOURS,) * 2)
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    ended = time.time()
    results = lab.results().values()
    assert {result["outcome"] for result in results} == {"evaluated"}
    assert [result["student_id"] for result in sorted(results, key=lambda r: r["task_id"])] == [
        *("s001", "s002", "s003", "s004")
    ]
    assert all(to_iso(began) <= result["source"]["uploaded_at"] <= to_iso(ended) for result in results)
