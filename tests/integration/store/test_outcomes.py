"""What the outcomes leave in the database and in the frozen results."""

from dataclasses import replace

import pytest

from daemon.contracts.values import Extracted, Failed, Rated, Ticket, Transcribed
from daemon.core.content.document import Flag, Segment, SetAside
from daemon.core.errors import IllegalTransition
from daemon.core.tasks.task import Event, Status
from daemon.store import Database, commits, recovery, reopening, reports
from tests.integration.stores import (
    FAULT,
    NOW,
    PROFILE,
    RATING,
    SPEAKING,
    TRANSCRIPT,
    WAY,
    birth,
    born,
    change,
    results,
    walk,
)


def test_a_cancel_beats_the_outcome_which_is_not_even_kept(store: Database) -> None:
    (task,) = born(store, birth("a"))
    running = walk(store, task, Event.ADMITTED, Event.STARTED)
    asked = reopening.request_cancel(store, running.id, NOW)
    assert asked == replace(running, cancel_requested=True)
    given = Transcribed(Ticket(task.id, 1, 1), TRANSCRIPT, SPEAKING)
    commits.commit(store, [change(asked, Event.CANCELLED, outcome=given)])
    assert reports.payload(store, task.id) == (None, None, None)
    result = results(store)["anna/0001-intro.result.json"]
    assert (result["outcome"], result["error"], result["transcript"]) == ("cancelled", None, None)


def test_a_change_from_an_older_view_does_not_undo_a_hold(store: Database) -> None:
    (task,) = born(store, birth("a"))
    assert reopening.hold(store, task.id, NOW, held=True).held
    walk(store, task, Event.ADMITTED)
    assert recovery.open_tasks(store)[0].held
    assert not reopening.hold(store, task.id, NOW, held=False).held


def test_what_is_final_cannot_be_held(store: Database) -> None:
    (task,) = born(store, birth("a", fault=FAULT))
    with pytest.raises(IllegalTransition, match="is failed, so that there is nothing to hold"):
        reopening.hold(store, task.id, NOW, held=True)


def test_an_unscorable_task_has_advice_and_no_rating(store: Database) -> None:
    (task,) = born(store, birth("a"))
    walk(store, task, Event.ADMITTED, Event.STARTED, Event.UNSCORABLE)
    result = results(store)["anna/0001-intro.result.json"]
    assert (result["outcome"], result["evaluation"]) == ("unscorable", None)
    assert result["error"] == {
        "code": "no_speech",
        "stage": "stt",
        "message": "Nobody speaks; record again.",
        "attempts": 1,
    }


def test_no_valid_form_is_kept_apart_from_no_form_yet(store: Database) -> None:
    (task,) = born(store, birth("a"))
    task = walk(store, task, *WAY[:5])
    none = Extracted(Ticket(task.id, 1, task.attempt), None, (Flag(code="no_valid_form", field="profile"),))
    one = change(task, Event.EXTRACTED, outcome=none)
    commits.commit(store, [one])
    task = walk(store, one.after, Event.STARTED)
    assert reports.payload(store, task.id) == (TRANSCRIPT, SPEAKING, None)
    walk(store, task, Event.RATED)
    assert results(store)["anna/0001-intro.result.json"]["outcome"] == "needs_review"
    again = reopening.retry(store, task.id, NOW)
    assert (again.status, again.revision, again.attempt) == (Status.STT_COMPLETE, 2, 0)
    completed_again = walk(store, again, *WAY[3:])
    assert completed_again.status is Status.COMPLETED
    second = results(store)["anna/0001-intro.r2.result.json"]
    assert (second["outcome"], second["revision"]) == ("evaluated", 2)
    assert [flag["code"] for flag in second["flags"]] == ["demo_model"]


def test_what_a_model_or_a_name_holds_cannot_stop_a_task(store: Database) -> None:
    (task,) = born(store, birth("a"))
    task = walk(store, task, Event.ADMITTED, Event.STARTED)
    odd = replace(FAULT, message="bad \udcff name")
    commits.commit(store, [change(task, Event.FAILED, outcome=Failed(Ticket(task.id, 1, 1), odd))])
    assert reports.task(store, task.id).task.error_message == "bad \\udcff name"
    (other,) = born(store, birth("b"))
    other = walk(store, other, *WAY[:-1])
    rated = Rated(
        Ticket(other.id, 1, other.attempt), RATING, provenance={"speed": float("nan"), "x": "\ud800"}
    )
    commits.commit(store, [change(other, Event.RATED, outcome=rated)])
    provenance = results(store)["anna/0002-intro.result.json"]["provenance"]
    assert provenance["rate"] == {"speed": 0.0, "x": "\\ud800"}


def test_a_transcript_with_a_lone_surrogate_or_nan_is_stored(store: Database) -> None:
    (task,) = born(store, birth("a"))
    task = walk(store, task, Event.ADMITTED, Event.STARTED)
    odd = Segment(
        start_s=0, end_s=1, text="\ud800", avg_logprob=float("nan"), no_speech_prob=0, compression_ratio=1
    )
    transcript = TRANSCRIPT.model_copy(update={"text": "so \ud800", "segments": (odd,)})
    given = Transcribed(Ticket(task.id, 1, 1), transcript, SPEAKING)
    commits.commit(store, [change(task, Event.TRANSCRIBED, outcome=given)])
    stored, _, _ = reports.payload(store, task.id)
    assert stored is not None
    assert stored.text == "so \\ud800"
    assert stored.segments == (odd.model_copy(update={"text": "\\ud800", "avg_logprob": 0.0}),)


def test_what_speaks_to_the_grader_goes_from_the_form_to_the_result_and_ends_with_its_form(
    store: Database,
) -> None:
    (task,) = born(store, birth("a"))
    found = SetAside(quote="I am Anna.", start_s=0.0, end_s=1.0, found_by=("model",), cut=False)
    way = (Event.ADMITTED, Event.STARTED, Event.TRANSCRIBED, Event.ADMITTED, Event.STARTED)
    task = walk(store, task, *way)
    ticket = Ticket(task.id, task.revision, task.attempt)
    named = change(task, Event.EXTRACTED, outcome=Extracted(ticket, PROFILE, set_aside=(found,)))
    commits.commit(store, [named])
    assert reports.set_aside(store, task.id) == (found,)
    task = walk(store, named.after, Event.STARTED)
    ticket = Ticket(task.id, task.revision, task.attempt)
    flag = Flag(code="addresses_evaluator", field="transcript")
    ended = Rated(ticket, RATING, (flag,), set_aside=(found,))
    commits.commit(store, [change(task, Event.RATED, outcome=ended)])
    assert results(store)["anna/0001-intro.result.json"]["set_aside"] == [found.model_dump(mode="json")]
    assert reports.task(store, task.id).set_aside == (found,)
    reopening.rate_again(store, task.id, NOW)
    assert reports.set_aside(store, task.id) == (found,)
    walk(store, recovery.open_tasks(store)[0], Event.STARTED, Event.RATED)
    reopening.rate_again(store, task.id, NOW, extract=True)
    assert reports.set_aside(store, task.id) == ()
