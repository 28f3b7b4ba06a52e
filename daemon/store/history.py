"""The history of a task: every transition, attempt and duration. Called within a transaction."""

from collections.abc import Mapping
from typing import Any

from daemon.core.content.document import AttemptTiming
from daemon.core.tasks.task import STAGE_OF, Event, Stage, Status, Task
from daemon.store.codec import dumps
from daemon.store.database import Database
from daemon.store.models import EventRow
from daemon.store.statements import insert


def record(
    db: Database,
    task: Task,
    event: str,
    at: float,
    *,
    before: Status | None,
    seconds: float | None = None,
    detail: Mapping[str, Any] | None = None,
    actor: str | None = None,
) -> None:
    """Add a line. `task` is as after the event; `event` is an Event's value or another word, as "held".

    `actor` is the account of the person who ordered it.
    """
    insert(
        db,
        EventRow,
        task_id=task.id,
        at=at,
        event=event,
        from_status=before,
        to_status=task.status.value,
        stage=STAGE_OF.get(before) if before else None,
        revision=task.revision,
        attempt=task.attempt,
        seconds=seconds,
        detail=dumps(detail or {}),
        actor=actor,
    )


def tries(db: Database, task: Task) -> tuple[AttemptTiming, ...]:
    """The attempts of the task's present revision that ended, in their order."""
    mine = (
        (EventRow.task_id == task.id) & (EventRow.revision == task.revision) & EventRow.seconds.is_null(False)
    )
    rows = EventRow.select().where(mine).order_by(EventRow.id).execute(db)
    return tuple(
        AttemptTiming(stage=row.stage, attempt=row.attempt, seconds=round(row.seconds, 3), ended=row.event)
        for row in rows
    )


def starts(db: Database, task: Task, stage: Stage) -> int:
    """The number of attempts at `stage` that were started in the task's present revision."""
    mine = (EventRow.task_id == task.id) & (EventRow.revision == task.revision)
    begun = (EventRow.event == Event.STARTED.value) & (EventRow.stage == stage.value)
    return int(EventRow.select().where(mine & begun).count(db))
