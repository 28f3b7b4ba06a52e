"""A process that is killed while it writes, and a disk that is full: nothing half done is ever found."""

import os
import random
import select
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.core.errors import StoreError
from daemon.core.keeping.chain import broken
from daemon.core.tasks.task import FINAL, Status
from daemon.store import (
    audit,
    births,
    claims,
    commits,
    open_store,
    recovery,
    reopening,
    reports,
    settings,
)
from tests.integration.stores import (
    NOW,
    WAY,
    assert_consistent,
    birth,
    born,
    change,
    completed,
    deliver_all,
    walk,
)

CHECKOUT = Path(__file__).resolve().parents[3]


def work(path: Path) -> None:
    """Work off tasks for ever, and say which are durable: what the killed process runs."""
    with open_store(path) as store:
        births.create_tasks(
            store, [birth(claim.id, claim.student or "") for claim in claims.still_open(store)], NOW
        )
        for task in recovery.recover(store, NOW):
            walk(store, task, *WAY[_done(task.status) :])
        number = sum(reports.counts(store).values())
        while True:
            tasks = born(store, *(birth(f"c{number + n}", f"s{n}") for n in range(3)))
            number += 3
            for held in (True, False):
                tasks[0] = reopening.hold(store, tasks[0].id, NOW, "ann", held=held)
            for event in WAY:
                changes = [change(task, event) for task in tasks]
                commits.commit(store, changes)
                tasks = [one.after for one in changes]
            print(*(task.id for task in tasks), flush=True)
            deliver_all(store)


def _done(status: Status) -> int:
    return {Status.UPLOADED: 0, Status.STT_COMPLETE: 3, Status.MISTRAL_COMPLETE: 6}[status]


def killed_run(path: Path, after_s: float) -> set[int]:
    """Run `work`, kill it some time after its first word, and give the tasks that it said are durable."""
    program = f"import pathlib, {__name__} as tests; tests.work(pathlib.Path({str(path)!r}))"
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert child.stdout is not None
    first = child.stdout.readline()
    select.select([], [], [], after_s)
    child.send_signal(signal.SIGKILL)
    rest, _ = child.communicate(timeout=30)
    assert child.returncode == -signal.SIGKILL
    whole = (first + rest).rpartition(b"\n")[0]
    return {int(number) for number in whole.split()}


def test_a_process_killed_at_any_moment_leaves_what_it_committed_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "introeval.db"
    dice = random.Random(1)
    durable: set[int] = set()
    for _ in range(6):
        durable |= killed_run(path, dice.uniform(0, 0.3))
        assert_consistent(path)
        with sqlite3.connect(path) as db:
            final = {
                row[0] for row in db.execute("SELECT id FROM processing_tasks WHERE status = 'completed'")
            }
            births = db.execute("SELECT count(*) FROM claims WHERE step = 'done'").fetchone()[0]
            tasks = db.execute("SELECT count(*) FROM processing_tasks").fetchone()[0]
            receipts = db.execute("SELECT count(*) FROM documents WHERE kind = 'receipt'").fetchone()[0]
            delivered = db.execute(
                "SELECT count(*) FROM documents WHERE kind = 'result' AND delivered_at > ''"
            )
            ordered = db.execute("SELECT event, count(*) FROM task_events WHERE actor > '' GROUP BY event")
            effects = {"delivered": delivered.fetchone()[0], **dict(ordered)}
            recorded = dict(db.execute("SELECT what, count(*) FROM audit GROUP BY what"))
        db.close()
        with open_store(path) as store:
            assert broken(audit.entries(store)) is None
        words = {"held": "hold", "let_go": "release", "delivered": "delivered"}
        assert {words[event]: n for event, n in effects.items() if n} == recorded
        assert durable <= final
        assert births == tasks == receipts
        assert tasks % 3 == 0, "a group is born together or not at all"
    assert durable


def test_a_full_disk_is_an_error_that_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "introeval.db"
    with open_store(path) as store:
        (task,) = born(store, birth("a"))
        pages = store.pragma("page_count")
        store.pragma("max_page_count", pages)
        many = [birth(f"more{number}") for number in range(1000)]
        with pytest.raises(StoreError, match="free space"):
            born(store, *many)
        before = reports.counts(store)
        store.pragma("max_page_count", 1_000_000)
        assert reports.counts(store) == before
        completed(store, task)
        assert reports.counts(store)[Status.COMPLETED] == 1
        assert all(one.status not in FINAL for one in recovery.open_tasks(store))
    assert_consistent(path)


def test_a_locked_database_is_an_error_after_the_busy_timeout(tmp_path: Path) -> None:
    path = tmp_path / "introeval.db"
    with open_store(path) as store:
        store.pragma("busy_timeout", 50)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="kept it locked"):
            settings.put(store, "paused", value=True)
        other.execute("ROLLBACK")
        other.close()
        settings.put(store, "paused", value=True)
        assert settings.get(store, "paused") is True
