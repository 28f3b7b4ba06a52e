"""A student's page holds what was said, as text, whatever was said; and it stays small."""

import shutil
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.core.classes.standing import ClassTask, Standing, StudentStanding
from daemon.core.content.document import (
    CRITERIA,
    Evaluation,
    Profile,
    Result,
    Segment,
    Source,
    Timings,
    Transcript,
)
from daemon.core.errors import UsageError
from daemon.core.exports.members import ClassMember
from daemon.core.tasks.task import Outcome
from daemon.publishing import paper
from daemon.publishing.student_page import MOST_BYTES, has_page, student_page

HOSTILE = '<script>alert(1)</script> & "quoted" \' {{ 7 * 7 }} </style><img src=x onerror=y>'


def member(text: str, segments: int = 1) -> ClassMember:
    heard = tuple(
        Segment(
            start_s=at, end_s=at + 1, text=text, avg_logprob=-0.1, no_speech_prob=0.0, compression_ratio=1.0
        )
        for at in range(segments)
    )
    scores = dict.fromkeys(CRITERIA, 7)
    told = {"feedback": text, "suggestions": (text, "Go on."), "evidence": ()}
    result = Result(
        task_id=1,
        student_id="s1",
        revision=1,
        generated_at="2026-01-31T12:00:00.000000Z",
        outcome=Outcome.EVALUATED,
        source=Source(filename=text, sha256=None, size_bytes=1, duration_s=1.0, uploaded_at="2026-01-31T12"),
        transcript=Transcript(text=text, language="en", language_probability=1.0, segments=heard),
        profile=Profile(name=text, hobbies=(text,)),
        evaluation=Evaluation.model_validate({**scores, **told}),
        timings=Timings(total_s=1, worked_s=1, waited_s=0),
    )
    task = ClassTask(1, "s1", text, 0.0, Outcome.EVALUATED, (), 7, None, 1)
    return ClassMember(StudentStanding("s1", None, (task,), task, Standing.RELEASED, "", False), result)


class Tags(HTMLParser):
    """The elements of a page, and what they load."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.loads: list[str | None] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.loads += [value for name, value in attrs if name in ("src", "href") and tag != "a"]
        assert not any(name.startswith("on") for name, _ in attrs)


@given(st.text(max_size=60))
@settings(max_examples=40)
def test_whatever_was_said_stays_text(text: str) -> None:
    page = student_page(member(text + HOSTILE), text + HOSTILE, HOSTILE)
    tags = Tags(page)
    assert not tags.names & {"script", "img", "iframe", "object", "link"}
    assert tags.loads == []
    assert b"49" not in page


def test_of_a_transcript_that_is_too_long_the_end_is_left_out() -> None:
    page = student_page(member("a sentence that goes on and on, as people do. " * 4, 3000), "c", "")
    assert 50_000 < len(page) < MOST_BYTES


def test_one_whose_result_is_held_has_no_page() -> None:
    one = member("hello")
    held = ClassMember(StudentStanding("s1", None, (), None, Standing.HELD, "why", False), one.result)
    assert has_page(one)
    assert not has_page(held)


def test_without_chromium_the_line_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UsageError, match="apt install chromium"):
        paper.printed(b"")
