"""Formats numbers and times in few cells. Times are seconds since the epoch; an unknown value is "-".

Durations are coarse on purpose: a figure that changes every second in every row makes a dashboard costly
over a slow line.
"""

import time
from collections.abc import Sequence
from datetime import datetime

NONE = "-"
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_STEP_S = 10
_FINE_S = 120


def parse(iso: str | None) -> float | None:
    """Seconds since the epoch for an ISO 8601 time; None for None, and for one that cannot be parsed."""
    if not iso:
        return None
    try:
        return datetime.fromisoformat(iso).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def clock(at: float | None, *, seconds: bool = False) -> str:
    """`14:02` or `14:02:11`, in the local time zone."""
    if at is None:
        return NONE
    try:
        return time.strftime("%H:%M:%S" if seconds else "%H:%M", time.localtime(at))
    except (ValueError, OverflowError, OSError):
        return NONE


def day(at: float, now: float) -> str:
    """`14:02:11` today and `30 Jan 14:02` on another day."""
    today = time.localtime(at)[:3] == time.localtime(now)[:3]
    return clock(at, seconds=True) if today else time.strftime("%d %b %H:%M", time.localtime(at))


def coarse(seconds: float | None) -> str:
    """A duration in steps of 10 s up to two minutes, then of minutes, hours and days: `40s`, `6m`, `1h05`."""
    if seconds is None:
        return NONE
    whole = max(0, int(seconds))
    if whole < _FINE_S:
        return f"{whole - whole % _STEP_S}s"
    return _long(whole)


def ahead(seconds: float | None) -> str:
    """The seconds until a time, coarse and rounded up: `10s`, `~6m`; `now` when it is past."""
    if seconds is None:
        return NONE
    if seconds <= 0:
        return "now"
    if seconds <= _FINE_S:
        return f"{-int(-seconds // _STEP_S) * _STEP_S}s"
    return f"~{_long(int(seconds) + 30)}"


def took(seconds: float | None) -> str:
    """A finished duration, in useful precision: `0.4s`, `41s`, `3m02s`, `1h05`."""
    if seconds is None:
        return NONE
    if seconds < 10:
        return f"{max(0.0, seconds):.1f}s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    return f"{whole // 60}m{whole % 60:02d}s" if whole < 3600 else _long(whole)


def _long(whole: int) -> str:
    if whole < 3600:
        return f"{whole // 60}m"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def size(count: float) -> str:
    """A number of bytes with the largest fitting unit: `310 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.0f} TB"


def gigabytes(megabytes: float | None) -> str:
    """`6.9` for 7065 MB."""
    return NONE if megabytes is None else f"{megabytes / 1024:.1f}"


def number(value: float | None, unit: str = "") -> str:
    """A rounded figure with its unit, or "-"."""
    return NONE if value is None else f"{value:.0f}{unit}"


def bar(share: float, width: int) -> str:
    """`██████░░░░` for a share of 0.6. It is full only at 1, and empty only at 0."""
    share = min(1.0, max(0.0, share))
    full = int(share * width)
    if share > 0 and full == 0:
        full = 1
    return "█" * full + "░" * (width - full)


def tower(values: Sequence[float | None], top: float, height: int) -> list[str]:
    """A bar graph as `height` lines, top line first: one cell for each value, in eighths, up to `top`."""
    lines = []
    for floor in range(height - 1, -1, -1):
        line = ""
        for value in values:
            eighths = 0 if value is None or top <= 0 else max(1, round(8 * height * value / top)) - 8 * floor
            line += _EIGHTHS[max(0, min(8, eighths))]
        lines.append(line)
    return lines
