"""A class that is calibrated by a person: the commands, the results, and what comes after."""

import asyncio
import csv
import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

from daemon.app.parts import Daemon
from daemon.cli.common import Chosen
from daemon.contracts.values import OnProgress, Rated, RateWork, StageOutcome
from daemon.core.agreement.calibration import Calibration
from daemon.core.content.document import CRITERIA, Evaluation, Scored
from daemon.core.content.levels import whole
from daemon.store import audit, documents
from tests.support.commands import Ended, invoke
from tests.support.inprocess import Lab, worked_off
from tests.support.scripted import EVALUATION, ScriptedEngine
from tests.support.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("own_output")]
CLASS = 12
OWN = {"model": "m", "digest": "sha256:1", "prompt_sha256": "p1", "parameters": {"temperature": 0.2}}


def rating(expected: float) -> Evaluation:
    """A rating of the model itself, the same for each criterion."""
    scored = Scored(expected=expected, model_score=whole(expected), model_expected=expected)
    integers: dict[str, Any] = dict.fromkeys(CRITERIA, whole(expected))
    return EVALUATION.model_copy(update={**integers, "scores": dict.fromkeys(CRITERIA, scored)})


class ScoringEngine(ScriptedEngine):
    """Gives task n a score that grows with n, with expected scores and a provenance."""

    origin: ClassVar = OWN

    async def rate(self, work: RateWork, progress: OnProgress) -> StageOutcome:
        expected = 2 + (work.ticket.task_id % 10) * 0.6
        return await self._try(
            work.ticket, Rated(work.ticket, rating(expected), provenance={**self.origin, "seed": 1})
        )


async def run(lab: Lab, *arguments: str) -> Ended:
    Chosen.file = lab.folder / "introeval.toml"
    return await asyncio.to_thread(invoke, *arguments)


def hand_in(lab: Lab, first: int, count: int = CLASS) -> None:
    for number in range(first, first + count):
        lab.hand_in(f"s{number:03d}_me.mp4")


async def one_more(lab: Lab, daemon: Daemon, number: int) -> dict[str, Any]:
    """Hand in one more video. Gives its result."""

    def found() -> list[dict[str, Any]]:
        return [each for each in lab.results().values() if each["student_id"] == f"s{number:03d}"]

    hand_in(lab, number, 1)
    daemon.intake.hint()
    await until(found)
    await worked_off(daemon)
    return found()[0]


