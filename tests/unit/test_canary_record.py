"""What counts as drift of the canary, and what an acceptance makes of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.canary.record import (
    TOLERANCE,
    CanaryRecord,
    CanaryRun,
    accepted,
    foreseen,
    judged,
)

IDENTITY: dict[str, Any] = {
    "digest": "sha256:" + "a" * 64,
    "server_version": "server 1",
    "prompt_sha256": "b" * 64,
    "parameters": {"temperature": 0.2, "seed": 1},
    "device": "gpu",
}
SCORES = {"scores": {"overall_rating": 7.0, "clarity_of_speech": 6.0}}


def run(
    identity: dict[str, Any] | None = None, answer: dict[str, Any] | None = SCORES, day: str = "1"
) -> CanaryRun:
    return CanaryRun(identity=IDENTITY if identity is None else identity, answer=answer, at=1.0, day=day)


FIRST = judged(CanaryRecord(), run())


def test_the_first_answer_is_recorded_and_passes() -> None:
    assert FIRST.reference == run()
    assert FIRST.passed("1", IDENTITY)
    assert not FIRST.passed("2", IDENTITY)
    assert not FIRST.passed("1", {**IDENTITY, "device": "cpu"})


@given(st.floats(-3, 3))
def test_an_expected_score_drifts_beyond_the_tolerance_and_not_within(by: float) -> None:
    now = {"scores": {**SCORES["scores"], "overall_rating": 7.0 + by}}
    drift = judged(FIRST, run(answer=now)).drift
    if abs(by) > TOLERANCE + 1e-6:
        assert [line.partition(":")[0] for line in drift] == ["scores.overall_rating"]
    if abs(by) < TOLERANCE - 1e-6:
        assert not drift


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"digest": "sha256:" + "c" * 64}, 'digest: "aaaaaaaaaaaa" was recorded, "cccccccccccc" came'),
        ({"server_version": "server 2"}, 'server_version: "1" was recorded, "2" came'),
        ({"prompt_sha256": "c" * 64}, 'prompt_sha256: "bbbbbbbbbbbb" was recorded, "cccccccccccc" came'),
        (
            {"parameters": {"temperature": 0.25, "seed": 1}},
            "parameters.temperature: 0.20 was recorded, 0.25 came",
        ),
        ({"parameters": {"temperature": 0.2, "seed": 2}}, "parameters.seed: 1 was recorded, 2 came"),
        ({"hotwords": "chess"}, 'hotwords: nothing was recorded, "chess" came'),
    ],
)
def test_each_part_of_the_identity_drifts_by_any_difference(change: dict[str, Any], told: str) -> None:
    assert judged(FIRST, run({**IDENTITY, **change})).drift == (told,)


@pytest.mark.parametrize("change", [{"device": "cpu"}, {"degraded": "half of it on the processor"}])
def test_where_a_model_runs_is_asked_again_and_is_no_drift_by_itself(change: dict[str, Any]) -> None:
    assert not judged(FIRST, run({**IDENTITY, **change})).drift


def test_a_score_that_is_missing_and_an_answer_that_is_not_valid_drift() -> None:
    assert judged(FIRST, run(answer={"scores": {"overall_rating": 7.0}})).drift
    assert judged(FIRST, run(answer=None)).drift == ("no valid answer came",)


def test_the_form_and_the_transcript_drift_by_any_word() -> None:
    form = {"form": {"name": "Clara Hill", "age": 21, "hobbies": ["chess", "swimming"]}}
    before = judged(CanaryRecord(), run(answer=form))
    other = {"form": {**form["form"], "hobbies": ["chess"]}}
    assert judged(before, run(answer=other)).drift == (
        "form.hobbies: ['chess', 'swimming'] was recorded, ['chess'] came",
    )
    heard = judged(CanaryRecord(), run(answer={"transcript": "I play chess and I swim"}))
    assert judged(heard, run(answer={"transcript": "I play cards and I swim"})).drift == (
        'transcript: "chess" was recorded, "cards" came',
    )


def test_what_drifted_stays_until_it_is_put_back_or_accepted() -> None:
    edited = {**IDENTITY, "prompt_sha256": "c" * 64}
    drifted = judged(FIRST, run(edited))
    assert not drifted.passed("1", edited)
    assert judged(drifted, run(day="2")).passed("2", IDENTITY)
    taken = accepted(drifted, "lena", 5.0)
    assert taken.reference is not None
    assert (taken.reference.by, taken.reference.identity) == ("lena", edited)
    assert taken.passed("1", edited)
    assert judged(taken, run(day="2")).drift, "the text before the accepted edit passed"
    assert accepted(taken, "lena", 6.0) == taken


def test_an_edit_that_was_told_before_its_stage_was_asked_is_accepted_with_the_rest() -> None:
    edited = {"prompt_sha256": "c" * 64, "parameters": IDENTITY["parameters"]}  # the model is not loaded
    told = foreseen(FIRST, edited)
    assert told.drift
    taken = accepted(told, "lena", 5.0)
    now = judged(taken, run({**IDENTITY, **edited}, {"scores": {"overall_rating": 3.0}}))
    assert not now.drift
    assert now.reference is not None
    assert now.reference.answer == {"scores": {"overall_rating": 3.0}}
    swapped = {**IDENTITY, **edited, "digest": "sha256:" + "d" * 64}
    assert judged(taken, run(swapped)).drift, "with the edit, a swapped model was accepted unseen"


def test_without_a_change_nothing_is_foreseen() -> None:
    assert foreseen(FIRST, IDENTITY) == FIRST
    assert foreseen(CanaryRecord(), IDENTITY) == CanaryRecord()


def test_a_first_answer_that_was_not_valid_passes_and_the_next_valid_one_is_recorded() -> None:
    silent = judged(CanaryRecord(), run(answer=None))
    assert silent.passed("1", IDENTITY)
    assert judged(silent, run({**IDENTITY, "digest": "other"}, None)).drift
    heard = judged(silent, run())
    assert heard.reference is not None
    assert heard.reference.answer == SCORES
