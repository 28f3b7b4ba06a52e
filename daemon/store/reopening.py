"""Requests of people for a task, as `core.tasks.offers` allows them: retry, rate, hold, release, put
first, cancel, deliver, acknowledge. Each is a line of the task's history and an entry of the audit.
"""

import json
from collections.abc import Mapping
from typing import Any

from daemon.contracts.documents import Kind
from daemon.core.tasks.offers import Verb, check
from daemon.core.tasks.reopening import rated_again, retried
from daemon.core.tasks.task import STAGE_OF, Stage, Status, Task, phase_of
from daemon.store import audit, codec, history
from daemon.store.database import Database, writes
from daemon.store.found import find
from daemon.store.models import DocumentRow, TaskRow
from daemon.store.reports import listed

_RESULT_COLUMN = {Stage.STT: "stt_result", Stage.EXTRACT: "mistral_result", Stage.RATE: "llama_result"}
_EVENTS = {
    Verb.RETRY: "retried",
    Verb.RATE: "rated_again",
    Verb.HOLD: "held",
    Verb.RELEASE: "let_go",
    Verb.NEXT: "put_first",
    Verb.IN_TURN: "in_turn",
    Verb.CANCEL: "cancel_requested",
    Verb.ACKNOWLEDGE: "acknowledged",
    Verb.DELIVER: "deliver_again",
}
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
    "decision": None,
    "first_at": None,
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
    return _reopen(db, row, to, now, Verb.RETRY, actor, reseeded=answered)


@writes
def rate_again(
    db: Database, task_id: int, now: float, actor: str | None = None, *, extract: bool = False
) -> Task:
    """Begin the next revision of a rated task at `rate`, or at `extract`. Raises as `retry`."""
    row = find(db, task_id)
    to = rated_again(listed(row), db.terms, now, extract=extract)
    return _reopen(db, row, to, now, Verb.RATE, actor, reseeded=False)


@writes
def hold(db: Database, task_id: int, now: float, actor: str | None = None, *, held: bool) -> Task:
    """Hold an open task, or release it. Raises UnknownTask, and IllegalTransition if that changes nothing."""
    if held:
        return _mark(db, task_id, Verb.HOLD, now, actor, {"held": True, "estimated_completion": None})
    return _mark(db, task_id, Verb.RELEASE, now, actor, {"held": False})


@writes
def put_first(db: Database, task_id: int, now: float, actor: str | None = None, *, first: bool) -> Task:
    """Put an open task before all others, or back into its turn. Raises as `hold`."""
    return _mark(
        db, task_id, Verb.NEXT if first else Verb.IN_TURN, now, actor, {"first_at": now if first else None}
    )


@writes
def request_cancel(db: Database, task_id: int, now: float, actor: str | None = None) -> Task:
    """Record that an open task is to be cancelled, also if an outcome comes first. Raises as `hold`."""
    return _mark(db, task_id, Verb.CANCEL, now, actor, {"cancel_requested": True})


@writes
def acknowledge(db: Database, task_id: int, now: float, actor: str | None) -> Task:
    """Record that a person has seen what a task wants them for. Raises as `hold`."""
    columns = {"acknowledged_at": now, "acknowledged_by": actor}
    return _mark(db, task_id, Verb.ACKNOWLEDGE, now, actor, columns)


@writes
def deliver_again(db: Database, task_id: int, now: float, actor: str | None = None) -> None:
    """Mark the last result of a task as undelivered, so that it is delivered again.

    Raises UnknownTask, and IllegalTransition when the task has no result.
    """
    row = find(db, task_id)
    check(listed(row), Verb.DELIVER, db.terms, now)
    results = (DocumentRow.task_id == task_id) & (DocumentRow.kind == Kind.RESULT.value)
    query = DocumentRow.select().where(results).order_by(DocumentRow.revision.desc()).limit(1)
    last = query.execute(db)[0]
    DocumentRow.update(delivered_at=None).where(DocumentRow.id == last.id).execute(db)
    current = (TaskRow.id == task_id) & (TaskRow.revision == last.revision)
    TaskRow.update(delivered_at=None).where(current).execute(db)
    _record(db, row, Verb.DELIVER, now, actor)


def _mark(
    db: Database,
    task_id: int,
    verb: Verb,
    now: float,
    actor: str | None,
    columns: Mapping[str, Any],
) -> Task:
    """Set the columns of a person's request. Raises IllegalTransition if the task does not allow it."""
    row = find(db, task_id)
    check(listed(row), verb, db.terms, now)
    TaskRow.update(**columns, last_updated=now).where(TaskRow.id == task_id).execute(db)
    return _record(db, row, verb, now, actor)


def _reopen(
    db: Database, row: TaskRow, to: Status, now: float, verb: Verb, actor: str | None, *, reseeded: bool
) -> Task:
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
        set_aside="[]" if Stage.EXTRACT in redone else row.set_aside,
        **_BEGUN_ANEW,
        **{_RESULT_COLUMN[stage]: None for stage in redone},
    ).where(TaskRow.id == row.id).execute(db)
    return _record(db, row, verb, now, actor)


def _record(db: Database, before: TaskRow, verb: Verb, now: float, actor: str | None) -> Task:
    """Record a request that was carried out. Gives the task as it is now."""
    after = find(db, before.id)
    task = codec.to_task(after)
    history.record(db, task, _EVENTS[verb], now, before=Status(before.status), actor=actor)
    audit.append(
        db,
        at=now,
        actor=actor,
        what=verb.value,
        subject=audit.of_task(task.id),
        before=_state(before),
        after=_state(after),
    )
    return task


def _state(row: TaskRow) -> dict[str, str | int | bool]:
    """What a person's request can change of a task. It names nobody."""
    return {
        "status": row.status,
        "revision": row.revision,
        "held": row.held,
        "first": row.first_at is not None,
        "cancel_requested": row.cancel_requested,
        "acknowledged": row.acknowledged_at is not None,
        "delivered": row.delivered_at is not None,
    }
