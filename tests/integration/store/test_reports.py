"""What is kept and listed for the operator: phases, batches, settings, tasks."""

import sqlite3
from pathlib import Path

from daemon.core.tasks.task import FINAL, OPEN, Event, Phase, Stage, Status
from daemon.store import SqliteStore
from tests.integration.stores import (
    NOW,
    birth,
    born,
    completed,
    walk,
)


def test_phases_batches_and_settings_are_kept(path: Path) -> None:
    with SqliteStore(path) as store:
        batch = store.open_batch(NOW, 10)
        for switch in (4.0, 6.0):
            phase = store.phase_began({Stage.RATE, Stage.EXTRACT}, Phase.EVAL, None, NOW)
            store.phase_ready(phase, NOW + switch, switch)
            store.phase_ended(phase, NOW + 60, 3)
        store.close_batch(batch, NOW + 60)
        store.set_system_state(Phase.STT, NOW, batch_id=batch, phase_start=NOW, total=10, completed=1)
        store.set_system_state(Phase.EVAL, NOW, total=10, completed=2)
        store.put_setting("paused", value=False)
        store.put_setting("paused", value=True)
    with SqliteStore(path) as store:
        assert [one.seconds for one in store.switches()] == [6.0, 4.0]
        assert {one.entering for one in store.switches()} == {frozenset({Stage.EXTRACT, Stage.RATE})}
        assert store.setting("paused") is True
        assert store.setting("draining", default=False) is False
    with sqlite3.connect(path) as db:
        rows = db.execute("SELECT id, current_phase, completed_tasks_in_phase FROM system_state").fetchall()
    db.close()
    assert rows == [(1, "eval", 2)]


def test_tasks_are_listed_newest_first_by_page_status_and_student(store: SqliteStore) -> None:
    tasks = born(store, *(birth(f"c{n}", f"s{n % 2}") for n in range(6)))
    for task in tasks[:2]:
        completed(store, task)
    walk(store, tasks[2], Event.FAILED)
    assert [one.id for one in store.tasks()] == [6, 5, 4, 3, 2, 1]
    assert [one.id for one in store.tasks(limit=2, before_id=5)] == [4, 3]
    assert [one.id for one in store.tasks(FINAL)] == [3, 2, 1]
    assert [one.id for one in store.tasks([Status.COMPLETED, Status.UPLOADED], limit=3)] == [6, 5, 4]
    assert [one.id for one in store.tasks(student="s0", limit=2)] == [5, 3]
    assert [one.id for one in store.tasks(OPEN, student="s1")] == [6, 4]


def test_estimates_are_written_for_other_tools(store: SqliteStore) -> None:
    first, second = born(store, birth("a"), birth("b"))
    store.set_estimates({first.id: NOW + 9, second.id: None})
    assert [one.estimated_completion for one in store.tasks()] == [None, NOW + 9]
