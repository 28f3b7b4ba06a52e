"""Files that the accounts of others have put into the inbox under a student's name."""

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from daemon.contracts.wire.words import Order
from daemon.core.errors import ConfigError
from daemon.intake.accounts import account_name, accounts
from tests.support.inprocess import Lab, worked_off
from tests.support.waiting import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to other accounts"),
]

MALLORY, VICTIM = 61_001, 61_002


def hand_in(lab: Lab, name: str, owner: int, content: bytes | None = None) -> None:
    path = lab.inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".part").write_bytes(content or f"{name} of {owner}".encode())
    os.chown(path.with_suffix(".part"), owner, -1)
    path.with_suffix(".part").rename(path)


def papers(lab: Lab, pattern: str) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(lab.outbox.glob(pattern))]


async def test_the_account_stands_in_the_receipt_and_in_the_history(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    hand_in(lab, "s001_intro.mp4", VICTIM)
    hand_in(lab, "nobody.mp4", MALLORY)
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    assert [paper["account"] for paper in papers(lab, "s001/*.receipt.json")] == [str(VICTIM)]
    assert [paper["account"] for paper in papers(lab, "_rejected/*.reason.json")] == [str(MALLORY)]
    with sqlite3.connect(tmp_path / "var" / "introeval.db") as database:
        (detail,) = database.execute("SELECT detail FROM task_events WHERE event = 'claimed'").fetchone()
    assert json.loads(detail)["account"] == str(VICTIM)


async def test_a_newer_video_of_another_account_cancels_nobodys(tmp_path: Path) -> None:
    lab = Lab(tmp_path, settings={"intake.resubmission": "newest"})
    hand_in(lab, "s001_intro.mp4", VICTIM)
    async with lab.daemon() as daemon:
        await daemon.supervisor.order(Order.PAUSE)
        await until(lambda: len(daemon.supervisor.tasks) == 1)
        hand_in(lab, "s001_prank.mp4", MALLORY)
        await until(lambda: len(daemon.supervisor.tasks) == 2)
        hand_in(lab, "s001_better.mp4", VICTIM)
        await until(lambda: len(list(lab.outbox.glob("s001/*.result.json"))) == 1)
        await daemon.supervisor.order(Order.RESUME)
        await worked_off(daemon)
    outcomes = {result["source"]["filename"]: result for result in lab.results().values()}
    assert {name: result["outcome"] for name, result in outcomes.items()} == {
        "s001_intro.mp4": "cancelled",
        "s001_prank.mp4": "needs_review",
        "s001_better.mp4": "needs_review",
    }
    assert [flag["code"] for flag in outcomes["s001_prank.mp4"]["flags"]].count("other_account") == 1


async def test_a_video_of_another_account_does_not_keep_the_students_own_out(tmp_path: Path) -> None:
    lab = Lab(tmp_path, settings={"intake.resubmission": "reject"})
    hand_in(lab, "s001_prank.mp4", MALLORY)
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        hand_in(lab, "s001_intro.mp4", VICTIM)
        await worked_off(daemon)
        hand_in(lab, "s001_again.mp4", VICTIM)
        await worked_off(daemon)
    assert len(lab.results()) == 2
    assert len(papers(lab, "_rejected/*.reason.json")) == 1


async def test_where_it_is_required_only_the_students_own_account_counts(tmp_path: Path) -> None:
    lab = Lab(tmp_path, settings={"intake.owner": "require", "intake.shared_accounts": ["root"]})
    hand_in(lab, "s001_prank.mp4", MALLORY)
    hand_in(lab, f"{VICTIM}_intro.mp4", VICTIM)
    hand_in(lab, "s002_intro.mp4", 0)
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    assert sorted(result["student_id"] for result in lab.results().values()) == [str(VICTIM), "s002"]
    (reason,) = papers(lab, "_rejected/*.reason.json")
    assert reason["reason"].startswith("not_owner: s001_prank.mp4 belongs to the account")


async def test_a_copy_of_a_video_from_another_account_does_not_make_the_students_own_a_duplicate(
    tmp_path: Path,
) -> None:
    lab = Lab(tmp_path)
    hand_in(lab, "s001_copy.mp4", MALLORY, b"the same video")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        hand_in(lab, "s001_intro.mp4", VICTIM, b"the same video")
        await worked_off(daemon)
        hand_in(lab, "s001_again.mp4", VICTIM, b"the same video")
        await worked_off(daemon)
    names = {result["source"]["filename"]: result["flags"] for result in lab.results().values()}
    assert set(names) == {"s001_copy.mp4", "s001_intro.mp4"}
    assert "other_account" in [flag["code"] for flag in names["s001_intro.mp4"]]
    (reason,) = papers(lab, "_rejected/*.reason.json")
    assert reason["filename"] == "s001_again.mp4"


async def test_no_other_account_announces_a_file(tmp_path: Path) -> None:
    lab = Lab(tmp_path, settings={"intake.done_marker": ".done", "intake.rescan_s": 0.1})
    hand_in(lab, "s001_intro.mp4", VICTIM)
    hand_in(lab, "s002_intro.mp4", VICTIM)
    for name, owner in (("s001_intro.mp4.done", MALLORY), ("s002_intro.mp4.done", VICTIM)):
        (lab.inbox / name).touch()
        os.chown(lab.inbox / name, owner, -1)
    async with lab.daemon() as daemon:
        await until(lambda: len(lab.results()) == 1)
        await worked_off(daemon)
        assert [result["student_id"] for result in lab.results().values()] == ["s002"]
        os.chown(lab.inbox / "s001_intro.mp4.done", VICTIM, -1)
        await until(lambda: len(lab.results()) == 2)


def test_groups_of_accounts_are_their_members() -> None:
    assert accounts(["mallory", "@root"]) >= {"mallory", account_name(0)}
    with pytest.raises(ConfigError, match="no-such-group"):
        accounts(["@no-such-group"])
