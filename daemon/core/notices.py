"""Notices: what the lab's own programs are told of a task, and how the receiver knows that it is ours.

Signatures follow the Standard Webhooks specification, version 1 (standardwebhooks.com).
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from daemon.core.timestamps import to_iso

REST_MOST_S = 300.0
_REST_FIRST_S = 2.0
_SECRET_BYTES = 24


class NoticeKind(StrEnum):
    """An event of a task that a notice tells of."""

    OUTCOME = "outcome"
    DELIVERY = "delivery"
    DECISION = "decision"


class Receiver(StrEnum):
    """Who is told."""

    COMMAND = "command"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class NoticeFilter:
    """The notices that are kept for sending: for whom, and of which kinds."""

    receivers: tuple[Receiver, ...] = ()
    kinds: frozenset[NoticeKind] = frozenset(NoticeKind)


@dataclass(frozen=True, slots=True)
class TaskNotice:
    """A notice that waits for its receiver. `key` is the event's, the same for each receiver and attempt."""

    id: int
    key: str
    receiver: Receiver
    kind: NoticeKind
    task_id: int
    student: str
    revision: int
    at: float
    said: Mapping[str, object]
    tries: int
    not_before: float

    def body(self) -> bytes:
        """The JSON that is sent, the same bytes at each attempt."""
        told = {
            "id": self.key,
            "kind": self.kind,
            "at": to_iso(self.at),
            "task_id": self.task_id,
            "student_id": self.student,
            "revision": self.revision,
        }
        return json.dumps({**told, **self.said}, ensure_ascii=False).encode() + b"\n"


def rest_s(tries: int) -> float:
    """Seconds to wait after the n-th attempt at a notice failed: 2, 4, 8, ... 300."""
    return min(REST_MOST_S, _REST_FIRST_S * 2.0 ** min(tries - 1, 10))


def secret_of(text: str) -> bytes:
    """The key in the text of a secret file: base64, as `openssl rand -base64 32` writes it. Raises ValueError
    with what is wrong.
    """
    try:
        key = base64.b64decode(text.strip().removeprefix("whsec_"), validate=True)
    except binascii.Error as exc:
        raise ValueError("it is not base64") from exc
    if len(key) < _SECRET_BYTES:
        raise ValueError(f"it has {len(key)} bytes, and {_SECRET_BYTES} are the least")
    return key


def signed(key: str, at_s: int, body: bytes, secret: bytes) -> dict[str, str]:
    """The headers of a notice that is sent at `at_s`, in seconds since the epoch."""
    digest = hmac.new(secret, f"{key}.{at_s}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": key,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
