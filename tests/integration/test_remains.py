"""A lost database, or one older than the disk: nothing is overwritten, and no video is lost."""

import json
import shutil
from pathlib import Path

import pytest

from daemon.app.parts import Daemon
from daemon.contracts.wire.words import Order
from tests.support.inprocess import Lab, worked_off
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def lose_database(lab: Lab) -> None:
    for path in (lab.folder / "var").glob("introeval.db*"):
        path.unlink()


def codes(daemon: Daemon) -> set[str]:
    return {alarm.code for alarm in daemon.alarms.all}


async def hand_in_and_wait(lab: Lab, *names: str) -> set[str]:
    """What lasted as an alarm while these were evaluated."""
    for name in names:
        lab.hand_in(name)
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        return codes(daemon)


async def test_a_lost_database_overwrites_neither_results_nor_originals(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    await hand_in_and_wait(lab, "s001_intro.mp4", "s002_intro.mp4")
    await until(lambda: len(list(tmp_path.glob("var/archive/*/*"))) == 2)
    results, archive = files_below(lab.outbox), files_below(tmp_path / "var" / "archive")
    lose_database(lab)
    lab.hand_in("s001_intro.mp4", "another video of the same name")
    lab.hand_in("s002_intro.mp4", "and one more")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        assert "older_database" in codes(daemon)
    assert results.items() <= files_below(lab.outbox).items()
    assert archive.items() <= files_below(tmp_path / "var" / "archive").items()
    assert sorted(result["task_id"] for result in lab.results().values()) == [1, 2, 3, 4]
    assert "older_database" not in await hand_in_and_wait(lab)


async def test_what_a_crash_left_half_done_in_the_outbox_goes_at_the_next_start(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    await hand_in_and_wait(lab, "s001_intro.mp4")
    before = files_below(lab.outbox)
    (lab.outbox / "s001" / ".introeval-7.tmp").write_text("half a resul")
    (lab.outbox / ".introeval-s002.tmp").mkdir()
    lose_database(lab)
    await hand_in_and_wait(lab)
    assert files_below(lab.outbox) == before
    assert not list(lab.outbox.glob("**/.introeval-*.tmp"))


async def test_an_older_copy_of_the_database_gives_no_id_a_second_time(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    await hand_in_and_wait(lab, "s001_intro.mp4")
    shutil.copy(tmp_path / "var" / "introeval.db", tmp_path / "backup.db")
    await hand_in_and_wait(lab, "s002_intro.mp4", "s003_intro.mp4")
    before = files_below(lab.outbox)
    lose_database(lab)
    shutil.copy(tmp_path / "backup.db", tmp_path / "var" / "introeval.db")
    assert "older_database" in await hand_in_and_wait(lab, "s004_intro.mp4")
    assert before.items() <= files_below(lab.outbox).items()
    assert max(result["task_id"] for result in lab.results().values()) == 4


async def test_videos_in_the_spool_that_no_database_knows_are_taken_in_anew(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    for number in range(6):
        lab.hand_in(f"s{number:03d}_intro.mp4")
    async with lab.daemon() as daemon:
        await daemon.supervisor.order(Order.PAUSE)
        await until(lambda: len(daemon.supervisor.tasks) == 6)
    lose_database(lab)
    (tmp_path / "var" / "spool" / "something else").write_bytes(b"?")
    (tmp_path / "var" / "spool" / "cut-short.mp4.partial").write_bytes(b"?")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        assert {"spool_adopted", "spool_unknown"} <= codes(daemon)
        (unknown,) = [str(alarm.trouble) for alarm in daemon.alarms.all if alarm.code == "spool_unknown"]
        assert "something else" in unknown
    results = lab.results().values()
    assert sorted(result["student_id"] for result in results) == [f"s{number:03d}" for number in range(6)]
    assert [path.name for path in (tmp_path / "var" / "spool").iterdir()] == ["something else"]


async def test_a_receipt_alone_keeps_its_id(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    (lab.outbox / "s001").mkdir(parents=True)
    (lab.outbox / "s001" / "0041-intro.receipt.json").write_text(json.dumps({}))
    await hand_in_and_wait(lab, "s001_intro.mp4")
    (result,) = lab.results().values()
    assert result["task_id"] == 42
