"""A deadline as an operator writes it. Pure."""

import json
import re
import time
from datetime import datetime

_DAY_S = 86_400


class BadDeadline(ValueError):
    """What was written is no time; the message says what is."""


def read_deadline(said: str, now: float) -> bytes:
    """The body of the request for `HH:MM` (today, or tomorrow when that is past), or for nothing: none.

    Raises Unreadable.
    """
    said = said.strip()
    if not said:
        return json.dumps({"at": None}).encode()
    match = re.fullmatch(r"(\d{1,2})[:.](\d{2})", said)
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise BadDeadline("a deadline is a time such as 10:45; nothing takes it away")
    parts = list(time.localtime(now))
    parts[3:6] = [int(match[1]), int(match[2]), 0]
    parts[8] = -1
    at = time.mktime(time.struct_time(parts))
    if at <= now:
        at += _DAY_S
    return json.dumps({"at": datetime.fromtimestamp(at).astimezone().isoformat()}).encode()
