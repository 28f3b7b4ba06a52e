"""Tasks on the control socket."""

from typing import Any

from pydantic import Field

from daemon.contracts.wire.base import WireModel


class TaskLine(WireModel):
    """A task in a list. `eta` is computed now; `estimated_completion` is the value that was stored.

    `reason` says why it wants a person: one line, empty where it does not. `can` lists the requests that the
    daemon accepts for it now.
    """

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
    first: bool = False  # a person put it before all others
    not_before: str | None = None
    claimed_at: str
    started_at: str | None = None  # of the running attempt
    ended_at: str | None
    delivered_at: str | None
    estimated_completion: str | None
    eta: str | None = None
    error_code: str | None
    error_message: str | None
    rating: int | None = None  # the overall one, of 10
    flag_codes: list[str] = Field(default_factory=list)
    reason: str = ""
    acknowledged: bool = False
    decided_by: str | None = None  # who answers for the decision on its result
    demo: bool = False  # its rating is of a demonstration model
    can: list[str] = Field(default_factory=list)


class TaskPage(WireModel):
    """A page of a list: `total` counts the matches on all pages.

    `partial` is True when of the finished tasks only the newest were searched for a text.
    """

    total: int
    tasks: list[TaskLine]
    partial: bool = False


class RefusedLine(WireModel):
    """A refused file, which became no task. `document` is the path of its reason below the outbox, `path` its
    own below the inbox; empty where it was not recorded.
    """

    at: str
    claim_id: str
    filename: str
    student: str | None
    account: str | None
    reason: str
    document: str
    path: str = ""
    acknowledged: bool = False


class HistoryLine(WireModel):
    """One entry of a task's history. `attempt` counts those at its stage, in the revision that it is of."""

    at: str
    event: str
    from_status: str | None
    to_status: str
    stage: str | None
    attempt: int
    seconds: float | None
    actor: str | None = None
    detail: dict[str, Any]


class DocumentLine(WireModel):
    """A file of the outbox: its path below the outbox, and when it became durable there."""

    kind: str
    name: str
    delivered_at: str | None


class TaskDetail(TaskLine):
    """A task in full, without the texts of its result; of these only the words that speak to the grader."""

    next: str = ""  # what to do where it wants a person
    sha256: str
    size_bytes: int
    flags: list[dict[str, Any]]
    set_aside: list[dict[str, Any]] = Field(default_factory=list)
    history: list[HistoryLine]
    documents: list[DocumentLine]
