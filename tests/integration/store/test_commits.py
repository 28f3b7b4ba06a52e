"""Transitions: compare and set, all or nothing, and counts that are always right."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.contracts.values import Change, Extracted, Ticket, Transcribed
from daemon.core.errors import IllegalTransition, StoreError, UnknownTask
from daemon.core.tasks.task import OPEN, TRANSITIONS, Event, Stage, Status
from daemon.monitoring import queries
from daemon.store import (
    Database,
    commits,
    documents,
    measured,
    open_store,
    phases,
    recovery,
    reopening,
    reports,
)
from daemon.store import settings as kept
from daemon.store.database import writes
from tests.integration.stores import (
    NOW,
    PROFILE,
    SPEAKING,
    TRANSCRIPT,
    WAY,
    assert_consistent,
    birth,
    born,
    change,
    results,
    walk,
)


def test_a_task_goes_its_whole_way(path: Path) -> None:
    with open_store(path, provenance={"program": "introeval 0.1.0"}) as store:
        (task,) = born(store, birth("a"))
        batch = phases.open_batch(store, NOW, 10)
        admitted = change(task, Event.ADMITTED, batch_id=batch)
        commits.commit(store, [admitted])
        task = walk(store, admitted.after, *WAY[1:5])
        assert task.batch_id == batch
        assert reports.payload(store, task.id) == (TRANSCRIPT, SPEAKING, None)
        task = walk(store, task, *WAY[5:7])
        assert reports.payload(store, task.id) == (TRANSCRIPT, SPEAKING, PROFILE)
        task = walk(store, task, Event.RATED, at=NOW + 60)
        result = results(store)["anna/0001-intro.result.json"]
        assert result["outcome"] == "evaluated"
        assert result["provenance"] == {
            "extract": {"model": "mistral"},
            "program": "introeval 0.1.0",
            "rate": {"model": "llama3"},
            "stt": {"model": "base"},
        }
        timings = result["timings"]
        assert timings["stages"] == {"stt": 1.5, "extract": 1.5, "rate": 1.5}
        assert timings["total_s"] == 60
        assert [one.seconds for one in measured.tries(store, Stage.RATE)] == [60.0], (
            "from its start to its end"
        )
    assert_consistent(path)


def test_a_change_that_expects_another_state_changes_nothing(store: Database) -> None:
    (task,) = born(store, birth("a"))
    walk(store, task, Event.ADMITTED)
    stale = change(task, Event.ADMITTED)
    with pytest.raises(IllegalTransition, match="nothing was changed"):
        commits.commit(store, [stale])
    assert [entry.event for entry in reports.task(store, task.id).history] == ["claimed", "admitted"]


@pytest.mark.parametrize("stale", [{"attempt": 1}, {"revision": 2}])
def test_a_change_of_another_attempt_or_revision_changes_nothing(
    store: Database, stale: dict[str, Any]
) -> None:
    (task,) = born(store, birth("a"))
    with pytest.raises(IllegalTransition, match="nothing was changed"):
        commits.commit(store, [change(replace(task, **stale), Event.ADMITTED)])


def test_an_unknown_task_is_unknown(store: Database) -> None:
    (task,) = born(store, birth("a"))
    with pytest.raises(UnknownTask, match="no task 99"):
        commits.commit(store, [change(replace(task, id=99), Event.ADMITTED)])
    with pytest.raises(UnknownTask):
        reports.task(store, 99)
    with pytest.raises(UnknownTask):
        reports.payload(store, 99)


def test_an_event_that_the_table_does_not_allow_changes_nothing(store: Database) -> None:
    (task,) = born(store, birth("a"))
    for event in Event:
        for status in Status:
            if TRANSITIONS.get((task.status, event)) is not status:
                with pytest.raises(IllegalTransition):
                    commits.commit(store, [Change(task, replace(task, status=status), event, NOW)])
    assert recovery.open_tasks(store) == [task]


def test_an_outcome_must_fit_its_event_and_answer_the_present_try(store: Database) -> None:
    (task,) = born(store, birth("a"))
    task = walk(store, task, Event.ADMITTED, Event.STARTED)
    old = Ticket(task.id, 1, task.attempt - 1)
    now = Ticket(task.id, 1, task.attempt)
    with pytest.raises(IllegalTransition, match="not of the attempt"):
        commits.commit(
            store, [change(task, Event.TRANSCRIBED, outcome=Transcribed(old, TRANSCRIPT, SPEAKING))]
        )
    with pytest.raises(IllegalTransition, match="by Extracted"):
        commits.commit(store, [change(task, Event.TRANSCRIBED, outcome=Extracted(now, PROFILE))])
    with pytest.raises(IllegalTransition, match="by NoneType"):
        commits.commit(store, [replace(change(task, Event.FAILED), outcome=None)])
    assert recovery.open_tasks(store) == [task]


def test_several_changes_of_one_task_are_one_commit(store: Database) -> None:
    (task,) = born(store, birth("a"))
    chain = []
    for event in WAY[:3]:
        chain.append(change(task, event))
        task = chain[-1].after
    said: list[str] = []
    store.connection().set_trace_callback(said.append)
    commits.commit(store, chain)
    store.connection().set_trace_callback(None)
    assert [one for one in said if one.startswith(("BEGIN", "COMMIT", "SAVEPOINT"))] == [
        "BEGIN IMMEDIATE",
        "COMMIT",
    ]
    assert recovery.open_tasks(store) == [task]


def test_calls_within_a_call_are_one_transaction_and_fail_together(store: Database) -> None:
    @writes
    def both(db: Database, *, fails: bool) -> Status:
        kept.put(db, "n", 1)
        kept.put(db, "m", 2)
        if fails:
            db.execute_sql("INSERT INTO nowhere VALUES (1)")
        return reports.tasks(db)[0].status

    born(store, birth("a"))
    with pytest.raises(StoreError, match="cannot be written: no such table: nowhere"):
        both(store, fails=True)
    assert [kept.get(store, key) for key in "nm"] == [None, None]
    said: list[str] = []
    store.connection().set_trace_callback(said.append)
    assert both(store, fails=False) is Status.UPLOADED
    store.connection().set_trace_callback(None)
    assert [one.split()[0] for one in said] == ["BEGIN", "INSERT", "INSERT", "SELECT", "COMMIT"]


def test_when_the_last_of_several_changes_fails_none_was_made(store: Database) -> None:
    first, second = born(store, birth("a"), birth("b", "ben"))
    almost = walk(store, first, *WAY[:-1])
    rated = change(almost, Event.RATED)
    with pytest.raises(IllegalTransition):
        commits.commit(store, [rated, change(replace(second, attempt=5), Event.ADMITTED)])
    assert recovery.open_tasks(store) == [almost, second]
    assert results(store) == {}
    assert reports.task(store, first.id).history[-1].event == "started"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_counts_are_those_of_the_tables_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("counts") / "introeval.db"
    with open_store(path) as store:
        tasks = {task.id: task for task in born(store, *(birth(f"c{n}", f"s{n}") for n in range(3)))}
        for _ in range(data.draw(st.integers(1, 25))):
            task = data.draw(st.sampled_from(list(tasks.values())))
            events = [event for status, event in TRANSITIONS if status is task.status]
            if events:
                tasks[task.id] = walk(store, task, data.draw(st.sampled_from(events)))
            elif reports.task(store, task.id).task.outcome in ("failed", "cancelled"):
                tasks[task.id] = reopening.retry(store, task.id, NOW)
            if "acknowledge" in queries.task_detail(store, task.id, NOW).can and data.draw(st.booleans()):
                reopening.acknowledge(store, task.id, NOW, "ann")
            if data.draw(st.booleans()):
                documents.delivered(store, [document.id for document in documents.undelivered(store, 1)], NOW)
        assert reports.counts(store) == {
            status: sum(task.status is status for task in tasks.values()) for status in Status
        }
        assert recovery.open_tasks(store) == [task for task in tasks.values() if task.status in OPEN]
    assert_consistent(path)
