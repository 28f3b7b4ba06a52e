"""What is asked while the daemon runs costs the same with a long history as with none."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon.contracts.values import ClaimStep
from daemon.core.keeping.witness import Reading
from daemon.core.tasks.task import FINAL, OPEN, Event, Phase, Stage, Status
from daemon.store import SqliteStore
from tests.integration.stores import FAULT, NOW, birth, born, claim, completed, deliver_all, grow, walk

FINISHED = 3000

QUESTIONS: dict[str, Callable[[SqliteStore], Any]] = {
    "counts": SqliteStore.counts,
    "undelivered counts": SqliteStore.undelivered_counts,
    "open tasks": SqliteStore.open_tasks,
    "open claims": SqliteStore.open_claims,
    "undelivered": lambda store: store.undelivered(100),
    "archivable": lambda store: store.archivable(100),
    "expired": lambda store: store.expired(-1.0, 100),
    "a look at what is kept": lambda store: store.witness(Reading(NOW + 1, "boot", 1.0)),
    "what is not kept any more": lambda store: store.files_removed([b"rejected/x"], ["x"], NOW - 1),
    "tries of a stage": lambda store: store.tries(Stage.RATE, 5),
    "switches": lambda store: store.switches(5),
    "the newest tasks": lambda store: store.tasks(limit=5),
    "the newest final tasks": lambda store: store.tasks(FINAL, limit=5),
    "the next page": lambda store: store.tasks([Status.COMPLETED], limit=5, before_id=6),
    "open tasks, listed": lambda store: store.tasks(OPEN, limit=5),
    "one task": lambda store: store.task(1),
    "a claim": lambda store: store.add_claims([claim("new")]),
    "a birth": lambda store: store.create_tasks([birth("waiting", "zoe", "sha-c0")], NOW),
    "a commit": lambda store: walk(store, store.open_tasks()[0], Event.ADMITTED, Event.STARTED),
    "a failure": lambda store: walk(store, store.open_tasks()[0], Event.FAILED),
    "a recovery": lambda store: store.recover(NOW),
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A store with one task of each kind: done and delivered, failed, open."""
    with SqliteStore(tmp_path / "introeval.db") as opened:
        for student in ("anna", "ben", "cleo", "dan", "eve", "fay"):
            (task,) = born(opened, birth(f"c-{student}", student))
            completed(opened, task)
        phase = opened.phase_began([Stage.STT], Phase.STT, None, NOW)
        opened.phase_ready(phase, NOW, 4.0)
        deliver_all(opened)
        opened.archived([(task.id, Path("/archive/x")) for task in opened.archivable(99)], NOW)
        opened.witness(Reading(NOW, "boot", 0.0))
        born(opened, birth("open", "anna"))
        opened.recover(NOW)
        opened.add_claims([claim("waiting", "zoe")])
        yield opened


def connection_of(store: SqliteStore) -> sqlite3.Connection:
    db: Any = store._db
    connection = db.connection()
    assert isinstance(connection, sqlite3.Connection)
    return connection


def steps(store: SqliteStore, ask: Callable[[SqliteStore], Any]) -> int:
    """How many instructions SQLite runs to answer."""
    count = 0

    def tick() -> int:
        nonlocal count
        count += 1
        return 0

    connection = connection_of(store)
    connection.set_progress_handler(tick, 1)
    ask(store)
    connection.set_progress_handler(None, 1)
    return count


@pytest.mark.parametrize("question", QUESTIONS)
def test_history_costs_nothing(store: SqliteStore, question: str) -> None:
    ask = QUESTIONS[question]
    few = steps(store, lambda store: rolled_back(store, ask))
    grow(store, FINISHED)
    assert store.counts()[Status.COMPLETED] == 6 + FINISHED
    assert steps(store, ask) <= 1.5 * few + 100


def rolled_back(store: SqliteStore, ask: Callable[[SqliteStore], Any]) -> None:
    with store._db.atomic("IMMEDIATE") as transaction:
        ask(store)
        transaction.rollback()


@pytest.mark.parametrize("question", [name for name in QUESTIONS if name != "the newest tasks"])
def test_no_table_of_history_is_scanned(store: SqliteStore, question: str) -> None:
    said: list[str] = []
    connection = connection_of(store)
    connection.set_trace_callback(said.append)
    QUESTIONS[question](store)
    connection.set_trace_callback(None)
    queries = [one for one in said if one.split()[0] in ("SELECT", "UPDATE", "DELETE", "INSERT")]
    assert queries
    for query in queries:
        for *_, plan in connection.execute(f"EXPLAIN QUERY PLAN {query}"):
            small = "status_counts" in query or "idx_undelivered" in plan
            assert small or not plan.startswith("SCAN"), f"{plan}: {query}"


def test_a_class_of_the_same_file_stays_small(store: SqliteStore) -> None:
    births = [birth(f"same{n}", f"s{n}", "same", fault=FAULT if n % 2 else None) for n in range(30)]
    tasks = born(store, *births)
    assert all(len(store.task(task.id).flags) == 1 for task in tasks)


def test_a_claim_that_is_done_is_not_looked_at(store: SqliteStore) -> None:
    store.step_claims(["waiting"], ClaimStep.LOST)
    before = steps(store, SqliteStore.open_claims)
    grow(store, FINISHED)
    assert steps(store, SqliteStore.open_claims) == before
    assert replace(claim("x"), id="waiting") not in store.open_claims()