async def scored_sheet(lab: Lab, name: str, above: float = 1.5) -> Path:
    """A sheet in which a person gives each task so much more than the model."""
    file = lab.folder / name
    written = await run(lab, "calibrate", "today", "--to", str(file))
    assert written.exit_code == 0, written.output
    with open(file, newline="", encoding="utf-8-sig") as opened:
        rows = list(csv.DictReader(opened))
    for row in rows:
        said = whole(2 + (int(row["task"]) % 10) * 0.6 + above)
        row.update({criterion: str(said) for criterion in CRITERIA})
    with open(file, "w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return file


def last(lab: Lab, task_id: int) -> dict[str, Any]:
    """The newest revision of a task's result in the outbox."""
    mine = [result for result in lab.results().values() if result["task_id"] == task_id]
    return max(mine, key=lambda result: result["revision"])


async def test_a_calibration_revises_its_class_and_corrects_every_later_rating(tmp_path: Path) -> None:
    lab = Lab(tmp_path, engine=ScoringEngine)
    hand_in(lab, 0)
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        asked = len(daemon.supervisor.started), len(lab.log.entries)
        sheet = await scored_sheet(lab, "ann.csv")
        assert "overall" in sheet.read_text()
        assert "2.6" not in sheet.read_text()
        done = await run(lab, "calibrate", "today", "--from", str(sheet), "--apply", "--json")
        assert done.exit_code == 0, done.output
        said = json.loads(done.stdout)
        assert said["used"] == {"number": 1, "revised": CLASS, "left": 0, "differs": []}
        await worked_off(daemon)
        assert (len(daemon.supervisor.started), len(lab.log.entries)) == asked  # no model was asked
        made = Calibration.model_validate(said["made"]["calibration"])
        by = made.criteria["overall_rating"]
        assert by.offset == pytest.approx(1.5, abs=0.2)
        assert by.half_width is not None
        for task_id in range(1, CLASS + 1):
            result = last(lab, task_id)
            score = result["evaluation"]["scores"]["clarity_of_speech"]
            own = 2 + (task_id % 10) * 0.6
            assert result["revision"] == 2
            assert score["source"] == "calibrated"
            assert (score["model_expected"], score["model_score"]) == (pytest.approx(own), whole(own))
            assert score["expected"] == pytest.approx(
                min(10, own + made.criteria["clarity_of_speech"].offset)
            )
            assert result["evaluation"]["clarity_of_speech"] == whole(score["expected"])
            assert score["interval"][0] <= score["expected"] <= score["interval"][1]
            assert result["provenance"]["rate"]["calibration"] == {
                "number": 1,
                "sha256": said["made"]["sha256"],
            }
        assert (await daemon.observer.status()).calibration == 1
        assert "corrected by calibration 1" in (await run(lab, "status")).stdout
        assert "Scores are corrected by calibration 1." in (await run(lab, "status", "--plain")).stdout
        later = await one_more(lab, daemon, 100)
        assert later["evaluation"]["scores"]["overall_rating"]["source"] == "calibrated"
        assert later["revision"] == 1
        assert (await run(lab, "class", "open", "Week 3, Mon")).exit_code == 0
        mine = await one_more(lab, daemon, 200)
        file = lab.folder / "week3.csv"
        written = await run(lab, "calibrate", "Week 3, Mon", "--to", str(file))
        assert "introeval calibrate 'Week 3, Mon' --from" in " ".join(written.stdout.split())
        assert [row["task"] for row in csv.DictReader(file.read_text("utf-8-sig").splitlines())] == [
            str(mine["task_id"])
        ]
        lines = await daemon.session(audit.entries)
    assert "corrected by calibration 1" in (await run(lab, "status")).stdout  # read from the database
    assert [line.what for line in lines if "calibration" in line.what] == [
        "calibration_made",
        "calibration_applied",
    ]
    report = Path(said["made"]["report"]).read_text()
    assert report.count("<svg") == 8
    assert "<script" not in report
    assert "s001" not in report


async def test_what_was_revised_is_taken_back_and_a_removal_without_one_is_refused(tmp_path: Path) -> None:
    lab = Lab(tmp_path, engine=ScoringEngine)
    hand_in(lab, 0)
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        assert (await run(lab, "calibrate", "--remove")).exit_code == 9
        assert "no calibration was made" in (await run(lab, "calibrate")).stdout
        sheet = await scored_sheet(lab, "ann.csv")
        made = await run(lab, "calibrate", "today", "--from", str(sheet))
        assert "calibrate --use 1" in made.stdout
        await worked_off(daemon)
        before = {task_id: last(lab, task_id) for task_id in range(1, CLASS + 1)}
        assert all(result["revision"] == 1 for result in before.values())
        assert "in use" not in (await run(lab, "calibrate")).stdout
        assert (await run(lab, "calibrate", "--use", "1")).exit_code == 0
        assert "scored by ann" in (listed := (await run(lab, "calibrate")).stdout)
        assert "in use" in " ".join(listed.split())
    async with lab.daemon() as daemon:  # another start delivers what is left
        await worked_off(daemon)
        assert last(lab, 1)["revision"] == 2
        again = await run(lab, "calibrate", "--use", "1", "--json")
        assert json.loads(again.stdout)["used"]["revised"] == 0
        removed = await run(lab, "calibrate", "--remove", "--json")
        assert json.loads(removed.stdout)["used"]["revised"] == CLASS
        await worked_off(daemon)
    for task_id, result in before.items():
        back = last(lab, task_id)
        assert back["revision"] == 3
        own = {**result, "revision": 3, "generated_at": back["generated_at"]}
        assert back == own


async def test_another_model_or_prompt_is_not_corrected_and_an_alarm_says_so(tmp_path: Path) -> None:
    class Changing(ScoringEngine):
        origin: ClassVar = dict(OWN)

    lab = Lab(tmp_path, engine=Changing)
    hand_in(lab, 0)
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        sheet = await scored_sheet(lab, "ann.csv")
        Changing.origin["prompt_sha256"] = "p2"
        others = [await one_more(lab, daemon, 100), await one_more(lab, daemon, 101)]
        done = await run(lab, "calibrate", "today", "--from", str(sheet), "--apply")
        assert "2 results of the class were rated with another prompt_sha256" in done.stdout
        others.append(await one_more(lab, daemon, 200))
        assert [alarm.code for alarm in daemon.alarms.all if alarm.code == "calibration_other"]
        for result in others:
            score = result["evaluation"]["scores"]["overall_rating"]
            assert (score["source"], score["interval"]) == ("model", None)
        Changing.origin["prompt_sha256"] = "p1"
        fits = await one_more(lab, daemon, 300)
        assert fits["evaluation"]["scores"]["overall_rating"]["source"] == "calibrated"
        await until(lambda: not [each for each in daemon.alarms.all if each.code == "calibration_other"])


async def test_faults_of_a_sheet_are_named_and_two_sheets_are_two_raters(tmp_path: Path) -> None:
    lab = Lab(tmp_path, engine=ScoringEngine)
    hand_in(lab, 0)
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        sheets = [await scored_sheet(lab, "ann.csv"), await scored_sheet(lab, "ben.csv", above=1.0)]
        good = sheets[0].read_text()
        lines = good.splitlines()
        lines[2] = lines[2].rsplit(",", 1)[0] + ",11"
        lines[4] = "999" + lines[4][lines[4].index(",") :]
        sheets[0].write_text("\n".join(lines))
        words = [word for sheet in sheets for word in ("--from", str(sheet))]
        refused = await run(lab, "calibrate", "today", *words)
        assert refused.exit_code == 1
        told = " ".join(refused.stderr.split())  # a long path wraps
        assert ", row 3, column overall_rating: '11' is no score" in told
        assert ", row 5, column task: '999' is no task of this class" in told
        assert not (tmp_path / "var" / "calibrations").exists()
        sheets[0].write_text(good)
        done = await run(lab, "calibrate", "today", *words, "--json")
        criteria = json.loads(done.stdout)["made"]["calibration"]["criteria"]
    assert criteria["content_quality"]["model"]["alpha_of_people"]["value"] > 0.8
    assert "kappa_below_people" in criteria["content_quality"]["model"]


async def test_results_that_were_revised_survive_a_crash_before_their_delivery(tmp_path: Path) -> None:
    lab = Lab(tmp_path, engine=ScoringEngine)
    hand_in(lab, 0)
    async with lab.daemon() as daemon:
        await worked_off(daemon)
        sheet = await scored_sheet(lab, "ann.csv")
        async with daemon.delivery.still:  # nothing is delivered, as if the daemon had died
            await run(lab, "calibrate", "today", "--from", str(sheet), "--apply")
            waiting = await daemon.session(documents.undelivered, 100)
            assert len(waiting) == CLASS
            assert all(".r2." in document.name for document in waiting)
            assert all(result["revision"] == 1 for result in lab.results().values())
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    assert len(lab.results()) == 2 * CLASS
