"""What a start does with the tasks that a crash left in hand."""

import pytest

from daemon.core.tasks.task import Event, Status, Task
from daemon.store import Database, recovery, reopening, reports
from daemon.store.recovery import DEATHS_IN_A_ROW
from tests.integration.stores import (
    NOW,
    WAY,
    birth,
    born,
    results,
    walk,
)


def test_recovery_puts_every_task_back_where_it_waits(store: Database) -> None:
    tasks = born(store, *(birth(f"c{n}", f"s{n}") for n in range(8)))
    for count, task in enumerate(tasks):
        walk(store, task, *WAY[:count])
    before = recovery.open_tasks(store)
    after = recovery.recover(store, NOW + 9)
    assert [task.status for task in after] == [
        *[Status.UPLOADED] * 3,
        *[Status.STT_COMPLETE] * 3,
        *[Status.MISTRAL_COMPLETE] * 2,
    ]
    assert [task.attempt for task in after] == [task.attempt for task in before]
    assert reports.task(store, after[1].id).history[-1].detail == {"reason": "recovered"}
    assert recovery.recover(store, NOW + 10) == after


def test_recovery_honours_a_cancel_that_was_asked_for(store: Database) -> None:
    waiting, running = born(store, birth("a"), birth("b"))
    running = walk(store, running, Event.ADMITTED, Event.STARTED)
    for task in (waiting, running):
        reopening.request_cancel(store, task.id, NOW)
    assert recovery.recover(store, NOW) == []
    assert {result["outcome"] for result in results(store).values()} == {"cancelled"}


def crash_with_in_hand(store: Database, task: Task) -> Task | None:
    walk(store, task, Event.ADMITTED, Event.STARTED)
    return next((one for one in recovery.recover(store, NOW) if one.id == task.id), None)


def test_a_task_that_kills_the_daemon_time_after_time_is_failed(store: Database) -> None:
    (task,) = born(store, birth("a"))
    for _ in range(DEATHS_IN_A_ROW - 1):
        survivor = crash_with_in_hand(store, task)
        assert survivor is not None
        task = survivor
    assert crash_with_in_hand(store, task) is None
    assert reports.task(store, task.id).task.error_code == "daemon_died"


def test_what_anybody_commits_between_begins_the_count_anew(store: Database) -> None:
    task, other = born(store, birth("a"), birth("b", "ben"))
    for count in range(2 * DEATHS_IN_A_ROW):
        if count == DEATHS_IN_A_ROW - 2:
            walk(store, other, *WAY[:3])
        survivor = crash_with_in_hand(store, task)
        if survivor is None:
            assert count == 2 * DEATHS_IN_A_ROW - 3
            return
        task = survivor
    pytest.fail("it was never failed")
