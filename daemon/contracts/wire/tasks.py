"""Tasks, as the control socket tells of them."""

from typing import Any

from daemon.contracts.wire.base import WireModel


class TaskLine(WireModel):
    """One line of a list of tasks. `eta` is computed now; `estimated_completion` is what was written."""

    id: int
    student: str
    filename: str
    status: str
    stage: str | None
    outcome: str | None
    revision: int
    retry_count: int
    batch_id: int | None
    duration_s: float
    progress: float | None = None
    held: bool
    not_before: str | None = None
    claimed_at: str
    started_at: str | None = None  # of the try that runs
    ended_at: str | None
    delivered_at: str | None
    estimated_completion: str | None
    eta: str | None = None
    error_code: str | None
    error_message: str | None


class TaskPage(WireModel):
    """A page of a list: `total` is how many match, on all pages.

    `partial` says that a text was searched in the newest of the finished tasks alone.
    """

    total: int
    tasks: list[TaskLine]
    partial: bool = False


class HistoryLine(WireModel):
    """One line of a task's history."""

    at: str
    event: str
    from_status: str | None
    to_status: str
    stage: str | None
    attempt: int
    seconds: float | None
    detail: dict[str, Any]


class DocumentLine(WireModel):
    """A file of the outbox: its path below it, and when it became durable there."""

    kind: str
    name: str
    delivered_at: str | None


class TaskDetail(TaskLine):
    """Everything of one task but the texts of its result."""

    sha256: str
    size_bytes: int
    flags: list[dict[str, Any]]
    history: list[HistoryLine]
    documents: list[DocumentLine]
