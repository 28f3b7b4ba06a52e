"""Reopening a task that ended, and requests for an open one: hold, release, cancel."""

import json
from collections.abc import Mapping
from typing import Any

from daemon.contracts.values import Kind
from daemon.core.errors import IllegalTransition
from daemon.core.tasks.reopening import FinishedTask, rated_again, retried
from daemon.core.tasks.task import OPEN, STAGE_OF, Outcome, Stage, Status, Task, phase_of
from daemon.store import codec, history
from daemon.store.commits import find
from daemon.store.database import Database, writes
from daemon.store.models import DocumentRow, TaskRow

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
}


@writes
def retry(db: Database, task_id: int, now: float) -> Task:
    """Begin the next revision of a task that failed, was cancelled or needs review.

    It begins at the stage that gave no result. Raises UnknownTask, and IllegalTransition for any other task.
    """
    row = find(db, task_id)
    return _reopen(db, row, retried(_ended(row)), now, "retried")


@writes
def rate_again(db: Database, task_id: int, now: float, *, extract: bool = False) -> Task:
    """Begin the next revision of a rated task at `rate`, or at `extract`. Raises as `retry`."""
    row = find(db, task_id)
    return _reopen(db, row, rated_again(_ended(row), extract=extract), now, "rated_again")


@writes
def hold(db: Database, task_id: int, now: float, *, held: bool) -> Task:
    """Hold an open task, or release it. Raises UnknownTask, and IllegalTransition unless it is open."""
    return _mark(db, task_id, "held" if held else "let_go", now, {"held": held})


@writes
def request_cancel(db: Database, task_id: int, now: float) -> Task:
    """Record that an open task is to be cancelled, also if an outcome comes first. Raises as `hold`."""
    return _mark(db, task_id, "cancel_requested", now, {"cancel_requested": True})


@writes
def deliver_again(db: Database, task_id: int) -> None:
    """Mark the last result of a task as undelivered, so that it is delivered again.

    Raises UnknownTask, and IllegalTransition when the task has no result.
    """
    find(db, task_id)
    results = (DocumentRow.task_id == task_id) & (DocumentRow.kind == Kind.RESULT.value)
    query = DocumentRow.select().where(results).order_by(DocumentRow.revision.desc()).limit(1)
    rows = list(query.execute(db))
    if not rows:
        raise IllegalTransition(f"task {task_id} has no result to deliver yet; wait for it")
    last = rows[0]
    DocumentRow.update(delivered_at=None).where(DocumentRow.id == last.id).execute(db)
    current = (TaskRow.id == task_id) & (TaskRow.revision == last.revision)
    TaskRow.update(delivered_at=None).where(current).execute(db)


def _mark(db: Database, task_id: int, event: str, now: float, columns: Mapping[str, bool]) -> Task:
    """Set the columns of a person's request for an open task. Raises IllegalTransition for another."""
    row = find(db, task_id)
    if Status(row.status) not in OPEN:
        raise IllegalTransition(f"task {task_id} is {row.status}; only an open one can be held or cancelled")
    TaskRow.update(**columns, last_updated=now).where(TaskRow.id == task_id).execute(db)
    task = codec.to_task(find(db, task_id))
    history.record(db, task, event, now, before=task.status)
    return task


def _ended(row: TaskRow) -> FinishedTask:
    return FinishedTask(
        id=row.id,
        status=Status(row.status),
        outcome=None if row.outcome is None else Outcome(row.outcome),
        has_transcript=codec.read_stt(row.stt_result)[0] is not None,
        form_tried=row.mistral_result is not None,
        has_form=codec.read_profile(row.mistral_result) is not None,
        video_kept=row.video != "gone",
    )


def _reopen(db: Database, row: TaskRow, to: Status, now: float, event: str) -> Task:
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
        **_BEGUN_ANEW,
        **{_RESULT_COLUMN[stage]: None for stage in redone},
    ).where(TaskRow.id == row.id).execute(db)
    task = codec.to_task(find(db, row.id))
    history.record(db, task, event, now, before=before)
    return task
