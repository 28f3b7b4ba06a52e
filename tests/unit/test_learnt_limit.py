"""A limit that learns: never too short for ever, never below the usual, forgotten when it is not needed."""

from hypothesis import given
from hypothesis import strategies as st

from daemon.core.learnt_limit import TIMES, LearntLimit

usual = st.floats(0.1, 1000)
took = st.floats(0, 100_000)


@given(usual, st.lists(took, max_size=30))
def test_it_is_at_least_the_usual_one_and_a_multiple_of_the_latest_that_passed(
    usual: float, passed: list[float]
) -> None:
    limit = LearntLimit(usual)
    for each in passed:
        limit = limit.passed(each)
        assert limit.now >= max(usual, TIMES * each)
    assert limit.now <= max([usual, *(TIMES * each for each in passed)])


@given(usual, st.floats(1.0, 7.9))
def test_what_takes_up_to_eight_times_the_usual_limit_passes_after_a_few_attempts(
    usual: float, times: float
) -> None:
    limit, attempts = LearntLimit(usual), 1
    while limit.now < usual * times:
        limit, attempts = limit.ran_out(limit.now), attempts + 1
    assert attempts <= 4
    assert limit.passed(usual * times).now >= TIMES * usual * times * 0.99


@given(usual, took)
def test_an_attempt_that_ran_out_gets_twice_as_long_but_what_never_passes_is_not_waited_for_without_end(
    usual: float, shown: float
) -> None:
    limit = LearntLimit(usual).passed(shown)
    most = max(8 * usual, limit.now)
    for _ in range(20):
        longer = limit.ran_out(limit.now)
        assert longer.now >= min(2 * limit.now, most) * 0.99
        limit = longer
    assert limit.now <= most * 1.01


@given(usual, st.integers(1, 8))
def test_attempts_that_run_out_together_double_it_once(usual: float, at_once: int) -> None:
    limit = LearntLimit(usual)
    for _ in range(at_once):
        limit = limit.ran_out(usual)
    assert limit.now == 2 * usual


@given(usual, took)
def test_what_was_learnt_is_forgotten_by_those_that_pass_quickly(usual: float, shown: float) -> None:
    limit = LearntLimit(usual).passed(shown)
    for _ in range(200):
        limit = limit.passed(0)
    assert limit.now == usual
