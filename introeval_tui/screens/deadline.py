"""Parses a deadline as an operator writes it. Pure."""

import json
import re
import time
from datetime import datetime

_DAY_S = 86_400


class BadDeadline(ValueError):
    """The text is not a deadline; the message says what is."""


def read_deadline(said: str, now: float) -> bytes:
    """The JSON body of the request. `HH:MM` is today, or tomorrow when that is past; empty is no deadline.

    Raises BadDeadline.
    """
    said = said.strip()
    if not said:
        return json.dumps({"at": None}).encode()
    match = re.fullmatch(r"(\d{1,2})[:.](\d{2})", said)
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise BadDeadline("no deadline was set; write a time such as 10:45, or nothing to remove it")
    parts = list(time.localtime(now))
    parts[3:6] = [int(match[1]), int(match[2]), 0]
    parts[8] = -1
    at = time.mktime(time.struct_time(parts))
    if at <= now:
        at += _DAY_S
    return json.dumps({"at": datetime.fromtimestamp(at).astimezone().isoformat()}).encode()
