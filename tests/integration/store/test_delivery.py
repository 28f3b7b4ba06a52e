"""Documents, videos and students after the outcome: delivered, archived, forgotten."""

import sqlite3
from pathlib import Path

import pytest

from daemon.contracts.values import Document, Kind
from daemon.core.errors import IllegalTransition
from daemon.core.intake.naming import reason_name
from daemon.core.keeping.witness import Reading
from daemon.core.tasks.task import Status
from daemon.store import SqliteStore
from tests.integration.stores import (
    NOW,
    WAY,
    birth,
    born,
    claim,
    completed,
    deliver_all,
    walk,
)

INBOX = Path("/inbox")
REASON = b'{"claim_id": "r", "student_id": "anna", "filename": "intro.mp4"}'


def test_a_delivered_document_is_not_offered_again_unless_asked(store: SqliteStore) -> None:
    (task,) = born(store, birth("a"))
    with pytest.raises(IllegalTransition, match="no result to deliver"):
        store.deliver_again(task.id)
    completed(store, task)
    before = store.undelivered(9)
    assert store.undelivered_counts() == {Kind.RESULT: 1, Kind.RECEIPT: 1, Kind.REASON: 0}
    deliver_all(store, NOW + 1)
    deliver_all(store, NOW + 2)
    assert store.undelivered(9) == []
    assert store.task(task.id).task.delivered_at == NOW + 1
    store.deliver_again(task.id)
    assert store.undelivered(9) == [paper for paper in before if paper.kind is Kind.RESULT]
    assert store.archivable(9) == []


def test_a_video_is_archived_when_the_last_revision_is_delivered(store: SqliteStore) -> None:
    (task,) = born(store, birth("a"))
    completed(store, task)
    assert store.archivable(9) == []
    deliver_all(store)
    again = store.rate_again(task.id, NOW)
    assert again.status is Status.MISTRAL_COMPLETE
    assert store.archivable(9) == [], "a new revision is on its way"
    walk(store, again, *WAY[6:])
    deliver_all(store)
    assert [one.id for one in store.archivable(9)] == [task.id]
    store.archived([(task.id, Path("/archive/anna/a.mp4"))], NOW + 10)
    assert store.archivable(9) == []
    assert store.expired(1e9, 9) == [], "its time has not begun"
    began = store.witness(Reading(NOW, "boot", 0.0)).witnessed
    now = store.witness(Reading(NOW + 50, "boot", 50.0)).witnessed
    assert now == began + 50
    assert store.expired(began - 1, 9) == []
    assert [one.path for one in store.expired(began, 9)] == ["/archive/anna/a.mp4"]
    store.removed([task.id])
    assert store.expired(now, 9) == []


def test_a_forgotten_student_leaves_nothing_and_gives_the_id_to_nobody(
    store: SqliteStore, path: Path
) -> None:
    (task,) = born(store, birth("a", "anna"))
    with pytest.raises(IllegalTransition, match="cancel it"):
        store.forget("anna", INBOX)
    completed(store, task)
    refused = claim("r", "anna")
    store.add_claims([refused])
    store.refuse([(refused, Document(0, Kind.REASON, reason_name("r", refused.filename), REASON))])
    assert store.kept_of("anna", INBOX).videos == (Path("/spool/a"),)
    store.forget("anna", INBOX)
    with sqlite3.connect(path) as db:
        for table in ("users", "claims", "processing_tasks", "documents", "task_events"):
            assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    db.close()
    (other,) = born(store, birth("b", "ben"))
    assert other.id > task.id
