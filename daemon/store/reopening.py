"""Requests of people for a task, as `core.tasks.offers` allows them: retry, rate, hold, release, cancel,
deliver, acknowledge.
"""

import json
from collections.abc import Mapping
from typing import Any

from daemon.contracts.values import Kind
from daemon.core.tasks.offers import Verb, check
from daemon.core.tasks.reopening import rated_again, retried
from daemon.core.tasks.task import STAGE_OF, Stage, Status, Task, phase_of
from daemon.store import codec, history
from daemon.store.commits import find
from daemon.store.database import Database, writes
from daemon.store.models import DocumentRow, TaskRow
from daemon.store.reports import listed

_RESULT_COLUMN = {Stage.STT: "stt_result", Stage.EXTRACT: "mistral_result", Stage.RATE: "llama_result"}
_BEGUN_ANEW: dict[str, Any] = {
    "attempt": 0,
    "retry_count": 0,
    "suspicion": 0,
    "deaths_alone": 0,
    "daemon_deaths": 0,
    "not_before": None,
    "held": False,
    "cancel_requested": False,
    "batch_id": None,
    "priority": 1,
    "ended_at": None,
    "outcome": None,
    "failed_stage": None,
    "error_code": None,
    "error_message": None,
    "estimated_completion": None,
    "delivered_at": None,
    "acknowledged_at": None,
    "acknowledged_by": None,
    "judged_by": None,
}


@writes
def retry(db: Database, task_id: int, now: float, actor: str | None = None) -> Task:
    """Begin the next revision of a task that failed, was cancelled or needs review.

    It begins at the stage that gave no result; a model that has answered is asked with another seed. Raises
    UnknownTask, and IllegalTransition for any other task.
    """
    row = find(db, task_id)
    answered = Status(row.status) is Status.COMPLETED
    to = retried(listed(row), db.terms, now)
    return _reopen(db, row, to, now, "retried", actor, reseeded=answered)


@writes
def rate_again(
    db: Database, task_id: int, now: float, actor: str | None = None, *, extract: bool = False
) -> Task:
    """Begin the next revision of a rated task at `rate`, or at `extract`. Raises as `retry`."""
    row = find(db, task_id)
    to = rated_again(listed(row), db.terms, now, extract=extract)
    return _reopen(db, row, to, now, "rated_again", actor, reseeded=False)


@writes
def hold(db: Database, task_id: int, now: float, actor: str | None = None, *, held: bool) -> Task:
    """Hold an open task, or release it. Raises UnknownTask, and IllegalTransition if that changes nothing."""
    if held:
        return _mark(db, task_id, Verb.HOLD, "held", now, actor, {"held": True, "estimated_completion": None})
    return _mark(db, task_id, Verb.RELEASE, "let_go", now, actor, {"held": False})


@writes
def request_cancel(db: Database, task_id: int, now: float, actor: str | None = None) -> Task:
    """Record that an open task is to be cancelled, also if an outcome comes first. Raises as `hold`."""
    return _mark(db, task_id, Verb.CANCEL, "cancel_requested", now, actor, {"cancel_requested": True})


@writes
def acknowledge(db: Database, task_id: int, now: float, actor: str | None) -> Task:
    """Record that a person has seen what a task wants them for. Raises as `hold`."""
    columns = {"acknowledged_at": now, "acknowledged_by": actor}
    return _mark(db, task_id, Verb.ACKNOWLEDGE, "acknowledged", now, actor, columns)


@writes
def deliver_again(db: Database, task_id: int, now: float, actor: str | None = None) -> None:
    """Mark the last result of a task as undelivered, so that it is delivered again.

    Raises UnknownTask, and IllegalTransition when the task has no result.
    """
    row = find(db, task_id)
    check(listed(row), Verb.DELIVER, db.terms, now)
    task = codec.to_task(row)
    history.record(db, task, "deliver_again", now, before=task.status, actor=actor)
    results = (DocumentRow.task_id == task_id) & (DocumentRow.kind == Kind.RESULT.value)
    query = DocumentRow.select().where(results).order_by(DocumentRow.revision.desc()).limit(1)
    last = query.execute(db)[0]
    DocumentRow.update(delivered_at=None).where(DocumentRow.id == last.id).execute(db)
    current = (TaskRow.id == task_id) & (TaskRow.revision == last.revision)
    TaskRow.update(delivered_at=None).where(current).execute(db)


def _mark(
    db: Database,
    task_id: int,
    verb: Verb,
    event: str,
    now: float,
    actor: str | None,
    columns: Mapping[str, Any],
) -> Task:
    """Set the columns of a person's request. Raises IllegalTransition if the task does not allow it."""
    check(listed(find(db, task_id)), verb, db.terms, now)
    TaskRow.update(**columns, last_updated=now).where(TaskRow.id == task_id).execute(db)
    task = codec.to_task(find(db, task_id))
    history.record(db, task, event, now, before=task.status, actor=actor)
    return task


def _reopen(
    db: Database, row: TaskRow, to: Status, now: float, event: str, actor: str | None, *, reseeded: bool
) -> Task:
    before = Status(row.status)
    stages = list(Stage)
    redone = stages[stages.index(STAGE_OF[to]) :]
    flags = codec.read_flags(row.flags)
    origin = json.loads(row.provenance)
    for stage in redone:
        flags.pop(stage.value, None)
        origin.pop(stage.value, None)
    TaskRow.update(
        status=to.value,
        phase=phase_of(STAGE_OF[to]).value,
        revision=row.revision + 1,
        began_at=now,
        last_updated=now,
        flags=codec.flags_text(flags),
        provenance=codec.dumps(origin),
        reseeded=reseeded,
        **_BEGUN_ANEW,
        **{_RESULT_COLUMN[stage]: None for stage in redone},
    ).where(TaskRow.id == row.id).execute(db)
    task = codec.to_task(find(db, row.id))
    history.record(db, task, event, now, before=before, actor=actor)
    return task
