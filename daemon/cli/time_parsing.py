"""Times as an operator says them: `10:45`, `+15m`, `none`."""

import re
from datetime import datetime, timedelta

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_SPAN = re.compile(r"\+(?:(\d{1,3})h)?(?:(\d{1,4})m)?")
_BACK = timedelta(hours=6)


def deadline(text: str, now: datetime) -> datetime | None:
    """The time that is meant, or None for `none`; `now` has a zone, in which the answer is.

    A time of the clock that is over is meant for tomorrow, unless it was within the last six hours: then it
    is a deadline that was missed. Raises ValueError for what is no such text.
    """
    if text == "none":
        return None
    if (clock := _CLOCK.fullmatch(text)) is not None:
        at = now.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
        return at if now - at < _BACK else at + timedelta(days=1)
    span = _SPAN.fullmatch(text)
    if span is not None and any(span.groups()):
        return now + timedelta(hours=int(span[1] or 0), minutes=int(span[2] or 0))
    raise ValueError(f"{text!r} is no time: say one as in 10:45, +15m, +1h30m or none")
