"""Points in time: seconds since the epoch inside, UTC in ISO 8601 outside.

The text has microseconds and ends in `Z`, so that all texts have one width and sort as the times do.
"""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WIDTH = len("1970-01-01T00:00:00.000000Z")


def to_iso(seconds: float) -> str:
    """`2026-01-31T12:00:00.000000Z` for seconds since the epoch."""
    moment = _EPOCH + timedelta(microseconds=round(seconds * 1_000_000))
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def from_iso(text: str) -> float:
    """Seconds since the epoch for a text of `to_iso`. Raises ValueError for another text."""
    if len(text) != _WIDTH or not text.endswith("Z"):
        raise ValueError(f"{text!r} is no time in this format")
    moment = datetime.fromisoformat(text)
    return (moment - _EPOCH) / timedelta(microseconds=1) / 1_000_000


def from_text(text: str) -> float:
    """Seconds since the epoch for any ISO 8601 text with its zone, of this century.

    Raises ValueError for another text.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or not 2000 <= moment.year < 2100:
        raise ValueError(f"{text!r} has no zone, or is not of this century")
    return (moment - _EPOCH).total_seconds()
