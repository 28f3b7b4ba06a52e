"""Retries, suspicion and failure: each rule of blame, by example."""

import itertools
from dataclasses import replace

import pytest

from daemon.core.errors import Blame, Fault, IllegalTransition
from daemon.core.tasks.lifecycle import RetryPolicy, advance, after_fault, backoff_s
from daemon.core.tasks.task import RUNNING, STAGE_OF, TRANSITIONS, WAITING, Event, Status, Task
from tests.unit.scheduling import task

OWN = Fault(Blame.TASK, "answer_invalid", "no JSON")
ENGINE = Fault(Blame.ENGINE, "server_error", "out of memory")
PERMANENT = Fault(Blame.PERMANENT, "too_long", "the transcript does not fit")
DEATH = Fault(Blame.ENGINE, "engine_died", "the server is gone", died=True)
POLICY = RetryPolicy(max_retry_count=3)
WAITS_AT = {STAGE_OF[status]: status for status in WAITING}


def again(released: Task) -> Task:
    """The task in its next try at the same stage."""
    if (released.status, Event.ADMITTED) in TRANSITIONS:
        released = advance(released, Event.ADMITTED)
    return advance(released, Event.STARTED)


def faults(running: Task, *of: Fault, now: float = 100.0) -> tuple[Event, Task]:
    """What becomes of a task whose tries end with these faults, one after the other."""
    event = Event.STARTED
    for number, fault in enumerate(of):
        event, running = after_fault(again(running) if number else running, fault, now, POLICY)
    return event, running


running = pytest.mark.parametrize("status", sorted(RUNNING))


def test_admission_notes_the_batch() -> None:
    assert advance(task(1), Event.ADMITTED, batch_id=7).batch_id == 7
    assert advance(task(1, batch_id=6), Event.ADMITTED).batch_id == 6


def test_each_start_is_a_new_attempt_and_nothing_else_is() -> None:
    started = advance(task(1, Status.STT_PENDING, attempt=4), Event.STARTED)
    assert (started.status, started.attempt) == (Status.STT_PROCESSING, 5)
    assert advance(started, Event.TRANSCRIBED).attempt == 5


def test_another_stage_begins_its_counts_anew() -> None:
    worn = task(
        1, Status.STT_PROCESSING, attempt=3, retry_count=2, suspicion=1, deaths_alone=1, not_before=9.0
    )
    after = advance(worn, Event.TRANSCRIBED)
    assert (after.retry_count, after.suspicion, after.deaths_alone, after.not_before) == (0, 0, 0, 0.0)
    assert after.attempt == 3


@pytest.mark.parametrize("event", [Event.UNSCORABLE, Event.FAILED, Event.CANCELLED, Event.RELEASED])
def test_the_counts_stay_at_the_same_stage_and_at_the_end(event: Event) -> None:
    worn = task(1, Status.STT_PROCESSING, retry_count=2, suspicion=1, deaths_alone=1)
    after = advance(worn, event)
    assert (after.retry_count, after.suspicion, after.deaths_alone) == (2, 1, 1)


@pytest.mark.parametrize(("status", "event"), list(itertools.product(Status, Event)))
def test_what_the_table_forbids_changes_nothing(status: Status, event: Event) -> None:
    one = task(1, status)
    if (status, event) not in TRANSITIONS:
        with pytest.raises(IllegalTransition):
            advance(one, event)
    assert one == task(1, status)


def test_the_backoff_doubles_up_to_a_minute() -> None:
    assert [backoff_s(n) for n in range(1, 7)] == [5, 10, 20, 40, 60, 60]
    assert backoff_s(10_000) == 60


@running
@pytest.mark.parametrize("fault", [OWN, ENGINE, PERMANENT, DEATH])
def test_a_cancel_that_was_asked_for_beats_every_fault(status: Status, fault: Fault) -> None:
    event, after = after_fault(task(1, status, cancel_requested=True), fault, 100.0, POLICY)
    assert (event, after.status) == (Event.CANCELLED, Status.CANCELLED)


