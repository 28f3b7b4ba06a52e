"""Transitions: compare and set, all or nothing, and counts that are always right."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.contracts.values import Change, Extracted, Ticket, Transcribed
from daemon.core.errors import IllegalTransition, UnknownTask
from daemon.core.tasks.task import OPEN, TRANSITIONS, Event, Stage, Status
from daemon.store import SqliteStore
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
    with SqliteStore(path, provenance={"program": "introeval 0.1.0"}) as store:
        (task,) = born(store, birth("a"))
        batch = store.open_batch(NOW, 10)
        admitted = change(task, Event.ADMITTED, batch_id=batch)
        store.commit([admitted])
        task = walk(store, admitted.after, *WAY[1:5])
        assert task.batch_id == batch
        assert store.payload(task.id) == (TRANSCRIPT, SPEAKING, None)
        task = walk(store, task, *WAY[5:7])
        assert store.payload(task.id) == (TRANSCRIPT, SPEAKING, PROFILE)
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
        assert [one.seconds for one in store.tries(Stage.RATE)] == [60.0], "from its start to its end"
    assert_consistent(path)


def test_a_change_that_expects_another_state_changes_nothing(store: SqliteStore) -> None:
    (task,) = born(store, birth("a"))
    walk(store, task, Event.ADMITTED)
    stale = change(task, Event.ADMITTED)
    with pytest.raises(IllegalTransition, match="nothing was changed"):
        store.commit([stale])
    assert [entry.event for entry in store.task(task.id).history] == ["claimed", "admitted"]


@pytest.mark.parametrize("stale", [{"attempt": 1}, {"revision": 2}])
def test_a_change_of_another_attempt_or_revision_changes_nothing(
    store: SqliteStore, stale: dict[str, Any]
) -> None:
    (task,) = born(store, birth("a"))
    with pytest.raises(IllegalTransition, match="nothing was changed"):
        store.commit([change(replace(task, **stale), Event.ADMITTED)])


def test_an_unknown_task_is_unknown(store: SqliteStore) -> None:
    (task,) = born(store, birth("a"))
    with pytest.raises(UnknownTask, match="no task 99"):
        store.commit([change(replace(task, id=99), Event.ADMITTED)])
    with pytest.raises(UnknownTask):
        store.task(99)
    with pytest.raises(UnknownTask):
        store.payload(99)


def test_an_event_that_the_table_does_not_allow_changes_nothing(store: SqliteStore) -> None:
    (task,) = born(store, birth("a"))
    for event in Event:
        for status in Status:
            if TRANSITIONS.get((task.status, event)) is not status:
                with pytest.raises(IllegalTransition):
                    store.commit([Change(task, replace(task, status=status), event, NOW)])
    assert store.open_tasks() == [task]


def test_an_outcome_must_fit_its_event_and_answer_the_present_try(store: SqliteStore) -> None:
    (task,) = born(store, birth("a"))
    task = walk(store, task, Event.ADMITTED, Event.STARTED)
    old = Ticket(task.id, 1, task.attempt - 1)
    now = Ticket(task.id, 1, task.attempt)
    with pytest.raises(IllegalTransition, match="present try"):
        store.commit([change(task, Event.TRANSCRIBED, outcome=Transcribed(old, TRANSCRIPT, SPEAKING))])
    with pytest.raises(IllegalTransition, match="by Extracted"):
        store.commit([change(task, Event.TRANSCRIBED, outcome=Extracted(now, PROFILE))])
    with pytest.raises(IllegalTransition, match="by NoneType"):
        store.commit([replace(change(task, Event.FAILED), outcome=None)])
    assert store.open_tasks() == [task]


def test_several_changes_of_one_task_are_one_commit(store: SqliteStore) -> None:
    (task,) = born(store, birth("a"))
    chain = []
    for event in WAY[:3]:
        chain.append(change(task, event))
        task = chain[-1].after
    said: list[str] = []
    db: Any = store._db
    db.connection().set_trace_callback(said.append)
    store.commit(chain)
    db.connection().set_trace_callback(None)
    assert [one for one in said if one.startswith(("BEGIN", "COMMIT", "SAVEPOINT"))] == [
        "BEGIN IMMEDIATE",
        "COMMIT",
    ]
    assert store.open_tasks() == [task]


def test_when_the_last_of_several_changes_fails_none_was_made(store: SqliteStore) -> None:
    first, second = born(store, birth("a"), birth("b", "ben"))
    almost = walk(store, first, *WAY[:-1])
    rated = change(almost, Event.RATED)
    with pytest.raises(IllegalTransition):
        store.commit([rated, change(replace(second, attempt=5), Event.ADMITTED)])
    assert store.open_tasks() == [almost, second]
    assert results(store) == {}
    assert store.task(first.id).history[-1].event == "started"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_counts_are_those_of_the_tables_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("counts") / "introeval.db"
    with SqliteStore(path) as store:
        tasks = {task.id: task for task in born(store, *(birth(f"c{n}", f"s{n}") for n in range(3)))}
        for _ in range(data.draw(st.integers(1, 25))):
            task = data.draw(st.sampled_from(list(tasks.values())))
            events = [event for status, event in TRANSITIONS if status is task.status]
            if events:
                tasks[task.id] = walk(store, task, data.draw(st.sampled_from(events)))
            elif store.task(task.id).task.outcome in ("failed", "cancelled"):
                tasks[task.id] = store.retry(task.id, NOW)
            if data.draw(st.booleans()):
                store.delivered([paper.id for paper in store.undelivered(1)], NOW)
        assert store.counts() == {
            status: sum(task.status is status for task in tasks.values()) for status in Status
        }
        assert store.open_tasks() == [task for task in tasks.values() if task.status in OPEN]
    assert_consistent(path)
