"""What every answer of the control socket is made of, and those that belong to no one thing."""

from pydantic import BaseModel, ConfigDict


class WireModel(BaseModel):
    """Base of all messages. A newer daemon may say more than an older client knows."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class EventLine(WireModel):
    """One thing that happened. `id` grows, also over restarts; `kind`: task, phase, alarm, cleared, order."""

    id: int
    at: str
    kind: str
    message: str
    task_id: int | None = None
    student: str | None = None
    status: str | None = None


class LogLine(WireModel):
    """One line of a log; `source` is daemon, stt, media, extract or rate."""

    at: str | None
    source: str
    text: str


class Deadline(WireModel):
    """When the class is to be done, as ISO 8601 with its zone; None takes the deadline away."""

    at: str | None


class Forgotten(WireModel):
    """What was deleted of a student: so many tasks and files, and so many copies of the database, which hold
    every student. `left` is where the student is still named.
    """

    student: str
    tasks: int
    files: int
    copies: int = 0
    left: list[str] = []


class Problem(WireModel):
    """The answer to a request that could not be done: one line that says what to do."""

    error: str
    message: str