@running
@pytest.mark.parametrize("died", [False, True])
def test_a_permanent_fault_fails_at_once(status: Status, died: bool) -> None:
    event, after = after_fault(task(1, status), replace(PERMANENT, died=died), 100.0, POLICY)
    assert (event, after.status, after.retry_count) == (Event.FAILED, Status.FAILED, 0)


@running
def test_a_fault_of_its_own_is_counted_and_waits_out_its_backoff(status: Status) -> None:
    event, after = faults(task(1, status), OWN)
    assert (event, after.status) == (Event.RELEASED, WAITS_AT[STAGE_OF[status]])
    assert (after.retry_count, after.not_before, after.suspicion) == (1, 105.0, 0)
    _, after = faults(task(1, status), OWN, OWN)
    assert (after.retry_count, after.not_before) == (2, 110.0)


@running
def test_the_third_fault_of_its_own_fails(status: Status) -> None:
    event, after = faults(task(1, status), OWN, OWN, OWN)
    assert (event, after.status, after.retry_count) == (Event.FAILED, Status.FAILED, 3)


def test_faults_are_counted_for_each_stage() -> None:
    _, after = faults(task(1, Status.STT_PROCESSING), OWN, OWN)
    extracting = again(advance(again(after), Event.TRANSCRIBED))
    event, after = faults(extracting, OWN, OWN)
    assert (event, after.retry_count) == (Event.RELEASED, 2)


@running
def test_an_engines_fault_is_never_counted_however_often_it_comes(status: Status) -> None:
    event, after = faults(task(1, status), *[ENGINE] * 20)
    assert (event, after.status) == (Event.RELEASED, WAITS_AT[STAGE_OF[status]])
    assert (after.retry_count, after.deaths_alone) == (0, 0)


@running
@pytest.mark.parametrize("fault", [ENGINE, DEATH])
def test_who_was_in_hand_when_an_engine_failed_is_a_suspect_and_may_start_at_once(
    status: Status, fault: Fault
) -> None:
    event, after = faults(task(1, status), fault)
    assert (event, after.status) == (Event.RELEASED, WAITS_AT[STAGE_OF[status]])
    assert (after.suspicion, after.not_before, after.retry_count, after.deaths_alone) == (1, 100.0, 0, 0)


@running
@pytest.mark.parametrize("blame", [Blame.ENGINE, Blame.TASK])
def test_two_deaths_alone_fail_at_every_stage(status: Status, blame: Blame) -> None:
    death = replace(DEATH, blame=blame)
    event, after = faults(task(1, status), death, death)
    assert (event, after.deaths_alone) == (Event.RELEASED, 1)
    event, after = faults(task(1, status), death, death, death)
    assert (event, after.status, after.deaths_alone, after.retry_count) == (Event.FAILED, Status.FAILED, 2, 0)


def test_what_the_engine_had_not_begun_when_it_died_waits_as_if_nothing_had_been() -> None:
    untouched = Fault(Blame.ENGINE, "worker_died", "it ended by SIGKILL", begun=False)
    before = task(1, Status.STT_PROCESSING, attempt=1, retry_count=1)
    event, after = after_fault(before, untouched, 100.0, POLICY)
    assert (event, after) == (Event.RELEASED, advance(before, Event.RELEASED))
    assert (after.suspicion, after.retry_count) == (0, 1)


def test_a_suspect_that_succeeds_is_trusted_again() -> None:
    _, after = faults(task(1, Status.STT_PROCESSING), DEATH, DEATH)
    assert advance(again(after), Event.TRANSCRIBED).suspicion == 0


@pytest.mark.parametrize("status", sorted(WAITING))
@pytest.mark.parametrize("fault", [OWN, ENGINE, DEATH])
def test_a_waiting_task_has_no_try_that_could_be_tried_again(status: Status, fault: Fault) -> None:
    with pytest.raises(IllegalTransition):
        after_fault(task(1, status), fault, 100.0, POLICY)


@running
def test_revision_and_attempt_and_hold_outlive_a_fault(status: Status) -> None:
    before = task(1, status, revision=2, attempt=5, held=True, batch_id=3)
    for fault in (OWN, ENGINE, PERMANENT, DEATH):
        _, after = after_fault(before, fault, 100.0, POLICY)
        assert (after.revision, after.attempt, after.held, after.batch_id) == (2, 5, True, 3)
