"""Documents, videos and students after the outcome: delivered, archived, forgotten."""

import sqlite3
from pathlib import Path

import pytest

from daemon.contracts.documents import Document, Kind
from daemon.core.errors import IllegalTransition
from daemon.core.intake.naming import reason_name
from daemon.core.keeping.witness import Reading
from daemon.core.tasks.task import Status
from daemon.store import Database, claims, documents, forgetting, keeping, reopening, reports, videos
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


def test_a_delivered_document_is_not_offered_again_unless_asked(store: Database) -> None:
    (task,) = born(store, birth("a"))
    with pytest.raises(IllegalTransition, match="no result yet"):
        reopening.deliver_again(store, task.id, NOW)
    completed(store, task)
    before = documents.undelivered(store, 9)
    assert reports.undelivered_counts(store) == {Kind.RESULT: 1, Kind.RECEIPT: 1, Kind.REASON: 0}
    deliver_all(store, NOW + 1)
    deliver_all(store, NOW + 2)
    assert documents.undelivered(store, 9) == []
    assert reports.task(store, task.id).task.delivered_at == NOW + 1
    reopening.deliver_again(store, task.id, NOW)
    assert documents.undelivered(store, 9) == [each for each in before if each.kind is Kind.RESULT]
    assert videos.archivable(store, 9) == []


def test_a_video_is_archived_when_the_last_revision_is_delivered(store: Database) -> None:
    (task,) = born(store, birth("a"))
    completed(store, task)
    assert videos.archivable(store, 9) == []
    deliver_all(store)
    again = reopening.rate_again(store, task.id, NOW)
    assert again.status is Status.MISTRAL_COMPLETE
    assert videos.archivable(store, 9) == [], "a new revision is on its way"
    walk(store, again, *WAY[6:])
    deliver_all(store)
    assert [one.id for one in videos.archivable(store, 9)] == [task.id]
    videos.archived(store, [(task.id, Path("/archive/anna/a.mp4"))], NOW + 10)
    assert videos.archivable(store, 9) == []
    assert keeping.expired(store, 1e9, 0.0, 9) == [], "its time has not begun"
    began = keeping.witness(store, Reading(NOW, "boot", 0.0)).witnessed
    now = keeping.witness(store, Reading(NOW + 50, "boot", 50.0)).witnessed
    assert now == began + 50
    assert keeping.expired(store, began - 1, 0.0, 9) == []
    assert [one.path for one in keeping.expired(store, began, 0.0, 9)] == ["/archive/anna/a.mp4"]
    videos.removed(store, [task.id])
    assert keeping.expired(store, now, 0.0, 9) == []


def test_a_forgotten_student_leaves_nothing_and_gives_the_id_to_nobody(store: Database, path: Path) -> None:
    (task,) = born(store, birth("a", "anna"))
    with pytest.raises(IllegalTransition, match="cancel it"):
        forgetting.forget(store, "anna", INBOX, at=NOW, actor="ann")
    completed(store, task)
    refused = claim("r", "anna")
    claims.add(store, [refused])
    claims.refuse(store, [(refused, Document(0, Kind.REASON, reason_name("r", refused.filename), REASON))])
    assert forgetting.kept_of(store, "anna", INBOX).videos == (Path("/spool/a"),)
    forgetting.forget(store, "anna", INBOX, at=NOW, actor="ann")
    with sqlite3.connect(path) as db:
        for table in ("users", "claims", "processing_tasks", "documents", "task_events"):
            assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    db.close()
    (other,) = born(store, birth("b", "ben"))
    assert other.id > task.id
