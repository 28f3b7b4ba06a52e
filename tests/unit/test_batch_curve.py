"""Several requests at a time: what a server's work shows of it, and how near a forecast by that comes."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.forecast.durations import Durations, MeasuredAttempt, MeasuredSwitch, Pace, learn
from daemon.core.forecast.forecast import forecast
from daemon.core.schedule.batch_curve import (
    FIRST_GUESS,
    LEVELS,
    ONE_AFTER_ANOTHER,
    BatchCurve,
    Spent,
    learn_curve,
    spent,
    spent_beside,
)
from daemon.core.schedule.decision import Policy
from daemon.core.schedule.residency import ONE_BY_ONE
from daemon.core.tasks.task import Stage
from tests.unit.scheduling import STT, burst, view_of

Span = tuple[float, float]

NEARLY_FREE = BatchCurve((1.0, 0.97, 0.93, 0.85))
SATURATED = BatchCurve((1.0, 0.62, 0.33, 0.165))
FALLS_AT_EIGHT = BatchCurve((1.0, 0.9, 0.75, 0.3))
OTHERS = [NEARLY_FREE, SATURATED, FALLS_AT_EIGHT, FIRST_GUESS, ONE_AFTER_ANOTHER]

attempts = st.lists(st.tuples(*[st.floats(0.0, 500.0)] * len(LEVELS)), max_size=40)
curves = st.sampled_from(OTHERS)


def served(work: list[float], slots: int, curve: BatchCurve) -> list[Span]:
    """The begin and end of each request, in virtual time, at a server that goes by a curve."""
    now, waiting, spans = 0.0, list(enumerate(work)), {}
    running: dict[int, float] = {}
    while waiting or running:
        while waiting and len(running) < slots:
            place, needs = waiting.pop(0)
            running[place], spans[place] = needs, (now, now)
        share = curve.share(len(running))
        first = min(running, key=lambda each: running[each])
        step = running[first]
        now += step / share
        running = {each: left - step for each, left in running.items() if each != first}
        spans[first] = spans[first][0], now
    return [spans[place] for place in range(len(work))]


def seconds_at(spans: list[Span]) -> list[Spent]:
    return [spent_beside(span, spans) for span in spans]


def uneven(rng: Random, count: int, mean_s: float) -> list[float]:
    return [mean_s * max(0.3, rng.gauss(1.0, 0.1)) for _ in range(count)]


# The curve as a value


@given(curves, st.floats(1.0, 64.0), st.floats(0.0, 8.0))
def test_more_company_never_makes_one_faster(curve: BatchCurve, at_once: float, more: float) -> None:
    assert curve.share(at_once + more) <= curve.share(at_once) + 1e-12


def test_the_first_guess_is_what_was_published_and_goes_on_in_a_line() -> None:
    assert [round(FIRST_GUESS.speedup(level), 2) for level in LEVELS] == [1.0, 1.73, 2.84, 4.18]
    assert FIRST_GUESS.speedup(16) == FIRST_GUESS.speedup(8)


def test_the_fewest_requests_that_are_about_the_fastest_are_the_best() -> None:
    assert [curve.best(8) for curve in OTHERS] == [8, 4, 4, 8, 1]
    assert NEARLY_FREE.best(6) == 6
    assert FALLS_AT_EIGHT.best(3) == 3


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.1, 100)), min_size=1, max_size=12))
def test_the_seconds_at_all_levels_are_the_whole_attempt(begun: list[Span]) -> None:
    spans = [(began, began + took) for began, took in begun]
    for (began, ended), each in zip(spans, seconds_at(spans), strict=True):
        assert sum(each) == pytest.approx(ended - began)
        assert min(each) >= 0


# What is learnt


@given(attempts, st.sampled_from([FIRST_GUESS, ONE_AFTER_ANOTHER]))
def test_whatever_was_seen_the_curve_is_one(seen: list[Spent], guess: BatchCurve) -> None:
    shares = learn_curve(seen, guess).shares
    assert shares[0] == 1.0
    assert all(0.0 < later <= earlier for earlier, later in pairwise(shares))


@given(attempts, st.floats(0.01, 100.0))
def test_a_faster_machine_of_the_same_kind_has_the_same_curve(seen: list[Spent], faster: float) -> None:
    scaled = [tuple(seconds * faster for seconds in each) for each in seen]
    assert learn_curve(scaled).shares == pytest.approx(learn_curve(seen).shares, rel=1e-3)


def test_the_guess_stands_until_something_else_was_seen() -> None:
    assert learn_curve([]) == FIRST_GUESS
    assert learn_curve([spent(20.0, 4)] * 30).shares == pytest.approx(FIRST_GUESS.shares)
    assert learn_curve([spent(20.0, 1)] * 30, ONE_AFTER_ANOTHER) == ONE_AFTER_ANOTHER


def test_attempts_that_had_the_server_for_themselves_say_nothing_of_several() -> None:
    alone = [MeasuredAttempt(20.0, 60.0, spent(20.0, 1.0))] * 30
    assert learn({Stage.EXTRACT: alone, Stage.RATE: alone}, []).curves == {}
    both = [MeasuredAttempt(20.0, 60.0, spent(20.0, 2.0))] * 30
    assert set(learn({Stage.EXTRACT: alone, Stage.RATE: both}, []).curves) == {Stage.RATE}


@pytest.mark.parametrize("curve", OTHERS)
def test_four_classes_show_whether_eight_at_a_time_are_faster_than_four(curve: BatchCurve) -> None:
    for seed in range(5):
        classes = [served(uneven(Random(f"{seed} {n}"), 30, 20.0), 8, curve) for n in range(4)]
        learnt = learn_curve([each for spans in classes for each in seconds_at(spans)])
        gain = learnt.speedup(8) / learnt.speedup(4)
        assert gain == pytest.approx(curve.speedup(8) / curve.speedup(4), rel=0.15)
        assert (learnt.best(8) == 8) == (curve.best(8) == 8) or abs(gain - 1) < 0.15


def test_one_attempt_that_hung_does_not_bend_the_curve() -> None:
    spans = served([20.0] * 60, 8, NEARLY_FREE)
    usual, hung = seconds_at(spans), (0.0, 0.0, 0.0, 600.0)
    tries = [MeasuredAttempt(sum(each), 60.0, each) for each in [*usual, hung]]
    curve = learn({Stage.RATE: tries}, []).paces[Stage.RATE].curve
    assert curve.speedup(8) == pytest.approx(learn_curve(usual).speedup(8), rel=0.1)


# The forecast by it

USUAL_S = {Stage.STT: 4.0, Stage.EXTRACT: 9.0, Stage.RATE: 14.0}
SWITCHES = [MeasuredSwitch(None, group, 5.0) for group in ONE_BY_ONE]


def policy(slots: int) -> Policy:
    return Policy(ONE_BY_ONE, {Stage.STT: 1, Stage.EXTRACT: slots, Stage.RATE: slots}, 45)


def a_class(seed: str, count: int, slots: int, curve: BatchCurve) -> dict[Stage, list[Span]]:
    rng = Random(seed)
    return {s: served(uneven(rng, count, USUAL_S[s]), policy(slots).parallel[s], curve) for s in Stage}


def history(spans: dict[Stage, list[Span]]) -> Durations:
    tries = {
        stage: [MeasuredAttempt(end - begin, 60.0, spent_beside((begin, end), these)) for begin, end in these]
        for stage, these in spans.items()
    }
    return learn(tries, SWITCHES)


def miss(durations: Durations, spans: dict[Stage, list[Span]], slots: int) -> float:
    """By how much of the truth a forecast of a class that goes by `spans` is wrong."""
    ends_s = 15.0 + sum(max(end for _, end in these) for these in spans.values())
    view = view_of(0.0, burst(len(spans[Stage.STT])), None, switch_s=5.0, last_group=STT)
    foreseen = forecast(view, policy(slots), durations).done
    assert foreseen is not None
    return abs(foreseen.expected / ends_s - 1)


@pytest.mark.parametrize("curve", OTHERS)
@pytest.mark.parametrize(("slots", "students"), [(8, 30), (8, 11), (4, 30)])
def test_after_one_class_a_server_of_another_curve_is_foreseen_within_a_twentieth(
    curve: BatchCurve, slots: int, students: int
) -> None:
    for seed in range(5):
        learnt = history(a_class(f"h{seed}", 30, slots, curve))
        assert miss(learnt, a_class(f"t{seed}", students, slots, curve), slots) <= 0.05


@pytest.mark.parametrize("curve", [NEARLY_FREE, SATURATED, ONE_AFTER_ANOTHER])
def test_by_the_first_guess_alone_it_is_not(curve: BatchCurve) -> None:
    guess = Durations(
        {stage: Pace(alone, 60.0, 0.0, (1.0,), FIRST_GUESS) for stage, alone in USUAL_S.items()}, SWITCHES
    )
    assert miss(guess, a_class("t", 30, 8, curve), 8) > 0.15
