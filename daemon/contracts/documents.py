"""The documents of the outbox."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The kind of a document in the outbox."""

    RESULT = "result"
    RECEIPT = "receipt"
    REASON = "reason"


@dataclass(frozen=True, slots=True)
class Document:
    """The frozen bytes of one file of the outbox, and its path below the outbox."""

    id: int
    kind: Kind
    name: str
    content: bytes
    task_id: int | None = None
