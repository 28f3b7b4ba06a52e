"""What the database says, in the words of the wire: for the control socket, and where no daemon runs."""

import json
from typing import Any

from daemon.core.instant import to_iso
from daemon.core.task import FINAL, STAGE_OF, Status
from daemon.store.reader import Reader
from daemon.store.reports import Detail, Listed
from daemon.wire import HistoryLine, Paper, TaskDetail, TaskLine


def counts(reader: Reader) -> dict[str, int]:
    """How many tasks have each status."""
    return {status.value: n for status, n in reader.counts().items()}


def undelivered(reader: Reader) -> int:
    """How many files are not in the outbox yet."""
    return sum(reader.undelivered_counts().values())


def task_lines(
    reader: Reader, status: list[Status] | None, student: str | None, limit: int, before: int | None
) -> list[TaskLine]:
    """A page of tasks, the newest first."""
    return [task_line(row) for row in reader.tasks(status or (), student, limit=limit, before_id=before)]


def task_detail(reader: Reader, task_id: int) -> TaskDetail:
    """One task with its history. Raises UnknownTask."""
    return _detail(reader.task(task_id))


def results(reader: Reader, task_id: int) -> list[dict[str, Any]]:
    """The results of a task as they are in the outbox, one for each revision, oldest first."""
    reader.task(task_id)  # UnknownTask, where there is none
    return [json.loads(content) for content in reader.results(task_id)]


def task_line(row: Listed) -> TaskLine:
    """One line of a list."""
    return TaskLine(
        id=row.id,
        student=row.student,
        filename=row.filename,
        status=row.status.value,
        stage=None if row.status in FINAL else STAGE_OF[row.status].value,
        outcome=row.outcome and row.outcome.value,
        revision=row.revision,
        retry_count=row.retry_count,
        batch_id=row.batch_id,
        duration_s=row.duration_s,
        held=row.held,
        claimed_at=to_iso(row.claimed_at),
        ended_at=_iso(row.ended_at),
        delivered_at=_iso(row.delivered_at),
        estimated_completion=_iso(row.estimated_completion),
        error_code=row.error_code,
        error_message=row.error_message,
    )


def _detail(detail: Detail) -> TaskDetail:
    return TaskDetail(
        **task_line(detail.task).model_dump(),
        sha256=detail.sha256,
        size_bytes=detail.size_bytes,
        flags=[flag.model_dump() for flag in detail.flags],
        history=[
            HistoryLine(
                at=to_iso(entry.at),
                event=entry.event,
                from_status=entry.from_status and entry.from_status.value,
                to_status=entry.to_status.value,
                stage=entry.stage and entry.stage.value,
                attempt=entry.attempt,
                seconds=entry.seconds,
                detail=entry.detail,
            )
            for entry in detail.history
        ],
        papers=[
            Paper(kind=paper.kind.value, name=paper.name, delivered_at=_iso(paper.delivered_at))
            for paper in detail.papers
        ],
    )


def _iso(at: float | None) -> str | None:
    return None if at is None else to_iso(at)
