"""What is kept and listed for the operator: phases, batches, settings, tasks."""

import sqlite3
from pathlib import Path

from daemon.core.tasks.task import FINAL, OPEN, Event, Phase, Stage, Status
from daemon.store import Database, measured, open_store, phases, reports, settings
from tests.integration.stores import (
    NOW,
    birth,
    born,
    completed,
    walk,
)


def test_phases_batches_and_settings_are_kept(path: Path) -> None:
    with open_store(path) as store:
        batch = phases.open_batch(store, NOW, 10)
        for switch in (4.0, 6.0):
            phase = phases.began(store, {Stage.RATE, Stage.EXTRACT}, Phase.EVAL, None, NOW)
            phases.ready(store, phase, NOW + switch, switch)
            phases.ended(store, phase, NOW + 60, 3)
        phases.close_batch(store, batch, NOW + 60)
        phases.set_system_state(store, Phase.STT, NOW, batch_id=batch, phase_start=NOW, total=10, completed=1)
        phases.set_system_state(store, Phase.EVAL, NOW, total=10, completed=2)
        settings.put(store, "paused", value=False)
        settings.put(store, "paused", value=True)
    with open_store(path) as store:
        assert [one.seconds for one in measured.switches(store)] == [6.0, 4.0]
        assert {one.entering for one in measured.switches(store)} == {frozenset({Stage.EXTRACT, Stage.RATE})}
        assert settings.get(store, "paused") is True
        assert settings.get(store, "draining", default=False) is False
    with sqlite3.connect(path) as db:
        rows = db.execute("SELECT id, current_phase, completed_tasks_in_phase FROM system_state").fetchall()
    db.close()
    assert rows == [(1, "eval", 2)]


def test_tasks_are_listed_newest_first_by_page_status_and_student(store: Database) -> None:
    tasks = born(store, *(birth(f"c{n}", f"s{n % 2}") for n in range(6)))
    for task in tasks[:2]:
        completed(store, task)
    walk(store, tasks[2], Event.FAILED)
    assert [one.id for one in reports.tasks(store)] == [6, 5, 4, 3, 2, 1]
    assert [one.id for one in reports.tasks(store, limit=2, before_id=5)] == [4, 3]
    assert [one.id for one in reports.tasks(store, FINAL)] == [3, 2, 1]
    assert [one.id for one in reports.tasks(store, [Status.COMPLETED, Status.UPLOADED], limit=3)] == [6, 5, 4]
    assert [one.id for one in reports.tasks(store, student="s0", limit=2)] == [5, 3]
    assert [one.id for one in reports.tasks(store, OPEN, student="s1")] == [6, 4]


def test_estimates_are_written_for_other_tools(store: Database) -> None:
    first, second = born(store, birth("a"), birth("b"))
    measured.set_estimates(store, {first.id: NOW + 9, second.id: None})
    assert [one.estimated_completion for one in reports.tasks(store)] == [None, NOW + 9]
