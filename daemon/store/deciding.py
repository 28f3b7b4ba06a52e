"""Decisions of people on results: each is the next revision of its task, without a model."""

import json

from daemon.contracts.documents import Document, Kind
from daemon.core.classes.decision import Wanted, decided, taken_back
from daemon.core.content.document import DocumentPart, Result, read_result
from daemon.core.content.result import to_bytes
from daemon.core.errors import IllegalTransition
from daemon.core.intake.naming import result_name
from daemon.core.notices import NoticeKind
from daemon.core.tasks import lifecycle
from daemon.core.tasks.offers import Ruling, check
from daemon.store import audit, codec, documents, history
from daemon.store.database import Database, writes
from daemon.store.found import find
from daemon.store.models import TaskRow
from daemon.store.reports import listed
from daemon.store.revising import recalibrate


@writes
def decide(db: Database, task_id: int, wanted: Wanted, now: float, actor: str | None) -> Result:
    """Record a person's decision on the present result of a task.

    Raises UnknownTask, and IllegalTransition for a task that is open or cancelled, and as `decided`.
    """
    row = find(db, task_id)
    check(listed(row), Ruling.DECIDE, db.terms, now)
    return _revise(
        db,
        row,
        decided(read_result(documents.results(db, task_id)[-1]), wanted, actor, now),
        "decided",
        now,
        actor,
    )


@writes
def take_back(db: Database, task_id: int, now: float, actor: str | None) -> Result:
    """Undo what people decided: the next revision has what the model gave, and one more what a calibration
    has made of its class meanwhile. Raises as `decide`, and IllegalTransition where nobody has decided.
    """
    row = find(db, task_id)
    check(listed(row), Ruling.UNDO, db.terms, now)
    found = [read_result(content) for content in documents.results(db, task_id)]
    own = next((each for each in reversed(found) if each.decision is None), None)
    if own is None:
        raise IllegalTransition(f"task {task_id} has no result of a model to go back to; decide on it anew")
    next_ = taken_back(own, found[-1].revision, now, db.release)
    _revise(db, row, next_, "decision_taken_back", now, actor)
    recalibrate(db, task_id, now, actor)
    return read_result(documents.results(db, task_id)[-1])


def _column(result: Result, part: DocumentPart | None) -> str | None:
    """What a stage gave, as its column has it: nothing where the task ended before it."""
    return None if part is None and result.error is not None else codec.dumps(part and part.model_dump())


def _revise(db: Database, row: TaskRow, next_: Result, event: str, now: float, actor: str | None) -> Result:
    task = lifecycle.revised(codec.to_task(row), next_.outcome)
    decision = next_.decision
    TaskRow.update(
        status=task.status.value,
        revision=task.revision,
        outcome=next_.outcome.value,
        mistral_result=_column(next_, next_.profile),
        llama_result=_column(next_, next_.evaluation),
        decision=None if decision is None else codec.dumps(decision.model_dump()),
        acknowledged_at=None if decision is None else now,
        acknowledged_by=None if decision is None else actor,
        delivered_at=None,
        last_updated=now,
    ).where(TaskRow.id == task.id).execute(db)
    history.record(db, task, event, now, before=task.status, actor=actor)
    name = result_name(task.student, task.id, task.filename, task.revision)
    document = Document(0, Kind.RESULT, name, to_bytes(next_), task.id)
    tells = NoticeKind.DECISION
    documents.add_document(db, document, created_at=now, revision=task.revision, tells=tells)
    audit.append(
        db,
        at=now,
        actor=actor,
        what=event,
        subject=audit.of_task(task.id),
        before=None if row.decision is None else json.loads(row.decision),
        after=None if decision is None else decision.model_dump(mode="json"),
    )
    return next_
