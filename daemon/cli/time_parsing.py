"""Parses the times that an operator writes: `10:45`, `+15m`, `none`."""

import re
from datetime import datetime, timedelta

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_SPAN = re.compile(r"\+(?:(\d{1,3})h)?(?:(\d{1,4})m)?")
_BACK = timedelta(hours=6)


def deadline(text: str, now: datetime) -> datetime | None:
    """Parse a deadline; None for `none`. The answer has the time zone of `now`.

    A clock time in the past means tomorrow, unless it is less than six hours ago: that is a missed deadline.
    Raises ValueError for any other text.
    """
    if text == "none":
        return None
    if (clock := _CLOCK.fullmatch(text)) is not None:
        at = now.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
        return at if now - at < _BACK else at + timedelta(days=1)
    span = _SPAN.fullmatch(text)
    if span is not None and any(span.groups()):
        return now + timedelta(hours=int(span[1] or 0), minutes=int(span[2] or 0))
    raise ValueError(f"{text!r} is no time: use a form such as 10:45, +15m, +1h30m or none")
