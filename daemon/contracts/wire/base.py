"""The base of every answer of the control socket, and the answers that belong to no other module."""

from pydantic import BaseModel, ConfigDict, Field


class WireModel(BaseModel):
    """Base of all messages. Unknown fields are ignored: a newer daemon may send more than a client knows.

    Built when first used: a command uses few of them.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class EventLine(WireModel):
    """One event. `id` grows, also over restarts; `kind`: task, phase, alarm, cleared, order,
    rubric.

    `actor` is the account of the person who gave the order; None for the daemon itself.
    """

    id: int
    at: str
    kind: str
    message: str
    task_id: int | None = None
    student: str | None = None
    status: str | None = None
    actor: str | None = None


class LogLine(WireModel):
    """One line of a log; `source` is daemon, stt, media, extract or rate."""

    at: str | None
    source: str
    text: str


class Deadline(WireModel):
    """The end that the class must keep, as ISO 8601 with its zone; None removes the deadline."""

    at: str | None


class RaterAccepted(WireModel):
    """Takes a rater for grades in spite of its fairness card.

    `card` is the begin of the card's identity, empty for the newest; `by` is the person who answers for it.
    """

    card: str = Field(default="", max_length=64)
    by: str = Field(min_length=1, max_length=200)
    reason: str = Field(min_length=1, max_length=1000)


class Forgotten(WireModel):
    """The figures of a deletion: tasks and files of the student, and copies of the database, which hold every
    student. `left` lists where the student is still named.
    """

    student: str
    tasks: int
    files: int
    copies: int = 0
    left: list[str] = []


class Problem(WireModel):
    """The answer to a request that failed: one line that says what to do."""

    error: str
    message: str
