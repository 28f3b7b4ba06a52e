"""What crosses the control socket, shared by the daemon, the command line and the dashboard."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

API_VERSION = 1


class Verb(StrEnum):
    """What may be asked for one task."""

    RETRY = "retry"
    RATE = "rate"
    CANCEL = "cancel"
    HOLD = "hold"
    RELEASE = "release"


class Order(StrEnum):
    """What may be ordered for the whole daemon."""

    PAUSE = "pause"
    RESUME = "resume"
    GO = "go"


class Wire(BaseModel):
    """Base of all messages. A newer daemon may say more than an older client knows."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Alarm(Wire):
    """Something that a person should mend. It lasts until it is mended."""

    code: str
    message: str
    since: str


class BatchState(Wire):
    """The running batch: `done` of the `total` tasks that it has so far are through stt."""

    id: int
    done: int
    total: int


class Status(Wire):
    """What the system is doing now. `why` says what the scheduler does or waits for."""

    api_version: int = API_VERSION
    version: str
    pid: int | None
    running: bool
    runtime: str
    phase: str
    group: list[str]
    phase_since: str | None
    why: str
    paused: bool = False
    batch: BatchState | None = None
    counts: dict[str, int]
    undelivered: int
    engines: dict[str, str] = Field(default_factory=dict)
    alarms: list[Alarm] = Field(default_factory=list)


class TaskLine(Wire):
    """One line of a list of tasks."""

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
    claimed_at: str
    ended_at: str | None
    delivered_at: str | None
    estimated_completion: str | None
    error_code: str | None
    error_message: str | None


class HistoryLine(Wire):
    """One line of a task's history."""

    at: str
    event: str
    from_status: str | None
    to_status: str
    stage: str | None
    attempt: int
    seconds: float | None
    detail: dict[str, Any]


class Paper(Wire):
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
    papers: list[Paper]


class Problem(Wire):
    """The answer to a request that could not be done: one line that says what to do."""

    error: str
    message: str
