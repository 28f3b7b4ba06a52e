"""Ratings made again: how far they lie apart, which task is next, and that there is an end."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from daemon.core.content.steadiness import SAMPLE, next_again, spread


def test_the_spread_is_the_distance_of_the_extremes_in_each_criterion() -> None:
    ratings = [
        {"clarity_of_speech": 6.0, "overall_rating": 7.25},
        {"clarity_of_speech": 7.5, "overall_rating": 7.0},
    ]
    assert spread(ratings) == {"clarity_of_speech": 1.5, "overall_rating": 0.25}
    assert spread([]) == {}
    assert spread([*ratings, {"overall_rating": 9.0}]) == {"overall_rating": 2.0}


@given(st.sets(st.integers(1, 10_000), max_size=60), st.integers(0, 4))
def test_each_of_a_sample_is_rated_again_so_often_and_then_it_ends(tasks: set[int], times: int) -> None:
    done: Counter[int] = Counter()
    order = []
    while (task := next_again(tasks, done, times)) is not None:
        done[task] += 1
        order.append(task)
        assert max(done.values()) - min(done.get(each, 0) for each in set(order)) <= 1
    assert set(done) <= tasks
    assert len(order) == times * min(SAMPLE, len(tasks))


def test_the_order_is_not_that_of_the_class() -> None:
    done: Counter[int] = Counter()
    order = []
    while (task := next_again(range(1, 31), done, 1)) is not None:
        done[task] += 1
        order.append(task)
    assert order != sorted(order)
