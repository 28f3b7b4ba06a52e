"""Parses the times that an operator writes: `10:45`, `+15m`, `none`, `yesterday`, `2026-11-27`."""

import re
from datetime import date, datetime, timedelta

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_MOMENT = re.compile(_CLOCK.pattern + r"(?::([0-5]\d))?")
_SPAN = re.compile(r"\+(?:(\d{1,3})h)?(?:(\d{1,4})m)?")
_DATED = re.compile(rf"(\d{{4}}-\d\d-\d\d)[ T]{_CLOCK.pattern}")
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
    if (dated := _DATED.fullmatch(text)) is not None:
        try:
            return local(date.fromisoformat(dated[1]), int(dated[2]), int(dated[3]))
        except ValueError:
            pass  # no day of the calendar: told below
    span = _SPAN.fullmatch(text)
    if span is not None and any(span.groups()):
        return now + timedelta(hours=int(span[1] or 0), minutes=int(span[2] or 0))
    raise ValueError(f"{text!r} is no time: use a form such as 10:45, 2026-11-27 10:45, +15m, +1h30m or none")


def day_name(text: str, now: datetime) -> str:
    """The date of `today` and `yesterday`; any other text as it is."""
    return day(text, now).date().isoformat() if text in ("today", "yesterday") else text


def day(text: str, now: datetime) -> datetime:
    """The begin of a day: `today`, `yesterday` or a date, in the time zone of `now`. Raises ValueError."""
    back = {"today": 0, "yesterday": 1}.get(text)
    try:
        chosen = date.fromisoformat(text) if back is None else now.date() - timedelta(days=back)
    except ValueError:
        raise ValueError(f"{text!r} is no day: use today, yesterday or a date such as 2026-11-27") from None
    return local(chosen, 0, 0)


def moment(text: str, of: date) -> datetime:
    """A clock time of a day, in the local time zone, as `10:45` or `10:45:30`. Raises ValueError."""
    if (found := _MOMENT.fullmatch(text)) is None:
        raise ValueError(f"{text!r} is no time of the day: use a form such as 10:45")
    return local(of, int(found[1]), int(found[2]), int(found[3] or 0))


def local(of: date, hour: int, minute: int, second: int = 0) -> datetime:
    """A time of a day with its offset on that day, which a change of the clocks may have moved."""
    return datetime(of.year, of.month, of.day, hour, minute, second).astimezone()
