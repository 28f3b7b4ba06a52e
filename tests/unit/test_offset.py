"""The offset and its interval: their properties, and what they do to classes whose bias is known."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.agreement.anchors import LEAST, MOST, pick
from daemon.core.agreement.offset import LEAST_FOR_INTERVAL, half_width, moved, offset
from tests.simulated_classes import Kind, many, simulated

differences = st.lists(st.floats(-9, 9), max_size=25)
SEED = 9_000_000  # none that the method was chosen by

PEOPLE = Kind()
FIRM = Kind(people=0.5, model=0.4)
HIGH = Kind(spread=2.2, middle=7.5)  # many at the upper end of the scale
LARGE = Kind(students=60)


def test_ten_anchors_leave_little_of_the_bias() -> None:
    left, held = many(10, SEED, Kind(students=20))
    assert left <= 0.3
    assert 0.88 <= held <= 0.92


@pytest.mark.parametrize("kind", [PEOPLE, FIRM, HIGH, LARGE])
@pytest.mark.parametrize("anchors", [9, 10, 12, 15])
def test_the_interval_holds_nine_tenths_of_what_people_say_of_the_others(anchors: int, kind: Kind) -> None:
    assert 0.88 <= many(anchors, SEED + 10_000 * anchors, kind)[1] <= 0.92


@pytest.mark.parametrize("anchors", [16, 18, 19, 20])
def test_it_holds_as_many_where_the_rank_falls_between_two_anchors(anchors: int) -> None:
    assert 0.88 <= many(anchors, SEED + 10_000 * anchors, LARGE)[1] <= 0.92


@pytest.mark.parametrize("anchors", range(9))
def test_below_nine_anchors_there_is_no_interval(anchors: int) -> None:
    assert half_width([0.1 * at for at in range(anchors)]) is None
    assert simulated(SEED, anchors).held is None


@given(differences)
def test_an_offset_is_no_greater_than_the_mean_difference_and_of_its_sign(given: list[float]) -> None:
    by = offset(given)
    mean = math.fsum(given) / len(given) if given else 0.0
    assert abs(by) <= abs(mean)
    assert by * mean >= 0


@given(st.floats(0.5, 3))
def test_more_anchors_that_say_the_same_are_believed_more(difference: float) -> None:
    offsets = [offset([difference] * n) for n in range(1, 30)]
    assert offsets == sorted(offsets)
    assert difference - offsets[-1] < 0.2 * difference


def test_one_anchor_or_noise_proves_no_offset() -> None:
    assert offset([]) == 0
    assert offset([1.0]) == 0
    assert offset([3, -2, 1, -3, 2, -1, 0.5]) == 0


@given(differences, st.lists(st.floats(1, 10), min_size=2, max_size=20))
def test_a_corrected_score_stays_on_the_scale_and_keeps_the_order(
    given: list[float], scores: list[float]
) -> None:
    corrected = [moved(score, offset(given)) for score in sorted(scores)]
    assert corrected == sorted(corrected)
    assert all(1 <= score <= 10 for score in corrected)


@given(st.lists(st.floats(-9, 9), min_size=LEAST_FOR_INTERVAL, max_size=25))
def test_the_interval_is_no_wider_than_the_farthest_anchor_and_knows_no_order(given: list[float]) -> None:
    half = half_width(given)
    assert half is not None
    distances = [abs(each - offset([*given[:at], *given[at + 1 :]])) for at, each in enumerate(given)]
    assert 0 <= half <= max(distances)
    assert half_width(given[::-1]) == pytest.approx(half)


@given(st.dictionaries(st.integers(1, 10**6), st.floats(1, 10), max_size=90))
def test_ten_to_twenty_tasks_are_picked_over_the_whole_range(expected: dict[int, float]) -> None:
    picked = pick(expected)
    assert picked == sorted(set(picked))
    assert set(picked) <= expected.keys()
    assert len(picked) == min(len(expected), max(LEAST, min(MOST, len(expected) // 2)))
    ranked = sorted(expected, key=lambda task: (expected[task], task))
    places = [ranked.index(task) for task in picked]
    gaps = [after - before for before, after in zip(sorted(places), sorted(places)[1:], strict=False)]
    assert not gaps or max(gaps) <= len(expected) / len(picked) + 1
    assert pick(dict(reversed(expected.items()))) == picked
