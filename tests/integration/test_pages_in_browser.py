"""Each page that the program writes, opened from the file system in a real browser."""

from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from pypdf import PdfReader

from daemon.contracts.wire.status import GpuPoint, PhaseSpan
from daemon.core.classes.roster import Roster, RosterEntry
from daemon.core.classes.standing import ClassTask, count, standings
from daemon.core.content.document import (
    ErrorPart,
    HumanDecision,
    Profile,
    Result,
    Segment,
    Source,
    Speaking,
    Timings,
    Transcript,
)
from daemon.core.exports.members import ClassMember
from daemon.core.tasks.task import Outcome
from daemon.core.timestamps import to_iso
from daemon.publishing.calibration_report import calibration_report
from daemon.publishing.class_report import class_report
from daemon.publishing.paper import printed
from daemon.publishing.rehearsal_report import rehearsal_report
from daemon.publishing.student_page import MOST_BYTES, student_page
from tests.support.looked_at import browsing, faults
from tests.support.scripted import EVALUATION
from tests.unit.test_calibration import calibration
from tests.unit.test_rehearsal import rehearsal

NAMES = (
    "Ana Berg",
    "ليلى حداد",
    "דנה כהן",
    "\N{RIGHT-TO-LEFT OVERRIDE}evil\N{LEFT-TO-RIGHT MARK}",
    "李小龙",
    "Zoe\N{COMBINING DIAERESIS} " + "\N{COMBINING ACUTE ACCENT}" * 30,
    '<script>alert(1)</script><img src="https://example.org/x.png" onerror=y>',
    "</style></title>{{ 7 * 7 }}",
    "W" * 120,
    "=cmd|'/c calc'!A1",
)
SAID = 'I am <b>here</b>, https://example.org/. أنا من دمشق "and" I like hiking & '
KINDS = (Outcome.EVALUATED, Outcome.EVALUATED, Outcome.NEEDS_REVIEW, Outcome.UNSCORABLE, None)


def result(at: int, outcome: Outcome) -> Result:
    part = Segment(
        start_s=3.0, end_s=9.0, text=SAID, avg_logprob=-0.1, no_speech_prob=0.0, compression_ratio=1.0
    )
    rated = outcome is not Outcome.UNSCORABLE
    return Result(
        task_id=at,
        student_id=f"s{at:02}",
        revision=1,
        generated_at=to_iso(100.0),
        outcome=outcome,
        error=None if rated else ErrorPart(code="silence", stage="stt", message=SAID, attempts=1),
        source=Source(
            filename=f"{NAMES[at % len(NAMES)]}.mp4",
            sha256=None,
            size_bytes=1,
            duration_s=60.0,
            uploaded_at=to_iso(0.0),
        ),
        transcript=Transcript(text=SAID, language="en", language_probability=1.0, segments=(part,) * 20),
        speaking=Speaking(
            speech_s=50.0,
            words_per_minute=120.0,
            pause_ratio=0.1,
            longest_pause_s=2.0,
            filler_words={"um": 3},
        ),
        profile=Profile(name=NAMES[at % len(NAMES)], hobbies=(SAID, "chess")),
        evaluation=EVALUATION.model_copy(update={"overall_rating": at % 10 + 1, "feedback": SAID})
        if rated
        else None,
        timings=Timings(total_s=60, worked_s=60, waited_s=0),
        decision=HumanDecision(
            kind="changed",
            by="Ann",
            account=None,
            at=to_iso(200.0),
            reason=SAID,
            before={"evaluation.overall_rating": 3},
        )
        if at % 5 == 1
        else None,
    )


@cache
def members() -> tuple[ClassMember, ...]:
    """A class of thirty: rated, decided, to be reviewed, unscorable, missing."""
    roster = Roster(
        [
            RosterEntry(student=f"s{at:02}", name=NAMES[at % len(NAMES)], group="Mon & <Tue>")
            for at in range(30)
        ]
    )
    results = {at: result(at, kind) for at in range(30) if (kind := KINDS[at % 5])}
    tasks = [
        ClassTask(
            at,
            one.student_id,
            one.source.filename,
            0.0,
            one.outcome,
            ("quiet",) if one.outcome is Outcome.NEEDS_REVIEW else (),
            one.evaluation.overall_rating if one.evaluation else None,
            one.decision.by if one.decision else None,
            1,
        )
        for at, one in results.items()
    ]
    lines = standings(roster, tasks, "flagged", "newest", 10.0)
    return tuple(ClassMember(line, results[line.counts.id] if line.counts else None) for line in lines)


@cache
def pages() -> dict[str, bytes]:
    phases = [
        PhaseSpan(
            group=group,
            started_at=to_iso(at),
            ready_at=to_iso(at + 5),
            ended_at=to_iso(at + 60),
            switch_s=5,
            tasks=9,
        )
        for at, group in ((0.0, ["stt"]), (60.0, ["extract", "rate"]))
    ]
    points = [
        GpuPoint(at=to_iso(at), utilisation=at % 100, used_mb=4000.0, group=["stt"])
        for at in range(0, 120, 2)
    ]
    class_members = members()
    counts = count(member.standing for member in class_members)
    return {
        "class": class_report(NAMES[6], to_iso(300.0), counts, class_members, phases, points),
        "empty class": class_report("2026-11-27", to_iso(0.0), count([]), [], [], []),
        "student": student_page(class_members[1], NAMES[7], SAID),
        "unrated student": student_page(class_members[3], "A class", ""),
        "calibration": calibration_report(calibration()),
        "rehearsal": rehearsal_report(rehearsal(alarms=(SAID,))),
    }


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as one:
        yield one


@pytest.mark.parametrize(
    "name", ["class", "empty class", "student", "unrated student", "calibration", "rehearsal"]
)
def test_a_page_loads_nothing_says_nothing_fits_its_window_and_can_be_read_by_everybody(
    browser: Browser, tmp_path: Path, name: str
) -> None:
    file = tmp_path / f"{name}.html"
    file.write_bytes(pages()[name])
    assert faults(browser, file) == set()
    assert file.stat().st_size < MOST_BYTES


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('<p style="color: #aaa; background: #fff">Hardly to be read</p>', "color-contrast"),
        ("<input>", "label"),
        ('<p style="width: 100rem">Wide</p>', "px wide"),
        (
            '<p class="scroll" tabindex="0" style="overflow: auto; width: 9rem">' + "W" * 99,
            "has to be scrolled",
        ),
        ('<img alt="" src="https://example.org/x.png">', "asks for https://example.org/x.png"),
        ('<script>console.log("hello")</script>', "says hello"),
        ("<script>nowhere()</script>", "fails: nowhere is not defined"),
    ],
)
def test_the_browser_sees_what_is_wrong_with_a_page(
    browser: Browser, tmp_path: Path, body: str, fault: str
) -> None:
    file = tmp_path / "page.html"
    file.write_text(f'<html lang="en"><title>A page</title><main><h1>A page</h1>{body}</main></html>')
    assert any(fault in each for each in faults(browser, file))


def test_the_whole_report_is_printed_with_every_student_and_a_students_page_with_all_that_was_heard(
    browser: Browser,
) -> None:
    report = PdfReader(BytesIO(printed(pages()["class"])))
    text = "".join(page.extract_text() for page in report.pages)
    assert all(f"s{at:02}" in text.partition("All students")[2] for at in range(30))
    assert {tuple(map(round, page.mediabox[2:])) for page in report.pages} <= {(595, 842), (612, 792)}
    assert len(PdfReader(BytesIO(printed(pages()["student"]))).pages) > 1
