"""Tasks that another program inserts into the database of a running daemon."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from daemon.app.parts import Daemon
from daemon.intake import registered
from daemon.store import reports
from tests.integration.stores import assert_consistent
from tests.support.inprocess import Lab, worked_off
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registered, "_EVERY_S", 0.05)
    monkeypatch.setattr(registered, "PATIENCE_S", 0.3)


def insert(lab: Lab, student: str, path: Path, **columns: str) -> int:
    names = ", ".join(("user_id", "filename", "file_path", *columns))
    with closing(sqlite3.connect(lab.config.paths.state / "introeval.db")) as db, db:
        db.execute("INSERT OR IGNORE INTO users (username) VALUES (?)", (student,))
        values = (student, path.name, str(path), *columns.values())
        row = db.execute(
            f"INSERT INTO processing_tasks ({names}) VALUES (?, ?, ?{', ?' * len(columns)})", values
        )
        return int(row.lastrowid or 0)


async def ended(daemon: Daemon, task_id: int) -> Any:
    def is_over() -> bool:
        with closing(sqlite3.connect(daemon.config.paths.state / "introeval.db")) as db:
            (found,) = db.execute("SELECT outcome FROM processing_tasks WHERE id = ?", (task_id,)).fetchone()
        return found is not None

    await until(is_over)
    await worked_off(daemon)
    return (await daemon.session(reports.task, task_id)).task


@pytest.mark.parametrize("resubmission", ["all", "reject"])
async def test_its_file_in_the_inbox_becomes_this_very_task(tmp_path: Path, resubmission: str) -> None:
    lab = Lab(tmp_path, settings={"intake.resubmission": resubmission})
    async with lab.daemon() as daemon:
        path = lab.inbox / "s001_me.mp4"
        task_id = insert(lab, "s001", path, upload_timestamp="2026-01-02 03:04:05", retry_count="many")
        lab.hand_in(path.name)
        task = await ended(daemon, task_id)
        await daemon.observer.status()
    assert (task.status, task.outcome) == ("completed", "evaluated")
    assert [result["task_id"] for result in lab.results().values()] == [task_id]
    assert_consistent(lab.config.paths.state / "introeval.db")


@pytest.mark.parametrize(
    ("place", "code", "why"),
    [
        ("elsewhere/s001_me.mp4", "not_in_inbox", "not below the inbox"),
        ("inbox/s001_me.mp4", "no_file", "refused"),
    ],
)
async def test_one_whose_file_cannot_come_fails_with_the_reason(
    tmp_path: Path, place: str, code: str, why: str
) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        task_id = insert(lab, "s001", tmp_path / place, upload_timestamp="yesterday", last_updated="now")
        task = await ended(daemon, task_id)
    assert (task.status, task.error_code) == ("failed", code)
    assert why in task.error_message
    (result,) = lab.results().values()
    assert (result["outcome"], result["error"]["code"]) == ("failed", code)


async def test_one_that_comes_after_its_file_was_taken_says_as_which_task(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        task = await ended(daemon, insert(lab, "s001", lab.inbox / "s001_me.mp4"))
    assert (task.error_code, "as task 1; nothing needs to be done" in task.error_message) == (
        "claimed_before",
        True,
    )


async def test_one_of_nobody_is_an_alarm_and_is_left_alone(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        task_id = insert(lab, "../s001", tmp_path / "me.mp4")
        await until(lambda: any(f"inserted tasks {task_id};" in str(a.trouble) for a in daemon.alarms.all))
        lab.hand_in("s002_me.mp4")
        await worked_off(daemon)
    assert len(lab.results()) == 1


async def test_one_that_was_inserted_while_no_daemon_ran_is_found_at_the_start(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon():
        pass
    lab.hand_in("s001_me.mp4")
    task_id = insert(lab, "s001", lab.inbox / "s001_me.mp4", status="eval_processing", phase="eval")
    async with lab.daemon() as daemon:
        task = await ended(daemon, task_id)
    assert (task.status, task.outcome) == ("completed", "evaluated")
