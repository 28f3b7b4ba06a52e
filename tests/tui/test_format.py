import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from introeval_tui.rows.format import (
    ahead,
    bar,
    clock,
    coarse,
    day,
    gigabytes,
    number,
    parse,
    size,
    took,
    tower,
)
from introeval_tui.screens.deadline import BadDeadline, read_deadline

SECONDS = st.floats(-1e9, 1e9)


@given(SECONDS)
def test_durations_are_never_longer_than_seven_letters(seconds: float) -> None:
    assert len(coarse(seconds)) <= 9
    assert seconds > 8e6 or len(ahead(seconds)) <= 7


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "-"),
        (0, "0s"),
        (48, "40s"),
        (119, "110s"),
        (120, "2m"),
        (3900, "1h05"),
        (90_000, "1d01h"),
        (-5, "0s"),
    ],
)
def test_an_age_is_coarse(seconds: float | None, said: str) -> None:
    assert coarse(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "-"), (-1, "now"), (1, "10s"), (52, "60s"), (120, "120s"), (700, "~12m"), (4000, "~1h07")],
)
def test_what_is_ahead_is_rounded_up(seconds: float | None, said: str) -> None:
    assert ahead(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(None, "-"), (0.44, "0.4s"), (41.9, "41s"), (182, "3m02s"), (3900, "1h05")]
)
def test_what_is_over_is_exact(seconds: float | None, said: str) -> None:
    assert took(seconds) == said


def test_a_minute_changes_at_most_six_texts() -> None:
    assert len({coarse(seconds) for seconds in range(60)}) == 6


@given(st.floats(0, 1), st.integers(1, 60))
def test_a_bar_is_full_only_at_the_end(share: float, width: int) -> None:
    said = bar(share, width)
    assert len(said) == width
    assert share == 1 or width == 1 or "░" in said
    assert share == 0 or "█" in said


@given(st.lists(st.none() | st.floats(0, 200), max_size=30), st.integers(1, 6))
def test_a_graph_is_as_wide_as_its_values_and_as_high_as_it_is_to_be(
    values: list[float | None], height: int
) -> None:
    lines = tower(values, 100.0, height)
    assert [len(line) for line in lines] == [len(values)] * height


def test_a_graph_shows_small_full_and_missing_values() -> None:
    assert tower([0, 50, 100, None], 100, 1) == ["▁▄█ "]
    assert tower([100, 40], 100, 2) == ["█ ", "█▆"]


@given(st.text(max_size=40))
def test_a_time_that_cannot_be_read_is_none(text: str) -> None:
    at = parse(text)
    assert at is None or math.isfinite(at)


def test_times_and_amounts(monkeypatch: pytest.MonkeyPatch) -> None:
    at = parse("2026-01-31T12:00:00.000000Z")
    assert at is not None
    assert clock(None) == clock(float("inf")) == number(None) == "-"
    assert len(clock(at, seconds=True)) == 8
    assert day(at, at) == clock(at, seconds=True)
    assert day(at, at + 200_000).startswith("31 Jan")
    assert (size(310_000_000), size(5), gigabytes(7066), number(71.4, "C")) == ("310 MB", "5 B", "6.9", "71C")


def test_a_deadline_is_a_time_of_today_or_tomorrow() -> None:
    noon = parse("2026-01-31T12:00:00+00:00")
    assert noon is not None
    for said in ("0:05", "23.55", "12:30"):
        found = parse(read_deadline(said, noon).decode().split('"')[3])
        assert found is not None
        assert 0 < found - noon <= 86_400
    assert read_deadline("  ", noon) == b'{"at": null}'


@pytest.mark.parametrize("said", ["soon", "25:00", "10:75", "1030"])
def test_another_text_is_no_deadline(said: str) -> None:
    with pytest.raises(BadDeadline):
        read_deadline(said, 0.0)
