"""What is asked while the daemon runs costs the same with a long history as with none."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon.contracts.documents import Document, Kind
from daemon.contracts.task_query import AttentionQuery
from daemon.contracts.values import ClaimStep
from daemon.core.intake.naming import reason_name
from daemon.core.keeping.witness import Reading
from daemon.core.notices import Receiver
from daemon.core.tasks.task import FINAL, OPEN, Event, Outcome, Phase, Stage, Status
from daemon.monitoring import attention
from daemon.monitoring.attention import Live
from daemon.store import (
    Database,
    audit,
    births,
    claims,
    documents,
    expiring,
    keeping,
    lists,
    measured,
    notices,
    open_store,
    phases,
    recovery,
    reopening,
    reports,
    videos,
)
from tests.integration.stores import FAULT, NOW, birth, born, claim, completed, deliver_all, grow, walk

FINISHED = 3000
REASON = b"""{"claim_id": "refused", "filename": "cv.pdf", "path": "cv.pdf", "student_id": null,
    "account": null, "reason": "no_media_type: a text", "at": "2026-01-01T00:00:00Z"}"""
FAILED = 8

QUESTIONS: dict[str, Callable[[Database], Any]] = {
    "counts": reports.counts,
    "undelivered counts": reports.undelivered_counts,
    "outcome counts": reports.outcomes,
    "what wants a person, counted": lambda store: attention.counts(store, Live()),
    "what wants a person": lambda store: attention.page(store, AttentionQuery(), Live(), NOW),
    "the next page of it": lambda store: attention.page(
        store, AttentionQuery(offset=1, limit=1), Live(), NOW
    ),
    "failures that want a person": lambda store: lists.wanting(store, Outcome.FAILED, 5, 0),
    "refused files that want one": lambda store: documents.refused(store, 5, wanting_only=True),
    "a refusal is acknowledged": lambda store: documents.acknowledge_refused(store, "no", NOW, "ann"),
    "a failure is acknowledged": lambda store: reopening.acknowledge(store, FAILED, NOW, "ann"),
    "open tasks": recovery.open_tasks,
    "open claims": claims.still_open,
    "undelivered": lambda store: documents.undelivered(store, 100),
    "archivable": lambda store: videos.archivable(store, 100),
    "expired": lambda store: keeping.expired(store, -1.0, 0.0, 100),
    "expired results": lambda store: expiring.finished(store, -1.0, 100),
    "the time of what has ended": lambda store: expiring.begin(store, 1.0),
    "the next notice": lambda store: notices.first(store, Receiver.WEBHOOK),
    "a look at what is kept": lambda store: keeping.witness(store, Reading(NOW + 1, "boot", 1.0)),
    "what is not kept any more": lambda store: keeping.files_removed(
        store, [b"rejected/x"], ["refused"], NOW - 1
    ),
    "tries of a stage": lambda store: measured.tries(store, Stage.RATE, 5),
    "switches": lambda store: measured.switches(store, 5),
    "the newest tasks": lambda store: reports.tasks(store, limit=5),
    "the newest final tasks": lambda store: reports.tasks(store, FINAL, limit=5),
    "the next page": lambda store: reports.tasks(store, [Status.COMPLETED], limit=5, before_id=6),
    "open tasks, listed": lambda store: reports.tasks(store, OPEN, limit=5),
    "one task": lambda store: reports.task(store, 1),
    "a claim": lambda store: claims.add(store, [claim("new")]),
    "a birth": lambda store: births.create_tasks(store, [birth("waiting", "zoe", "sha-c0")], NOW),
    "a commit": lambda store: walk(store, recovery.open_tasks(store)[0], Event.ADMITTED, Event.STARTED),
    "a failure": lambda store: walk(store, recovery.open_tasks(store)[0], Event.FAILED),
    "an entry of the audit": lambda store: audit.append(
        store, at=NOW, actor="ann", what="pause", subject="daemon", before=None, after=None
    ),
    "what is in force": lambda store: audit.in_force(store, {"program": "3"}, NOW),
    "a recovery": lambda store: recovery.recover(store, NOW),
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    """A store with one task of each kind: done and delivered, failed, open."""
    with open_store(tmp_path / "introeval.db") as opened:
        for student in ("anna", "ben", "cleo", "dan", "eve", "fay"):
            (task,) = born(opened, birth(f"c-{student}", student))
            completed(opened, task)
        phase = phases.began(opened, [Stage.STT], Phase.STT, None, NOW)
        phases.ready(opened, phase, NOW, 4.0)
        deliver_all(opened)
        videos.archived(
            opened, [(task.id, Path("/archive/x")) for task in videos.archivable(opened, 99)], NOW
        )
        keeping.witness(opened, Reading(NOW, "boot", 0.0))
        born(opened, birth("open", "anna"))
        recovery.recover(opened, NOW)
        (failed,) = born(opened, birth("failed", "gil", fault=FAULT))
        assert failed.id == FAILED
        claims.add(opened, [claim("waiting", "zoe"), claim("refused", None)])
        reason = Document(0, Kind.REASON, reason_name("refused", "cv.pdf"), REASON)
        claims.refuse(opened, [(claim("refused", None), reason)])
        documents.delivered(opened, [document.id for document in documents.undelivered(opened, 9)], NOW)
        yield opened


def connection_of(store: Database) -> sqlite3.Connection:
    connection = store.connection()
    assert isinstance(connection, sqlite3.Connection)
    return connection


def steps(store: Database, ask: Callable[[Database], Any]) -> int:
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
def test_history_costs_nothing(store: Database, question: str) -> None:
    ask = QUESTIONS[question]
    few = steps(store, lambda store: rolled_back(store, ask))
    grow(store, FINISHED)
    assert reports.counts(store)[Status.COMPLETED] == 6 + FINISHED
    assert steps(store, ask) <= 1.5 * few + 100


def rolled_back(store: Database, ask: Callable[[Database], Any]) -> None:
    with store.atomic("IMMEDIATE") as transaction:
        ask(store)
        transaction.rollback()


@pytest.mark.parametrize("question", [name for name in QUESTIONS if name != "the newest tasks"])
def test_no_table_of_history_is_scanned(store: Database, question: str) -> None:
    said: list[str] = []
    connection = connection_of(store)
    connection.set_trace_callback(said.append)
    QUESTIONS[question](store)
    connection.set_trace_callback(None)
    queries = [one for one in said if one.split()[0] in ("SELECT", "UPDATE", "DELETE", "INSERT")]
    assert queries
    for query in queries:
        for *_, plan in connection.execute(f"EXPLAIN QUERY PLAN {query}"):
            small = "status_counts" in query or '"classes"' in query  # one row for each class
            small |= "idx_undelivered" in plan or "idx_wanting" in plan
            assert small or not plan.startswith("SCAN"), f"{plan}: {query}"


def test_a_class_of_the_same_file_stays_small(store: Database) -> None:
    births = [birth(f"same{n}", f"s{n}", "same", fault=FAULT if n % 2 else None) for n in range(30)]
    tasks = born(store, *births)
    assert all(len(reports.task(store, task.id).flags) == 1 for task in tasks)


def test_a_claim_that_is_done_is_not_looked_at(store: Database) -> None:
    claims.step(store, ["waiting"], ClaimStep.LOST)
    before = steps(store, claims.still_open)
    grow(store, FINISHED)
    assert steps(store, claims.still_open) == before
    assert replace(claim("x"), id="waiting") not in claims.still_open(store)
