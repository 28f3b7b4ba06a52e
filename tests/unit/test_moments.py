"""Times as an operator says them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from daemon.cli.time_parsing import deadline

NOW = datetime(2026, 3, 4, 10, 20, 30, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("10:45", datetime(2026, 3, 4, 9, 45, tzinfo=UTC)),
        ("9:05", datetime(2026, 3, 4, 8, 5, tzinfo=UTC)),
        ("03:00", datetime(2026, 3, 5, 2, 0, tzinfo=UTC)),
        ("+15m", datetime(2026, 3, 4, 9, 35, 30, tzinfo=UTC)),
        ("+1h30m", datetime(2026, 3, 4, 10, 50, 30, tzinfo=UTC)),
        ("+2h", datetime(2026, 3, 4, 11, 20, 30, tzinfo=UTC)),
    ],
)
def test_a_time_is_understood(text: str, utc: datetime) -> None:
    assert deadline(text, NOW) == utc


def test_none_takes_the_deadline_away() -> None:
    assert deadline("none", NOW) is None


@pytest.mark.parametrize("text", ["", "+", "25:00", "10:60", "soon", "15m", "+15", "10:45:00", "+h"])
def test_what_is_no_time_is_an_error_that_shows_one(text: str) -> None:
    with pytest.raises(ValueError, match="10:45"):
        deadline(text, NOW)
