"""What a result says for each end of a task, and that the same dossier always gives the same bytes."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from daemon.core.content.document import (
    AttemptTiming,
    ErrorPart,
    Evaluation,
    Evidence,
    Flag,
    Profile,
    Speaking,
    Transcript,
    result_schema,
)
from daemon.core.content.receipt import Receipt, part_bytes, receipt
from daemon.core.content.result import REVIEW_FLAGS, Dossier, compose, to_bytes
from daemon.core.errors import IllegalTransition
from daemon.core.tasks.task import Event, Outcome, Status, Task
from daemon.core.timestamps import from_iso, to_iso

TASK = Task(7, "anna", "intro.mp4", "/spool/c7", "ab" * 32, 1234, 61.5, 1_700_000_000.25, Status.COMPLETED)
TRANSCRIPT = Transcript(text="I am Anna.", language="en", language_probability=0.99)
SPEAKING = Speaking(speech_s=60, words_per_minute=120, pause_ratio=0.1, longest_pause_s=1.5)
RATING = Evaluation(
    overall_rating=7,
    clarity_of_speech=8,
    content_quality=6,
    confidence_level=7,
    feedback="Clear. Warm.",
    suggestions=("Slow down.", "Say more."),
    evidence=(Evidence(quote="I am Anna", start_s=0.0, end_s=1.0),),
)
TRIES = (
    AttemptTiming(stage="stt", attempt=1, seconds=3.0, ended="released"),
    AttemptTiming(stage="stt", attempt=2, seconds=5.0, ended="transcribed"),
    AttemptTiming(stage="extract", attempt=3, seconds=2.0, ended="extracted"),
    AttemptTiming(stage="rate", attempt=4, seconds=4.0, ended="rated"),
)
RATED = Dossier(
    task=TASK,
    ended=Event.RATED,
    began_at=TASK.claimed_at,
    generated_at=TASK.claimed_at + 100,
    transcript=TRANSCRIPT,
    speaking=SPEAKING,
    profile=Profile(name="Anna"),
    evaluation=RATING,
    tries=TRIES,
)
REASON = ErrorPart(code="no_speech", stage="stt", message="Nobody speaks; record again.", attempts=1)
SCHEMA = Draft202012Validator(result_schema())  # made once: each making takes 40 times a validation


def test_a_rated_task_is_evaluated_and_says_where_the_time_went() -> None:
    result = compose(RATED)
    assert result.outcome is Outcome.EVALUATED
    assert result.error is None
    assert (result.timings.total_s, result.timings.worked_s, result.timings.waited_s) == (100, 14, 86)
    assert result.timings.stages == {"stt": 5.0, "extract": 2.0, "rate": 4.0}
    assert result.timings.attempts == TRIES
    assert result.source.uploaded_at == "2023-11-14T22:13:20.250000Z"


@pytest.mark.parametrize("code", sorted(REVIEW_FLAGS))
def test_a_grave_flag_asks_for_review(code: str) -> None:
    assert compose(replace(RATED, flags=(Flag(code=code),))).outcome is Outcome.NEEDS_REVIEW


def test_a_slight_flag_does_not() -> None:
    assert compose(replace(RATED, flags=(Flag(code="demo_model"),))).outcome is Outcome.EVALUATED


@pytest.mark.parametrize("missing", [{"profile": None}, {"evaluation": None}])
def test_what_no_valid_answer_came_for_needs_review(missing: dict[str, Any]) -> None:
    assert compose(replace(RATED, **missing)).outcome is Outcome.NEEDS_REVIEW


def test_what_nobody_said_is_never_graded() -> None:
    result = compose(replace(RATED, ended=Event.UNSCORABLE, error=REASON))
    assert result.outcome is Outcome.UNSCORABLE
    assert (result.profile, result.evaluation, result.error) == (None, None, REASON)
    assert result.transcript == TRANSCRIPT


@pytest.mark.parametrize(
    ("event", "outcome"), [(Event.FAILED, Outcome.FAILED), (Event.CANCELLED, Outcome.CANCELLED)]
)
def test_a_failed_or_cancelled_task_keeps_what_it_had(event: Event, outcome: Outcome) -> None:
    result = compose(replace(RATED, ended=event, evaluation=None))
    assert result.outcome is outcome
    assert result.profile == RATED.profile


@pytest.mark.parametrize("event", [Event.ADMITTED, Event.STARTED, Event.TRANSCRIBED, Event.RELEASED])
def test_a_task_that_goes_on_has_no_result(event: Event) -> None:
    with pytest.raises(IllegalTransition, match="no end"):
        compose(replace(RATED, ended=event))


def test_the_same_flag_is_given_once() -> None:
    twice = (Flag(code="demo_model"), Flag(code="x", field="a"), Flag(code="demo_model"))
    assert compose(replace(RATED, flags=twice)).flags == twice[:2]


def test_a_clock_set_back_makes_no_negative_time() -> None:
    timings = compose(replace(RATED, generated_at=RATED.began_at - 3600)).timings
    assert (timings.total_s, timings.waited_s) == (14, 0)


def test_an_unknown_duration_is_null() -> None:
    assert compose(replace(RATED, task=replace(TASK, duration_s=0.0))).source.duration_s is None


def test_bytes_are_utf8_with_a_newline_at_the_end() -> None:
    content = to_bytes(
        compose(replace(RATED, transcript=TRANSCRIPT.model_copy(update={"text": "Ich heiße Åsa 🎓"})))
    )
    assert content.endswith(b"}\n")
    assert "Ich heiße Åsa 🎓" in content.decode()


scores = st.integers(1, 10)
seconds = st.floats(0, 1e6)
flags = st.builds(
    Flag, code=st.sampled_from([*sorted(REVIEW_FLAGS), "demo_model", "ungrounded"]), detail=st.text()
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(), part, max_size=3),
    max_leaves=8,
)
tries = st.builds(
    AttemptTiming,
    stage=st.sampled_from(["stt", "extract", "rate"]),
    attempt=st.integers(1, 99),
    seconds=seconds,
    ended=st.sampled_from(["released", "failed", "transcribed", "extracted", "rated", "unscorable"]),
)
speakings = st.builds(
    Speaking, speech_s=seconds, words_per_minute=seconds, pause_ratio=seconds, longest_pause_s=seconds
)
dossiers = st.builds(
    Dossier,
    task=st.builds(
        Task,
        id=st.integers(1),
        student=st.text(),
        filename=st.text(),
        path=st.text(),
        sha256=st.text(),
        size_bytes=st.integers(0),
        duration_s=seconds,
        claimed_at=st.floats(0, 4e9),
    ),
    ended=st.sampled_from([Event.RATED, Event.FAILED, Event.CANCELLED, Event.UNSCORABLE]),
    began_at=st.floats(0, 4e9),
    generated_at=st.floats(0, 4e9),
    error=st.none() | st.builds(ErrorPart),
    transcript=st.none() | st.just(TRANSCRIPT),
    speaking=st.none() | speakings,
    profile=st.none() | st.builds(Profile),
    evaluation=st.none() | st.just(RATING),
    flags=st.lists(flags, max_size=4).map(tuple),
    tries=st.lists(tries, max_size=5).map(tuple),
    provenance=st.dictionaries(st.text(), plain, max_size=4),
)


@given(dossiers)
def test_every_result_is_valid_and_its_bytes_depend_on_the_dossier_alone(dossier: Dossier) -> None:
    content = to_bytes(compose(dossier))
    SCHEMA.validate(json.loads(content))
    turned = dict(reversed(list(dossier.provenance.items())))
    assert to_bytes(compose(replace(dossier, provenance=turned))) == content


@given(st.floats(0, 4e9))
def test_points_in_time_survive_their_text_and_sort_with_it(at: float) -> None:
    assert from_iso(to_iso(at)) == pytest.approx(at, abs=1e-6)
    assert to_iso(from_iso(to_iso(at))) == to_iso(at)
    assert to_iso(at) < to_iso(at + 1)


def test_a_receipt_gives_the_place_only_to_who_waits() -> None:
    waiting = receipt(replace(TASK, status=Status.UPLOADED), 3, 1_700_000_100.0)
    assert (waiting.place_in_queue, waiting.estimated_completion) == (3, "2023-11-14T22:15:00.000000Z")
    failed = receipt(replace(TASK, status=Status.FAILED), 3, 1_700_000_100.0)
    assert (failed.place_in_queue, failed.estimated_completion) == (None, None)
    assert Receipt.model_validate_json(part_bytes(waiting)) == waiting
