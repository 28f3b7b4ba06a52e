"""A class from its opening to its end: who has handed in, and what people decide."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.common import Chosen
from daemon.store import audit, reports
from tests.integration.test_rubric import RubricLab
from tests.support.commands import Ended, invoke
from tests.support.inprocess import Lab, worked_off
from tests.support.scripted import EVALUATION

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("own_output")]
ROSTER = "student,name,group,email\ns001,Ana Berg,A,ana@example.org\ns002,Ben Cole,A,\ns003,Cho Dane,B,\n"


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


async def run(lab: Lab, *arguments: str) -> Ended:
    Chosen.file = lab.folder / "introeval.toml"
    return await asyncio.to_thread(invoke, *arguments)


async def shown(lab: Lab, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((await run(lab, "class", "show", *arguments, "--json")).stdout)
    return found


async def test_a_class_says_who_has_handed_in_and_who_is_missing(lab: Lab) -> None:
    (lab.folder / "roster.csv").write_text(ROSTER)
    async with lab.daemon() as daemon:
        lab.hand_in("s009_before.mp4")
        await worked_off(daemon)
        await run(lab, "class", "open", "intro", "--roster", str(lab.folder / "roster.csv"))
        for name in ("S001_me.mp4", "s001_again.mp4", "s007_me.mp4"):
            lab.hand_in(name)
        await worked_off(daemon)
        found = await shown(lab)
        standing = {line["student"]: line["standing"] for line in found["lines"]}
        assert standing["s002"] == standing["s003"] == "missing"
        assert len(found["lines"]) == 4  # and s007, whom the roster does not know; s009 came before
        assert (found["counts"]["handed_in"], found["counts"]["doubled"], found["counts"]["unknown"]) == (
            1,
            1,
            1,
        )
        told = (await run(lab, "class", "show")).stdout
        assert "1 of 3 handed in, 2 missing" in told
        assert "intro" in (await run(lab, "class", "close")).stdout
        lab.hand_in("s008_after.mp4")
        await worked_off(daemon)
        today = await shown(lab, "today")
        assert {line["student"] for line in today["lines"]} == {"s008", "s009"}
        assert not today["counts"]["unknown"], "there is no roster to be on"
        assert not any(line["unknown"] for line in today["lines"])
        assert len((await shown(lab, "intro"))["lines"]) == 4


async def test_a_name_is_spelled_as_on_the_roster_and_anothers_needs_review(lab: Lab) -> None:
    (lab.folder / "roster.csv").write_text("student,name\ns001,Adda Lund\ns002,Grace Hopper\ns003,\n")
    async with lab.daemon() as daemon:
        await run(lab, "class", "open", "intro", "--roster", str(lab.folder / "roster.csv"))
        for name in ("s001_me.mp4", "s002_me.mp4", "s003_me.mp4"):
            lab.hand_in(name)
        await worked_off(daemon)
        results = {result["student_id"]: result for result in lab.results().values()}
        shown = await daemon.session(reports.payload, 1)
        assert shown[2] is not None
        assert shown[2].name == "Ada", "the rater is given what was said: another name is in no transcript"
        assert (await daemon.session(reports.stages, 1))["profile"]["name"] == "Adda"
    own, anothers, unknown = (results[student] for student in ("s001", "s002", "s003"))
    assert own["profile"]["name"] == "Adda"
    assert own["provenance"]["extract"]["name_heard"] == "Ada"
    assert "Ada" in own["profile_evidence"]["name"][0]["quote"].split()
    assert (own["flags"], unknown["flags"]) == ([], [])
    assert anothers["profile"]["name"] == unknown["profile"]["name"] == "Ada"
    assert [flag["code"] for flag in anothers["flags"]] == ["name_differs"]
    assert (own["outcome"], anothers["outcome"]) == ("evaluated", "needs_review")


async def test_a_decision_is_the_next_revision_with_what_the_model_said(lab: Lab) -> None:
    async with lab.daemon() as daemon:
        lab.hand_in("s001_me.mp4")
        await worked_off(daemon)
        refused = await run(lab, "decide", "1", "--overall", "3")
        assert "a change needs a reason" in refused.output
        await run(lab, "decide", "1", "--overall", "3", "--by", "Dr. Roe", "--reason", "too short")
        await worked_off(daemon)
        (path,) = lab.outbox.glob("s001/*.r2.result.json")
        changed = json.loads(path.read_text())
        assert changed["evaluation"]["overall_rating"] == 3
        assert changed["decision"]["before"] == {"evaluation.overall_rating": EVALUATION.overall_rating}
        assert (changed["decision"]["by"], changed["decision"]["reason"]) == ("Dr. Roe", "too short")
        assert changed["released"]
        assert (await shown(lab))["lines"][0]["decided_by"] == "Dr. Roe"
        await run(lab, "decide", "1", "--undo")
        await worked_off(daemon)
        (path,) = lab.outbox.glob("s001/*.r3.result.json")
        back = json.loads(path.read_text())
        assert (back["evaluation"], back["decision"]) == (
            json.loads(EVALUATION.model_dump_json()),
            None,
        )
        whats = [entry.what for entry in await daemon.session(audit.entries)]
        assert "decided" in whats
        assert "decision_taken_back" in whats


async def test_the_rubric_of_a_class_is_asked_from_its_opening_to_its_close(tmp_path: Path) -> None:
    lab = RubricLab(tmp_path)
    own = lab.folder / "own"
    own.mkdir()
    (own / "rate.v4.j2").write_text("Grade as pirates do. {{ levels }} {{ transcript }}")
    async with lab.daemon() as daemon:
        await run(lab, "class", "open", "pirates", "--rubric", str(own))
        lab.hand_in("s001_me.mp4")
        await worked_off(daemon)
    async with lab.daemon() as daemon:  # the class is still open after another start
        lab.hand_in("s002_me.mp4")
        await worked_off(daemon)
        refused = await run(lab, "class", "open", "other")
        assert "the class pirates is open" in refused.output
        await run(lab, "class", "close")
        lab.hand_in("s003_me.mp4")
        await worked_off(daemon)
    of = {
        result["student_id"]: result["provenance"]["rate"]["prompt_sha256"]
        for result in lab.results().values()
    }
    assert of["s001"] == of["s002"] != of["s003"]
    wrong = await asyncio.to_thread(invoke, "class", "open", "x")
    assert wrong.exit_code == 6


async def test_a_class_whose_rubric_cannot_be_used_is_not_opened(lab: Lab) -> None:
    (lab.folder / "rate.v4.j2").write_text("{{ nothing }}")
    async with lab.daemon():
        refused = await run(lab, "class", "open", "a", "--rubric", str(lab.folder))
        assert refused.exit_code == 4
        assert json.loads((await run(lab, "class", "list", "--json")).stdout)["opened"] is None
        day = await run(lab, "class", "open", "2026-11-26")
        assert "cannot name a class" in day.output


async def test_what_only_the_rule_holds_back_is_released_at_once(tmp_path: Path) -> None:
    lab = Lab(tmp_path, settings={"review.release": "none"})
    async with lab.daemon() as daemon:
        lab.hand_in("s001_me.mp4")
        await worked_off(daemon)
        assert (await shown(lab))["lines"][0]["standing"] == "held"
        await run(lab, "class", "release")
        (line,) = (await shown(lab))["lines"]
        assert (line["standing"], line["held"], line["revision"]) == ("released", "", 2)


async def test_the_audit_bundle_of_a_class_has_its_tasks_and_its_orders(lab: Lab) -> None:
    async with lab.daemon() as daemon:
        lab.hand_in("s001_before.mp4")
        await worked_off(daemon)
        await run(lab, "class", "open", "intro")
        lab.hand_in("s002_me.mp4")
        await worked_off(daemon)
        await run(lab, "decide", "2", "--accept")
        await worked_off(daemon)
        file = lab.folder / "intro.tar"
        written = await run(lab, "audit", "intro", "--to", str(file), "--json")
        assert json.loads(written.stdout)["results"] == 2, written.output
        assert (await run(lab, "audit", "intro", "--verify", str(file))).exit_code == 0
        assert (await run(lab, "audit", "nobody")).exit_code == 24


async def test_the_deadline_is_that_of_the_open_class_and_tells_who_is_late(lab: Lab) -> None:
    async with lab.daemon() as daemon:
        await run(lab, "class", "open", "intro", "--deadline", "+2h")
        assert (await shown(lab))["deadline"] is not None
        await run(lab, "deadline", "2026-01-31 10:00")
        assert (await shown(lab))["deadline"].startswith("2026-01-3")
        lab.hand_in("s001_me.mp4")
        await worked_off(daemon)
        assert (await shown(lab))["lines"][0]["late"]
        await run(lab, "class", "close")
        assert daemon.supervisor.orders.deadline is None
        assert "late" in (await run(lab, "class", "show", "intro")).stdout


async def test_a_student_who_is_forgotten_is_on_no_roster(lab: Lab) -> None:
    (lab.folder / "roster.csv").write_text(ROSTER)
    async with lab.daemon() as daemon:
        await run(lab, "class", "open", "intro", "--roster", str(lab.folder / "roster.csv"))
        lab.hand_in("s001_me.mp4")
        await worked_off(daemon)
        (lab.folder / "roster.csv").unlink()
        assert (await run(lab, "forget", "s001", "--yes")).exit_code == 0
        assert (await run(lab, "forget", "s002", "--yes")).exit_code == 0  # who has handed in nothing
        assert [line["student"] for line in (await shown(lab))["lines"]] == ["s003"]
        database = lab.config.paths.state / "introeval.db"
        assert b"ana@example.org" not in database.read_bytes()
