"""The table of transitions is DESIGN.md's, and everything else is one typed error."""

import itertools
from dataclasses import FrozenInstanceError

import pytest

from daemon.core.errors import IllegalTransition
from daemon.core.tasks.task import (
    FINAL,
    OPEN,
    PENDING,
    RUNNING,
    STAGE_OF,
    TRANSITIONS,
    WAITING,
    Event,
    Phase,
    Stage,
    Status,
    next_status,
    phase_of,
)
from tests.unit.scheduling import task

# DESIGN.md, section 4, line by line: status, stage, event -> status; then "Release". Failed and cancelled
# are reached from each.
DESIGNED = """
uploaded          stt      admitted     stt_pending
stt_pending       stt      started      stt_processing
stt_processing    stt      transcribed  stt_complete
stt_processing    stt      unscorable   completed
stt_complete      extract  admitted     eval_pending
eval_pending      extract  started      eval_processing
eval_processing   extract  extracted    mistral_complete
mistral_complete  rate     started      llama_processing
llama_processing  rate     rated        completed

stt_pending       stt      released     uploaded
stt_processing    stt      released     uploaded
eval_pending      extract  released     stt_complete
eval_processing   extract  released     stt_complete
llama_processing  rate     released     mistral_complete
"""
LINES = [line.split() for line in DESIGNED.splitlines() if line]
LEGAL = {(Status(status), Event(event)): Status(to) for status, _, event, to in LINES}
LEGAL |= {(Status(status), Event.FAILED): Status.FAILED for status, *_ in LINES}
LEGAL |= {(Status(status), Event.CANCELLED): Status.CANCELLED for status, *_ in LINES}


@pytest.mark.parametrize(("status", "event"), list(itertools.product(Status, Event)))
def test_each_event_is_legal_as_designed_or_one_typed_error(status: Status, event: Event) -> None:
    if (status, event) in LEGAL:
        assert next_status(status, event) is LEGAL[status, event]
    else:
        with pytest.raises(IllegalTransition, match=f"{status} cannot be {event}"):
            next_status(status, event)


def test_the_table_is_the_designed_one() -> None:
    assert TRANSITIONS == LEGAL


def test_each_open_status_belongs_to_the_designed_stage_and_a_final_one_to_none() -> None:
    assert {Status(status): Stage(stage) for status, stage, *_ in LINES} == STAGE_OF
    assert set(STAGE_OF) == OPEN
    assert {Status.COMPLETED, Status.FAILED, Status.CANCELLED} == FINAL


def test_an_open_task_waits_is_pending_or_runs() -> None:
    assert WAITING | PENDING | RUNNING == OPEN
    assert not WAITING & PENDING
    assert not WAITING & RUNNING
    assert not PENDING & RUNNING
    assert {Status(to) for _, _, event, to in LINES if event == "released"} == WAITING


def test_nothing_leads_out_of_a_final_status() -> None:
    assert not {status for status, _ in TRANSITIONS} & FINAL


@pytest.mark.parametrize("status", sorted(OPEN))
def test_every_open_status_can_come_to_completion(status: Status) -> None:
    reached = {status}
    for _ in Status:
        reached |= {to for (at, _), to in TRANSITIONS.items() if at in reached}
    assert Status.COMPLETED in reached


def test_the_names_are_those_that_the_labs_tools_know() -> None:
    assert [str(status) for status in Status] == [
        "uploaded", "stt_pending", "stt_processing", "stt_complete", "eval_pending", "eval_processing",
        "mistral_complete", "llama_processing", "completed", "failed", "cancelled",
    ]  # fmt: skip


def test_extract_and_rate_are_one_phase() -> None:
    assert [phase_of(stage) for stage in Stage] == [Phase.STT, Phase.EVAL, Phase.EVAL]


def test_a_task_is_a_value_that_knows_its_stage() -> None:
    one = task(1, Status.EVAL_PENDING)
    assert one.stage is Stage.EXTRACT
    with pytest.raises(FrozenInstanceError):
        one.held = True  # type: ignore[misc]
