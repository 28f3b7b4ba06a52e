"""The speed while working."""

from hypothesis import given
from hypothesis import strategies as st

from daemon.core.forecast.speed import LoadedSpan, working_s

SPANS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 60)).map(lambda at: (at[0], at[0] + at[1])))


def test_what_runs_at_once_is_counted_once_and_what_rests_not_at_all() -> None:
    assert working_s([], []) == 0
    assert working_s([(0, 10), (5, 12), (6, 8), (100, 110)], []) == 22


def test_a_switch_counts_with_the_attempts_that_it_was_for() -> None:
    first = LoadedSpan(0, 5, 30)
    unused = LoadedSpan(31, 40, 60)
    lasting = LoadedSpan(90, 95, None)
    assert working_s([(5, 25), (96, 100)], [first, unused, lasting]) == 5 + 20 + 5 + 4


@given(SPANS)
def test_it_is_the_number_of_seconds_in_which_something_ran(spans: list[tuple[int, int]]) -> None:
    busy = {second for began, ended in spans for second in range(began, ended)}
    assert working_s(spans, []) == len(busy)
