"""Notices in the store: with their event or not at all, in order for a task, gone once they are answered."""

from pathlib import Path

import pytest

from daemon.core.classes.decision import Wanted
from daemon.core.errors import IllegalTransition
from daemon.core.notices import NoticeFilter, NoticeKind, Receiver, TaskNotice
from daemon.core.tasks.task import Event
from daemon.store import Database, commits, deciding, notices, revising
from daemon.store.forgetting import forget
from daemon.store.record_models import NoticeRow
from tests.integration.stores import NOW, RATING, birth, born, change, completed, deliver_all

WEBHOOK = Receiver.WEBHOOK


@pytest.fixture(autouse=True)
def wanted(store: Database) -> None:
    store.notices = NoticeFilter((WEBHOOK,))


def taken(store: Database, most: int = 100) -> list[TaskNotice]:
    """All that waits, in the order in which a receiver that answers at once gets it."""
    got: list[TaskNotice] = []
    while (notice := notices.first(store, WEBHOOK)) is not None and len(got) < most:
        notices.answered(store, notice)
        got.append(notice)
    return got


def test_each_outcome_and_each_delivery_has_a_notice(store: Database) -> None:
    (task,) = born(store, birth("a"))
    completed(store, task)
    deliver_all(store)
    revising.revise(store, revising.Rating(task.id, RATING, {}), "calibrated", NOW)
    deliver_all(store)
    got = taken(store)
    assert [(each.kind, each.revision) for each in got] == [
        (NoticeKind.OUTCOME, 1),
        (NoticeKind.DELIVERY, 1),
        (NoticeKind.OUTCOME, 2),
        (NoticeKind.DELIVERY, 2),
    ]
    assert got[0].said == {"outcome": "evaluated", "result": "anna/0001-intro.result.json"}
    assert got[1].said["result"] == "anna/0001-intro.result.json"
    assert len({each.key for each in got}) == 4
    assert not NoticeRow.select().count(store)


def test_a_decision_is_told_as_such(store: Database) -> None:
    (task,) = born(store, birth("a"))
    completed(store, task)
    deciding.decide(store, task.id, Wanted(by="ann"), NOW, "ann")
    got = taken(store)
    assert [(each.kind.value, each.revision) for each in got] == [("outcome", 1), ("decision", 2)]
    assert got[1].said["result"] == "anna/0001-intro.r2.result.json"


def test_a_receipt_has_none(store: Database) -> None:
    born(store, birth("a"))
    deliver_all(store)
    assert taken(store) == []


def test_an_event_that_is_not_committed_has_none(store: Database) -> None:
    (task,) = born(store, birth("a"))
    ends = change(task, Event.FAILED)
    with pytest.raises(IllegalTransition):
        commits.commit(store, [ends, ends])
    assert taken(store) == []


def test_only_the_kinds_that_are_asked_for_are_kept_and_for_each_receiver(store: Database) -> None:
    store.notices = NoticeFilter(tuple(Receiver), frozenset({NoticeKind.DELIVERY}))
    (task,) = born(store, birth("a"))
    completed(store, task)
    deliver_all(store)
    both = [notices.first(store, receiver) for receiver in Receiver]
    assert [each and each.kind for each in both] == [NoticeKind.DELIVERY] * 2
    assert len({each.key for each in both if each}) == 1


def test_a_task_that_fails_waits_in_order_and_the_others_go_on(store: Database) -> None:
    tasks = born(store, birth("a"), birth("b", "ben"))
    for task in tasks:
        completed(store, task)
    first = notices.first(store, WEBHOOK)
    assert first is not None
    notices.failed(store, first, NOW)
    deliver_all(store)
    got = [(each.task_id, each.kind.value) for each in taken(store)]
    assert got == [(2, "outcome"), (2, "delivery"), (1, "outcome"), (1, "delivery")]


def test_a_start_sends_all_at_once_and_drops_what_nobody_is_told(store: Database) -> None:
    store.notices = NoticeFilter(tuple(Receiver))
    (task,) = born(store, birth("a"))
    completed(store, task)
    first = notices.first(store, WEBHOOK)
    assert first is not None
    notices.failed(store, first, NOW + 300)
    store.notices = NoticeFilter((WEBHOOK,))
    notices.begin(store)
    again = notices.first(store, WEBHOOK)
    assert again is not None
    assert (again.key, again.tries, again.not_before) == (first.key, 1, 0.0)
    assert notices.first(store, Receiver.COMMAND) is None


def test_what_nobody_takes_is_dropped_in_time_and_nothing_earlier(store: Database) -> None:
    (task,) = born(store, birth("a"))
    completed(store, task)
    assert notices.expire(store, 100.0, 0.0) == 0
    assert notices.expire(store, 200.0, 99.0) == 0
    assert notices.expire(store, 300.0, 100.0) == 1


def test_a_forgotten_student_has_none(store: Database, tmp_path: Path) -> None:
    (task, other) = born(store, birth("a"), birth("b", "ben"))
    completed(store, task)
    completed(store, other)
    forget(store, "anna", tmp_path, at=NOW, actor=None)
    assert [each.student for each in taken(store)] == ["ben"]


def test_the_next_notice_is_found_by_an_index(store: Database) -> None:
    plan = store.execute_sql(f"EXPLAIN QUERY PLAN {notices._FIRST}", ("webhook",)).fetchall()
    said = " ".join(row[-1] for row in plan)
    assert "idx_notices_next" in said
    assert "SCAN" not in said
    assert "TEMP B-TREE" not in said
