"""What a person may ask for a task, in every state, and where a task goes that is reopened."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from daemon.core.errors import IllegalTransition
from daemon.core.schedule.decision import View
from daemon.core.schedule.orders import Order, useful
from daemon.core.tasks.offers import (
    ANSWER_FLAGS,
    OF_THE_FILE,
    Ruling,
    TaskFacts,
    Terms,
    Verb,
    check,
    offered,
    refusal,
    waits_long,
)
from daemon.core.tasks.reopening import REOPENINGS, rated_again, retried
from daemon.core.tasks.task import FINAL, OPEN, WAITING, Event, Outcome, Status, Task

NOW = 1_700_000_000.0
TERMS = Terms("introeval 3", max_duration_s=900.0, max_size_mb=4096.0, oldest_wait_s=3600.0)
FAILED = TaskFacts(
    id=7,
    status=Status.FAILED,
    outcome=Outcome.FAILED,
    revision=1,
    held=False,
    cancel_requested=False,
    claimed_at=NOW - 60,
    has_transcript=False,
    form_tried=False,
    has_form=False,
    error_code="worker_died",
    judged_by="introeval 3",
    video_kept=True,
    acknowledged=False,
    flag_codes=(),
    is_first=False,
    decided_by=None,
)
RATED = replace(
    FAILED,
    status=Status.COMPLETED,
    outcome=Outcome.EVALUATED,
    error_code=None,
    has_transcript=True,
    form_tried=True,
    has_form=True,
)
DOUBTFUL = replace(RATED, outcome=Outcome.NEEDS_REVIEW, flag_codes=("no_valid_rating",))
UNSCORABLE = replace(RATED, outcome=Outcome.UNSCORABLE, error_code="no_speech", has_form=False)
WAITS = replace(FAILED, status=Status.UPLOADED, outcome=None, error_code=None, judged_by=None)


SEEN = {"deliver", "acknowledge", "decide"}


def can(task: TaskFacts, now: float = NOW) -> set[str]:
    return {verb.value for verb in offered(task, TERMS, now)}


@pytest.mark.parametrize(
    ("task", "verbs"),
    [
        (WAITS, {"cancel", "hold", "next"}),
        (replace(WAITS, is_first=True), {"cancel", "hold", "in_turn"}),
        (replace(WAITS, is_first=True, held=True), {"cancel", "release", "in_turn"}),
        (replace(WAITS, status=Status.LLAMA_PROCESSING), {"cancel", "hold"}),
        (replace(WAITS, held=True), {"cancel", "release"}),
        (replace(WAITS, status=Status.STT_PROCESSING, cancel_requested=True), set()),
        (replace(WAITS, revision=2), {"cancel", "hold", "next", "deliver"}),
        (replace(WAITS, claimed_at=NOW - 3601), {"cancel", "hold", "next", "acknowledge"}),
        (replace(WAITS, claimed_at=NOW - 3601, acknowledged=True), {"cancel", "hold", "next"}),
        (RATED, {"rate", "deliver", "decide"}),
        (replace(RATED, decided_by="Dr. Roe"), {"rate", "deliver", "decide", "undo"}),
        (UNSCORABLE, SEEN),
        (replace(UNSCORABLE, acknowledged=True), {"deliver", "decide"}),
        (DOUBTFUL, {"retry", "rate", *SEEN}),
        (replace(DOUBTFUL, flag_codes=("addresses_evaluator", "no_valid_rating")), {"retry", "rate", *SEEN}),
        (
            replace(DOUBTFUL, flag_codes=("addresses_evaluator", "no_valid_rating", "no_valid_form")),
            {"rate", *SEEN},
        ),
        (replace(DOUBTFUL, flag_codes=("quiet",)), {"rate", *SEEN}),
        (replace(UNSCORABLE, outcome=Outcome.EVALUATED, decided_by="Dr. Roe"), {"deliver", "decide", "undo"}),
        (FAILED, {"retry", *SEEN}),
        (replace(FAILED, error_code="not_media"), SEEN),
        (replace(FAILED, video_kept=False), SEEN),
        (replace(FAILED, status=Status.CANCELLED, outcome=Outcome.CANCELLED), {"retry", "deliver"}),
    ],
)
def test_what_is_offered_is_what_changes_something(task: TaskFacts, verbs: set[str]) -> None:
    assert can(task) == verbs


@pytest.mark.parametrize("code", sorted(OF_THE_FILE))
def test_the_same_bytes_are_tried_again_only_by_other_terms(code: str) -> None:
    failed = replace(FAILED, error_code=code, judged_by=TERMS.judging(code))
    assert "send another" in str(refusal(failed, Verb.RETRY, TERMS, NOW))
    assert refusal(failed, Verb.RETRY, replace(TERMS, program="introeval 4"), NOW) is None
    assert refusal(replace(failed, judged_by=None), Verb.RETRY, TERMS, NOW) is None, "nobody knows by what"
    larger = replace(TERMS, max_duration_s=1800.0, max_size_mb=9000.0)
    smaller = replace(TERMS, max_duration_s=300.0, max_size_mb=100.0)
    limited = code in ("too_long", "too_large")
    assert (refusal(failed, Verb.RETRY, larger, NOW) is None) is limited
    assert refusal(failed, Verb.RETRY, smaller, NOW) is not None


outcomes = {Status.FAILED: [Outcome.FAILED], Status.CANCELLED: [Outcome.CANCELLED],
            Status.COMPLETED: [Outcome.EVALUATED, Outcome.NEEDS_REVIEW, Outcome.UNSCORABLE]}  # fmt: skip
codes = some.sampled_from([*sorted(ANSWER_FLAGS), "quiet", "demo_model", "same_content"])


@some.composite
def tasks(draw: Any) -> TaskFacts:
    status = draw(some.sampled_from(Status))
    outcome = draw(some.sampled_from(outcomes.get(status, [None])))
    failed = outcome is Outcome.FAILED or (outcome is Outcome.EVALUATED and draw(some.booleans()))
    return TaskFacts(
        id=draw(some.integers(1, 9999)),
        status=status,
        outcome=outcome,
        revision=draw(some.integers(1, 3)),
        held=draw(some.booleans()),
        cancel_requested=draw(some.booleans()),
        claimed_at=NOW - draw(some.floats(0, 10_000)),
        has_transcript=draw(some.booleans()),
        form_tried=draw(some.booleans()),
        has_form=draw(some.booleans()),
        error_code=draw(some.sampled_from([*sorted(OF_THE_FILE), "worker_died"])) if failed else None,
        judged_by=draw(some.sampled_from([None, "introeval 2", "introeval 3", "introeval 3; at most 600"])),
        video_kept=draw(some.booleans()),
        acknowledged=draw(some.booleans()),
        flag_codes=tuple(draw(some.lists(codes, max_size=3))),
        is_first=draw(some.booleans()),
        decided_by=draw(some.sampled_from([None, "Dr. Roe"])),
    )


@given(tasks())
def test_of_every_state_what_is_offered_is_accepted_and_what_is_not_is_refused_in_one_line(
    task: TaskFacts,
) -> None:
    for verb in (*Verb, *Ruling):
        if verb in offered(task, TERMS, NOW):
            check(task, verb, TERMS, NOW)
            continue
        with pytest.raises(IllegalTransition) as refused:
            check(task, verb, TERMS, NOW)
        told = str(refused.value)
        assert f"task {task.id}" in told, "who is affected"
        assert "; " in told or ": " in told, "what to do"
        assert "\n" not in told
        assert "_" not in told.replace("needs_review", "").replace(task.status.value, "")
        assert not any(f"cannot be {event}" in told for event in Event)


@given(tasks(), some.booleans())
def test_every_reopening_that_is_offered_has_its_way_back(task: TaskFacts, extract: bool) -> None:
    can = offered(task, TERMS, NOW)
    if Verb.RETRY in can:
        assert (task.status, retried(task, TERMS, NOW)) in REOPENINGS
    if Verb.RATE in can:
        assert (task.status, rated_again(task, TERMS, NOW, extract=extract)) in REOPENINGS


@given(tasks())
def test_no_request_is_offered_that_changes_nothing(task: TaskFacts) -> None:
    can = offered(task, TERMS, NOW)
    assert not {Verb.HOLD, Verb.RELEASE} <= set(can)
    assert not (Verb.HOLD in can and task.held)
    assert not (Verb.RELEASE in can and not task.held)
    assert not (Verb.CANCEL in can and task.cancel_requested)
    assert not (Verb.ACKNOWLEDGE in can and task.acknowledged)
    if task.status in OPEN:
        assert not {Verb.RETRY, Verb.RATE} & set(can)


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
@pytest.mark.parametrize(
    ("transcript", "form", "to"),
    [
        (False, False, Status.UPLOADED),
        (True, False, Status.STT_COMPLETE),
        (True, True, Status.MISTRAL_COMPLETE),
    ],
)
def test_a_retry_goes_on_where_the_task_stood(
    status: Status, transcript: bool, form: bool, to: Status
) -> None:
    task = replace(FAILED, status=status, has_transcript=transcript, form_tried=form)
    assert retried(task, TERMS, NOW) is to


def test_a_doubtful_task_goes_to_the_stage_that_gave_nothing_else_to_rating() -> None:
    assert retried(replace(DOUBTFUL, has_form=False), TERMS, NOW) is Status.STT_COMPLETE
    assert retried(DOUBTFUL, TERMS, NOW) is Status.MISTRAL_COMPLETE


def test_a_new_rating_begins_at_rating_or_at_the_form() -> None:
    for task in (RATED, DOUBTFUL):
        assert rated_again(task, TERMS, NOW, extract=False) is Status.MISTRAL_COMPLETE
        assert rated_again(task, TERMS, NOW, extract=True) is Status.STT_COMPLETE


def test_a_video_that_is_gone_cannot_be_transcribed_again() -> None:
    gone = replace(FAILED, video_kept=False)
    with pytest.raises(IllegalTransition, match="no copy of the video"):
        retried(gone, TERMS, NOW)
    assert retried(replace(gone, has_transcript=True), TERMS, NOW) is Status.STT_COMPLETE


def test_only_what_is_over_is_reopened_and_only_to_where_it_waits() -> None:
    assert {before for before, _ in REOPENINGS} == FINAL
    assert {after for _, after in REOPENINGS} == WAITING


def test_a_long_wait_is_of_a_first_revision_that_could_start() -> None:
    late = replace(WAITS, claimed_at=NOW - 3601)
    assert waits_long(late, TERMS, NOW)
    others: list[dict[str, Any]] = [
        {"held": True}, {"revision": 2}, {"status": Status.STT_PROCESSING}, {"claimed_at": NOW - 3599},
        {"status": Status.FAILED},
    ]  # fmt: skip
    assert not any(waits_long(replace(late, **changed), TERMS, NOW) for changed in others)


def test_an_order_is_offered_while_it_changes_something() -> None:
    task = Task(1, "anna", "me.mp4", "/x", "sha", 1, 10.0, NOW)
    calm = View(NOW, ())
    assert useful(calm) == [Order.PAUSE, Order.DRAIN]
    assert useful(replace(calm, paused=True)) == [Order.RESUME, Order.DRAIN]
    assert useful(replace(calm, draining=True)) == [Order.PAUSE, Order.RESUME]
    waiting = replace(calm, tasks=[task], last_claim_at=NOW)
    assert Order.GO in useful(waiting)
    assert Order.GO not in useful(replace(waiting, go_at=NOW)), "an earlier one covers the claim"
