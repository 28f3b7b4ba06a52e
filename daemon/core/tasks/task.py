"""The states of a task and the one table of transitions.

A task is one submitted video on its way to a result. `TRANSITIONS` says which event leads from which status
to which; only `next_status` reads it. Everything that is not in it raises IllegalTransition.
"""

from dataclasses import dataclass
from enum import StrEnum

from daemon.core.errors import IllegalTransition


class Stage(StrEnum):
    """One step of a task that needs an engine."""

    STT = "stt"
    EXTRACT = "extract"
    RATE = "rate"


class Phase(StrEnum):
    """The name of the running group for the operator and the database."""

    STT = "stt"
    EVAL = "eval"


class Status(StrEnum):
    """The state of a task; the names are those that the lab's tools already know."""

    UPLOADED = "uploaded"
    STT_PENDING = "stt_pending"
    STT_PROCESSING = "stt_processing"
    STT_COMPLETE = "stt_complete"
    EVAL_PENDING = "eval_pending"
    EVAL_PROCESSING = "eval_processing"
    MISTRAL_COMPLETE = "mistral_complete"
    LLAMA_PROCESSING = "llama_processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """The outcome of a task that ended, as the outbox reports it."""

    EVALUATED = "evaluated"
    NEEDS_REVIEW = "needs_review"
    UNSCORABLE = "unscorable"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDS_AS = {Outcome.FAILED: Status.FAILED, Outcome.CANCELLED: Status.CANCELLED}
"""The status of a task with an outcome; that of every other one is completed."""


class Event(StrEnum):
    """An event that changes a task's status."""

    ADMITTED = "admitted"
    STARTED = "started"
    TRANSCRIBED = "transcribed"
    UNSCORABLE = "unscorable"
    EXTRACTED = "extracted"
    RATED = "rated"
    RELEASED = "released"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})
OPEN = frozenset(Status) - FINAL
SHARED_NAME = "shared_name"
"""The flag of a video that came with others under a new name, which may be of several students."""

TRANSITIONS: dict[tuple[Status, Event], Status] = {
    (Status.UPLOADED, Event.ADMITTED): Status.STT_PENDING,
    (Status.STT_PENDING, Event.STARTED): Status.STT_PROCESSING,
    (Status.STT_PENDING, Event.RELEASED): Status.UPLOADED,
    (Status.STT_PROCESSING, Event.TRANSCRIBED): Status.STT_COMPLETE,
    (Status.STT_PROCESSING, Event.UNSCORABLE): Status.COMPLETED,
    (Status.STT_PROCESSING, Event.RELEASED): Status.UPLOADED,
    (Status.STT_COMPLETE, Event.ADMITTED): Status.EVAL_PENDING,
    (Status.EVAL_PENDING, Event.STARTED): Status.EVAL_PROCESSING,
    (Status.EVAL_PENDING, Event.RELEASED): Status.STT_COMPLETE,
    (Status.EVAL_PROCESSING, Event.EXTRACTED): Status.MISTRAL_COMPLETE,
    (Status.EVAL_PROCESSING, Event.RELEASED): Status.STT_COMPLETE,
    (Status.MISTRAL_COMPLETE, Event.STARTED): Status.LLAMA_PROCESSING,
    (Status.LLAMA_PROCESSING, Event.RATED): Status.COMPLETED,
    (Status.LLAMA_PROCESSING, Event.RELEASED): Status.MISTRAL_COMPLETE,
    **{(status, Event.FAILED): Status.FAILED for status in OPEN},
    **{(status, Event.CANCELLED): Status.CANCELLED for status in OPEN},
}

STAGE_OF: dict[Status, Stage] = {
    Status.UPLOADED: Stage.STT,
    Status.STT_PENDING: Stage.STT,
    Status.STT_PROCESSING: Stage.STT,
    Status.STT_COMPLETE: Stage.EXTRACT,
    Status.EVAL_PENDING: Stage.EXTRACT,
    Status.EVAL_PROCESSING: Stage.EXTRACT,
    Status.MISTRAL_COMPLETE: Stage.RATE,
    Status.LLAMA_PROCESSING: Stage.RATE,
}

WAITING = frozenset({Status.UPLOADED, Status.STT_COMPLETE, Status.MISTRAL_COMPLETE})
PENDING = frozenset({Status.STT_PENDING, Status.EVAL_PENDING})
RUNNING = frozenset({Status.STT_PROCESSING, Status.EVAL_PROCESSING, Status.LLAMA_PROCESSING})


def phase_of(stage: Stage) -> Phase:
    """The phase in which a stage runs."""
    return Phase.STT if stage is Stage.STT else Phase.EVAL


def next_status(status: Status, event: Event) -> Status:
    """The status after `event` in `status`. Raises IllegalTransition when the table has no such entry."""
    try:
        return TRANSITIONS[status, event]
    except KeyError:
        raise IllegalTransition(f"a task that is {status} cannot be {event}") from None


@dataclass(frozen=True, slots=True)
class Task:
    """A task that is not final, as the scheduler and the node need it.

    Times are seconds since the epoch by the daemon's clock. `attempt` numbers the attempts of all
    stages, so that an outcome can be matched to its attempt. `retry_count` counts the faults charged to
    the task at its present stage. `suspicion` is above zero when an engine died or failed with the task
    in hand, and `not_before` is then the time of it; `deaths_alone` counts the deaths while it was retried
    alone for that reason. `account` is the operating system's account that submitted the video, if recorded.
    `shared_name`: several videos came at once under the student's name, so none of them replaces another.
    `acknowledged`: a person has seen that it waits. `reseeded`: a person retries it because of a model's
    answer, so the models are asked with other seeds. `first_at`: when a person put it first, or 0.
    """

    id: int
    student: str
    filename: str
    path: str
    sha256: str
    size_bytes: int
    duration_s: float
    claimed_at: float
    status: Status = Status.UPLOADED
    revision: int = 1
    attempt: int = 0
    retry_count: int = 0
    suspicion: int = 0
    deaths_alone: int = 0
    not_before: float = 0.0
    held: bool = False
    cancel_requested: bool = False
    batch_id: int | None = None
    account: str | None = None
    shared_name: bool = False
    acknowledged: bool = False
    reseeded: bool = False
    first_at: float = 0.0

    @property
    def is_first(self) -> bool:
        """Whether it goes before all else. A suspect never does: it may have ended an engine."""
        return self.first_at > 0 and not self.suspicion

    @property
    def stage(self) -> Stage:
        """The stage that the task is in or waits for. Raises KeyError for a final task."""
        return STAGE_OF[self.status]

    @property
    def reseed(self) -> int:
        """The number of the seeds that the models are asked with: 0 for those of every student, and another
        for each revision that a person retries because of an answer. So each can be repeated.
        """
        return self.revision - 1 if self.reseeded else 0
