"""A class of thirty, from the downloads of Moodle and Canvas to what goes back to them."""

import asyncio
import csv
import io
import json
import re
from pathlib import Path

import pytest

from daemon.cli.common import Chosen
from daemon.cli.exit_codes import ExitCode
from daemon.contracts.values import Extracted, ExtractWork, OnProgress, StageOutcome, Ticket
from daemon.core.classes.sheet import TableFile
from daemon.core.content.document import Profile
from daemon.core.errors import Blame, Fault
from daemon.core.tasks.task import Stage
from tests.support.commands import Ended, invoke
from tests.support.grade_books import canvas_reads, moodle_feedback, moodle_reads
from tests.support.inprocess import Lab, worked_off
from tests.support.scripted import EVALUATION, ScriptedEngine

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("own_output")]
FAILING, MISSING = 3, 30  # the number of the task, and of the student
NAMES = {
    at: f"{first} Student{at}"
    for at, first in enumerate(["Ana", "José", "Li", "ليلى", "O'Neil", "=Max"] * 5, 1)
}


class Nameless(ScriptedEngine):
    """Nobody says a name, which would be compared with the roster."""

    async def extract(self, work: ExtractWork, progress: OnProgress) -> StageOutcome:
        return await self._try(work.ticket, Extracted(work.ticket, Profile()))


def broken(stage: Stage, ticket: Ticket) -> Fault | None:
    """The third task of each thirty cannot be transcribed."""
    if stage is Stage.STT and ticket.task_id == FAILING:
        return Fault(Blame.PERMANENT, "no_sound", "the video has no sound; record it again with a microphone")
    return None


async def run(lab: Lab, *arguments: str) -> Ended:
    Chosen.file = lab.folder / "introeval.toml"
    return await asyncio.to_thread(invoke, *arguments)


def worksheet() -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    head = (
        "Identifier",
        "Full name",
        "Email address",
        "Status",
        "Grade",
        "Maximum grade",
        "Grade can be changed",
    )
    writer.writerow((*head, "Last modified (submission)", "Last modified (grade)", "Feedback comments"))
    for at, name in NAMES.items():
        who = (f"Participant {500 + at}", name, f"s{at}@example.org", "Submitted for grading", "", "20.00")
        writer.writerow((*who, "Yes", "-", "-", ""))
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def grade_book() -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";", lineterminator="\n")
    writer.writerow(
        ("Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Essay (8)", "Hello (9)", "Final Score")
    )
    writer.writerow(("    Points Possible", "", "", "", "", "5,00", "100,00", "(read only)"))
    for at, name in NAMES.items():
        first, last = name.split()
        writer.writerow((f"{last}, {first}", 900 + at, f"m{at:04}", f"u{at}", "A", "4,00", "", "12,00"))
    return out.getvalue().encode()


async def test_a_class_of_thirty_goes_to_moodle_and_canvas_and_back(tmp_path: Path) -> None:
    lab = Lab(tmp_path, script=broken, engine=Nameless)
    (tmp_path / "worksheet.csv").write_bytes(worksheet())
    (tmp_path / "grades.csv").write_bytes(grade_book())
    async with lab.daemon() as daemon:
        opened = await run(lab, "class", "open", "intro", "--roster", str(tmp_path / "worksheet.csv"))
        assert opened.exit_code == 0, opened.output
        for at, name in NAMES.items():
            if at != MISSING:
                lab.hand_in(f"{name}_{500 + at}_assignsubmission_file_me.mp4")
        await worked_off(daemon)
        out = ("--sheet", str(tmp_path / "worksheet.csv"), "--feedback", str(tmp_path / "feedback.zip"))
        exported = await run(lab, "export", "--to", "moodle", *out)
        _check_moodle(lab, exported)
        again = await run(lab, "export", "--to", "moodle", *out)
        assert "worksheet-graded.csv is there, and nothing was written" in again.output
        assert "28 results are in" in (await run(lab, "export", "--to", "moodle", *out, "--force")).stdout
        await run(lab, "class", "close")

        await run(lab, "class", "open", "hello", "--roster", str(tmp_path / "grades.csv"))
        for at, name in NAMES.items():
            first, last = name.lower().split()
            lab.hand_in(f"{last}{first}_{900 + at}_{at}_me.mp4", f"other {at}")
        await worked_off(daemon)
    out = ("--sheet", str(tmp_path / "grades.csv"), "--assignment", "Hello")  # and without a daemon
    exported = await run(lab, "export", "--to", "canvas", *out, "--json")
    _check_canvas(lab, exported)
    refused = await run(lab, "export", "--to", "canvas", *out[:3], "Hallo")
    assert "Essay (8); Hello (9)" in refused.output
    await _check_pages(lab)


def _check_moodle(lab: Lab, exported: Ended) -> None:
    assert exported.exit_code == ExitCode.SOME_FAILED, exported.output
    assert "nothing was handed in" in exported.stdout
    assert "has no rating" in exported.stdout
    filled = (lab.folder / "worksheet-graded.csv").read_bytes()
    given = moodle_reads(filled, range(501, 531), 20)
    graded = {number for number, (grade, _) in given.items() if grade is not None}
    assert len(graded) == 28
    assert {given[number][0] for number in graded} == {EVALUATION.overall_rating * 2}
    sheet = TableFile(filled)
    emptied = sheet.changed({(row.number, at): "" for row in sheet.body for at in (4, 9)})
    assert emptied == worksheet()
    feedback = moodle_feedback((lab.folder / "feedback.zip").read_bytes(), range(501, 531))
    assert len(feedback) == 29  # and the one that could not be rated
    for number, files in feedback.items():
        assert set(re.findall(rb"Student\d+", files["feedback.html"])) == {b"Student%d" % (number - 500)}


def _check_canvas(lab: Lab, exported: Ended) -> None:
    assert exported.exit_code == ExitCode.DONE, exported.output
    assert len(json.loads(exported.stdout)["entered"]) == 30
    students = {900 + at: (f"m{at:04}",) for at in NAMES}
    given = canvas_reads((lab.folder / "grades-graded.csv").read_bytes(), students, {8: "Essay", 9: "Hello"})
    assert given == {number: {9: f"{EVALUATION.overall_rating * 10}.00"} for number in students}


async def _check_pages(lab: Lab) -> None:
    report = await run(lab, "report", "intro", "--out", str(lab.folder / "report.html"))
    assert report.exit_code == 0, report.output
    text = (lab.folder / "report.html").read_text()
    assert "29 handed in" in text
    assert "<script" not in text
    assert "=Max Student30" in text
    pages = await run(lab, "report", "intro", "--students", str(lab.folder / "pages"))
    assert pages.exit_code == ExitCode.SOME_FAILED
    assert len(list((lab.folder / "pages").glob("*.html"))) == 29
    table = await run(lab, "export", "intro", "--to", "csv", "--out", str(lab.folder / "table.csv"))
    assert table.exit_code == ExitCode.SOME_FAILED
    rows = list(csv.DictReader(io.StringIO((lab.folder / "table.csv").read_text("utf-8-sig"))))
    assert len(rows) == 28
    assert "'=Max Student6" in {row["name"] for row in rows}
