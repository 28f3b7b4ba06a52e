"""Measures of agreement: the same as those of scikit-learn, SciPy and the krippendorff package."""

import math
import warnings
from collections.abc import Sequence

import krippendorff
import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from daemon.core.agreement import statistics
from daemon.core.agreement.measures import THRESHOLDS, Marks, Measure, Threshold, agreement

scores = st.integers(1, 10)
pairs = st.lists(st.tuples(scores, scores), max_size=40)
decimals = st.lists(st.tuples(scores, st.floats(1, 10).map(lambda x: round(x, 4))), max_size=40)
units = st.integers(1, 4).flatmap(
    lambda raters: st.lists(st.lists(st.none() | scores, min_size=raters, max_size=raters), max_size=25)
)


def same(ours: float | None, theirs: float) -> None:
    """Equal to 1e-9; NaN of a reference is our None."""
    assert (ours is None) == math.isnan(theirs)
    assert ours is None or ours == pytest.approx(theirs, abs=1e-9)


@given(pairs)
@example([(5, 5), (5, 5)])
@example([(5, 6)])
@example([(5, 5)])
def test_kappa_is_that_of_scikit_learn(given: list[tuple[int, int]]) -> None:
    if not given:
        assert statistics.kappa(given) is None
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = cohen_kappa_score(*zip(*given, strict=True), labels=range(1, 11), weights="quadratic")
    same(statistics.kappa(given), theirs)


@given(decimals)
@example([(5, 5.0)])
@example([(5, 5.0), (5, 7.0)])
@example([(1, 2.9531), (1, 2.9531), (2, 2.9531)])
def test_the_correlation_is_that_of_scipy(given: list[tuple[int, float]]) -> None:
    ours = statistics.pearson(given)
    if len(given) < 2 or any(len(set(side)) == 1 for side in zip(*given, strict=True)):
        assert ours is None
        return
    # Nearly constant: both lose digits there, SciPy says so.
    assume(all(np.std(side) > 1e-3 for side in zip(*given, strict=True)))
    same(ours, stats.pearsonr(*zip(*given, strict=True)).statistic)


@given(decimals)
def test_the_standardised_difference_is_that_of_numpys_variances(given: list[tuple[int, float]]) -> None:
    ours = statistics.standardised_difference(given)
    if len(given) < 2:
        assert ours is None
        return
    people, model = (np.array(side, dtype=float) for side in zip(*given, strict=True))
    spread = math.sqrt((np.var(people, ddof=1) + np.var(model, ddof=1)) / 2)
    assume(spread == 0 or spread > 1e-3)
    same(ours, math.nan if spread == 0 else (model.mean() - people.mean()) / spread)


@given(units)
@example([])
@example([[5, 5], [5, 5]])
@example([[5, None], [None, 5]])
@example([[1, 10]])
def test_alpha_is_that_of_the_krippendorff_package(given: list[list[int | None]]) -> None:
    known = [value for row in given for value in row if value is not None]
    paired = [row for row in given if sum(value is not None for value in row) > 1]
    ours = statistics.alpha(given)
    if len({value for row in paired for value in row if value is not None}) < 2:
        assert ours is None
        return
    assert known
    table = np.array([[math.nan if v is None else v for v in row] for row in paired], dtype=float).T
    theirs = krippendorff.alpha(reliability_data=table, level_of_measurement="interval")
    same(ours, float(theirs))


@given(pairs)
def test_adjacent_agreement_and_the_mean_difference_count(given: list[tuple[int, int]]) -> None:
    if not given:
        assert statistics.adjacent(given) is None
        assert statistics.mean_difference(given) is None
        return
    same(statistics.adjacent(given), float(np.mean([abs(a - b) < 2 for a, b in given])))
    same(statistics.mean_difference(given), float(np.mean([b - a for a, b in given])))


def test_the_kappa_of_people_is_the_mean_over_their_pairs() -> None:
    rows: list[list[float | None]] = [[1.0, 2.0, None], [3.0, 3.0, 4.0], [8.0, 9.0, 7.0], [None, 5.0, 6.0]]
    both = [
        cohen_kappa_score(a, b, labels=range(1, 11), weights="quadratic")
        for a, b in (([1, 3, 8], [2, 3, 9]), ([3, 8], [4, 7]), ([3, 9, 5], [4, 7, 6]))
    ]
    same(statistics.kappa_of_people(rows), sum(both) / 3)
    assert statistics.kappa_of_people([[1.0], [2.0]]) is None


def draws(n: int) -> Sequence[Sequence[int]]:
    chosen = np.random.default_rng(3)
    return [chosen.integers(0, n, n).tolist() for _ in range(200)]


@given(
    st.lists(st.tuples(st.floats(1, 10), st.lists(st.none() | scores, min_size=2, max_size=2)), max_size=12)
)
def test_every_measure_has_a_figure_or_says_that_it_is_not_defined(
    given: list[tuple[float, list[int | None]]],
) -> None:
    marks = [Marks(model, tuple(people)) for model, people in given if any(people)]
    for measure, found in agreement(marks, lambda n: draws(n)[:10]).items():
        assert found.value is None or math.isfinite(found.value)
        if found.value is None:
            assert (found.interval, found.reached, found.certain) == (None, None, False)
        if found.interval is not None:
            assert found.interval[0] <= found.interval[1]
        assert (found.reached is not None) == (found.value is not None and measure in THRESHOLDS)


def test_an_interval_holds_the_figure_and_a_far_threshold_is_certain() -> None:
    marks = [Marks(score + 0.2, (score, score)) for score in (2.0, 3, 4, 5, 6, 7, 8, 9, 5, 6)]
    found = agreement(marks, draws)
    kappa = found[Measure.KAPPA]
    assert kappa.interval is not None
    assert kappa.value is not None
    assert kappa.interval[0] <= kappa.value <= kappa.interval[1]
    assert (kappa.reached, kappa.certain) == (True, True)
    assert found[Measure.ALPHA].value == 1
    opposite = [Marks(11 - mark.person, mark.people) for mark in marks]
    worst = agreement(opposite, draws)[Measure.KAPPA]
    assert (worst.reached, worst.certain) == (False, True)


@pytest.mark.parametrize(
    ("interval", "certain"),
    [((-0.1, 0.1), True), ((-0.2, 0.1), False), ((-0.9, 0.9), False), ((0.2, 0.9), True)],
)
def test_a_threshold_is_sure_when_all_of_the_interval_says_the_same(
    interval: tuple[float, float], certain: bool
) -> None:
    assert Threshold(-0.15, 0.15).certain(interval) is certain


def test_measures_of_people_are_there_for_two_raters_only() -> None:
    alone = agreement([Marks(5.0, (6.0,)), Marks(7.0, (8.0,))], draws)
    assert Measure.ALPHA not in alone
    assert alone[Measure.DIFFERENCE].value == -1
