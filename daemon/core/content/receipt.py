"""The documents of the outbox that come before a result: the receipt, or the reason of a refusal."""

from typing import Literal

from daemon.core.content.document import DocumentPart
from daemon.core.tasks.task import OPEN, Task
from daemon.core.timestamps import to_iso


class Receipt(DocumentPart):
    """A video was taken. `place_in_queue` is 1 for the next; null for one that failed at once.

    `account` is that of the operating system to which the file belonged; null where it is not recorded.
    """

    schema_version: Literal[1] = 1
    task_id: int
    student_id: str
    filename: str
    account: str | None
    sha256: str | None
    size_bytes: int
    duration_s: float | None
    claimed_at: str
    place_in_queue: int | None
    estimated_completion: str | None


class Reason(DocumentPart):
    """A file was refused. `student_id` is null when the name gave none; `account` as in a receipt; `path` is
    the file's path below the inbox.
    """

    schema_version: Literal[1] = 1
    claim_id: str
    filename: str
    path: str
    student_id: str | None
    account: str | None
    reason: str
    sha256: str | None
    at: str


def receipt(task: Task, place: int, estimated: float | None) -> Receipt:
    """The receipt of a new task; `estimated` is its completion in seconds since the epoch, if known."""
    waiting = task.status in OPEN
    return Receipt(
        task_id=task.id,
        student_id=task.student,
        filename=task.filename,
        account=task.account,
        sha256=task.sha256 or None,
        size_bytes=task.size_bytes,
        duration_s=task.duration_s or None,
        claimed_at=to_iso(task.claimed_at),
        place_in_queue=place if waiting else None,
        estimated_completion=to_iso(estimated) if waiting and estimated is not None else None,
    )


def part_bytes(part: DocumentPart) -> bytes:
    """The bytes of a receipt or reason: UTF-8 JSON, two spaces of indent, a newline at the end."""
    return (part.model_dump_json(indent=2) + "\n").encode()
