"""Building blocks of the store's tests: claims, births, and a task that goes its way in a real database."""

import json
import sqlite3
from pathlib import Path
from typing import Any

from daemon.contracts.documents import Kind
from daemon.contracts.values import (
    Birth,
    Change,
    Claim,
    Extracted,
    Failed,
    Rated,
    StageOutcome,
    Ticket,
    Transcribed,
    Unscorable,
)
from daemon.core.content.document import Evaluation, Evidence, Flag, Profile, Speaking, Transcript
from daemon.core.errors import Blame, Fault
from daemon.core.tasks.lifecycle import advance
from daemon.core.tasks.task import FINAL, Event, Task
from daemon.store import Database, births, claims, commits, documents

NOW = 1_700_000_000.0
TRANSCRIPT = Transcript(text="I am Anna.", language="en", language_probability=0.99)
SPEAKING = Speaking(speech_s=60, words_per_minute=120, pause_ratio=0.1, longest_pause_s=1.5)
PROFILE = Profile(name="Anna")
RATING = Evaluation(
    overall_rating=7,
    clarity_of_speech=8,
    content_quality=6,
    confidence_level=7,
    feedback="Clear. Warm.",
    suggestions=("Slow down.", "Say more."),
    evidence=(Evidence(quote="I am Anna", start_s=0.0, end_s=1.0),),
)
FAULT = Fault(Blame.TASK, "bad_answer", "it gave nothing")
WAY = (
    Event.ADMITTED,
    Event.STARTED,
    Event.TRANSCRIBED,
    Event.ADMITTED,
    Event.STARTED,
    Event.EXTRACTED,
    Event.STARTED,
    Event.RATED,
)

_OUTCOMES = "SELECT 'outcome_' || outcome, count(*) FROM processing_tasks WHERE outcome > '' GROUP BY outcome"
_WANTING_TASKS = """
    SELECT 'wanting_' || outcome, count(*) FROM processing_tasks
    WHERE acknowledged_at IS NULL AND outcome IN ('failed', 'unscorable', 'needs_review') GROUP BY outcome
"""
_WANTING_FILES = """
    SELECT 'wanting_refused', count(*) FROM documents
    WHERE kind = 'reason' AND acknowledged_at IS NULL GROUP BY kind
"""


def claim(name: str, student: str | None = "anna") -> Claim:
    return Claim(name, b"/inbox/\xff.mp4", "intro.mp4", student, 2**63 + 1, 2**64 - 1, 5, 10**18, NOW)


def birth(name: str, student: str = "anna", sha256: str | None = None, **fields: Any) -> Birth:
    mine = claim(name, student)
    return Birth(mine, Path("/spool") / name, sha256 or f"sha-{name}", 5, 12.5, **fields)


def born(store: Database, *group: Birth, now: float = NOW) -> list[Task]:
    """Claim and bear; every birth must give a task."""
    claims.add(store, [one.claim for one in group])
    tasks = [one.task for one in births.create_tasks(store, group, now)]
    assert all(tasks)
    return [task for task in tasks if task]


def change(task: Task, event: Event, at: float = NOW, **fields: Any) -> Change:
    """A change as the supervisor makes it, with an outcome that fits unless one is given."""
    outcome = fields.pop("outcome", None) or outcome_of(task, event)
    seconds = 1.5 if outcome is not None else None
    return Change(task, advance(task, event, **fields), event, at, seconds, outcome)


def outcome_of(task: Task, event: Event) -> StageOutcome | None:
    ticket = Ticket(task.id, task.revision, task.attempt)
    outcomes: dict[Event, StageOutcome] = {
        Event.TRANSCRIBED: Transcribed(
            ticket, TRANSCRIPT, SPEAKING, (Flag(code="demo_model"),), {"model": "base"}
        ),
        Event.UNSCORABLE: Unscorable(ticket, "no_speech", "Nobody speaks; record again."),
        Event.EXTRACTED: Extracted(ticket, PROFILE, provenance={"model": "mistral"}),
        Event.RATED: Rated(ticket, RATING, provenance={"model": "llama3"}),
        Event.FAILED: Failed(ticket, FAULT),
    }
    return outcomes.get(event)


def walk(store: Database, task: Task, *events: Event, at: float = NOW) -> Task:
    """Commit one event after the other, each in its own transaction."""
    for event in events:
        one = change(task, event, at)
        commits.commit(store, [one])
        task = one.after
    return task


def completed(store: Database, task: Task, at: float = NOW) -> Task:
    return walk(store, task, *WAY, at=at)


def deliver_all(store: Database, at: float = NOW) -> None:
    documents.delivered(store, [document.id for document in documents.undelivered(store, 1000)], at)


def results(store: Database) -> dict[str, dict[str, Any]]:
    """The results that are not delivered yet, by their names."""
    waiting = documents.undelivered(store, 1000)
    return {each.name: json.loads(each.content) for each in waiting if each.kind is Kind.RESULT}


def assert_consistent(path: Path) -> None:
    """What must hold of the file whatever happened: counts, results, references."""
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        counted = dict(db.execute("SELECT status, n FROM status_counts"))
        real = dict(db.execute("SELECT status, count(*) FROM processing_tasks GROUP BY status"))
        undelivered = (
            "SELECT 'undelivered_' || kind, count(*) FROM documents WHERE delivered_at IS NULL GROUP BY kind"
        )
        real |= dict(db.execute(undelivered))
        if "wanting_failed" in counted:  # not in a database of an older version
            real |= dict(db.execute(_WANTING_TASKS)) | dict(db.execute(_WANTING_FILES))
            real |= dict(db.execute(_OUTCOMES))
        assert {name: n for name, n in counted.items() if n} == real
        final = ", ".join(f"'{status.value}'" for status in FINAL)
        unlike = f"""SELECT t.id FROM processing_tasks t WHERE (
            SELECT count(*) FROM documents d WHERE d.task_id = t.id AND d.kind = 'result'
        ) != t.revision - (t.status NOT IN ({final}))"""
        assert db.execute(unlike).fetchall() == []
    db.close()


def grow(store: Database, count: int) -> None:
    """So many finished tasks more, with claims, history, documents and phases: copies of the first."""
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < {999 + count})"

    def copy(table: str, **changed: str) -> None:
        columns = [row[1] for row in store.execute_sql(f"PRAGMA table_info({table})")]
        values = ", ".join(changed.get(column, f"t.{column}") for column in columns)
        where = "t.id = (SELECT min(id) FROM claims)" if table == "claims" else "t.id = 1"
        if table in ("task_events", "documents"):
            where = "t.task_id = 1"
        store.execute_sql(f"{numbers} INSERT INTO {table} SELECT {values} FROM n, {table} t WHERE {where}")

    with store.atomic("IMMEDIATE"):
        copy("claims", id="'copy' || i")
        copy("processing_tasks", id="i", claim_id="'copy' || i", user_id="'anna'", sha256="'other' || i")
        copy("task_events", id="NULL", task_id="i")
        copy("documents", id="NULL", task_id="i", name="t.name || i")
        copy("phases", id="NULL")
