"""The forecast: how near it comes, what it learns from, what it costs, and what it says."""

import time
from dataclasses import replace
from random import Random
from statistics import fmean, median

import pytest

from daemon.contracts.wire.status import Clock
from daemon.core.forecast.class_roll import Roll
from daemon.core.forecast.durations import (
    PLANNED,
    Durations,
    MeasuredAttempt,
    MeasuredSwitch,
    learn,
    learn_pace,
)
from daemon.core.forecast.explain import FirstForecast, explain, late, seconds
from daemon.core.forecast.forecast import EXACTLY, Forecast, forecast
from daemon.core.forecast.simulated import Coming, evenly, picture, simulate_class
from daemon.core.forecast.uncertainty import LikelyRange
from daemon.core.schedule.batch_curve import spent
from daemon.core.schedule.decision import Decision, Policy, View, Why
from daemon.core.schedule.phase_state import Batch, Group, PhaseState
from daemon.core.schedule.simulation import simulate
from daemon.core.schedule.timetable import Attempt, SwitchResult, Timetable
from daemon.core.tasks.task import Event, Stage, Status, Task
from daemon.forecast.class_clock import face
from tests.unit.scheduling import (
    APART,
    EVAL,
    EXTRACT,
    PAIRED,
    RATE,
    STT,
    TOGETHER,
    burst,
    in_phase,
    policy,
    task,
    view_of,
)

PLAN_S = {Stage.STT: 10.0, Stage.EXTRACT: 20.0, Stage.RATE: 20.0}
SWITCH_S = 5.0
LANES = Policy(APART, {Stage.STT: 1, Stage.EXTRACT: 4, Stage.RATE: 4}, 20)


def fixed(switch_s: float = SWITCH_S) -> Durations:
    """The plan's durations, with nothing that varies."""
    return replace(PLANNED, switches=(MeasuredSwitch(None, STT, switch_s),))


def true_class(rng: Random, a_policy: Policy, n: int = 30) -> tuple[Timetable, Durations]:
    """A class whose durations are random by a fifth, and what is learnt from it."""
    tries: dict[Stage, list[MeasuredAttempt]] = {stage: [] for stage in Stage}
    switches: list[MeasuredSwitch] = []

    def a_try(a_task: Task) -> Attempt:
        took = PLAN_S[a_task.stage] * max(0.1, rng.gauss(1.0, 0.2))
        tries[a_task.stage].append(
            MeasuredAttempt(took, a_task.duration_s, spent(took, a_policy.parallel[a_task.stage]))
        )
        return Attempt(took)

    def a_switch(leaving: Group | None, entering: Group | None) -> SwitchResult:
        took = SWITCH_S * max(0.1, rng.gauss(1.0, 0.2))
        if entering is not None:
            switches.append(MeasuredSwitch(leaving, entering, took))
        return SwitchResult(took)

    view = view_of(0.0, burst(n), None, switch_s=SWITCH_S)
    timetable = simulate(view, a_policy, tries=a_try, loads=a_switch)
    learnt = learn({stage: some[::-1] for stage, some in tries.items()}, switches[::-1])
    assert learnt is not None
    return timetable, learnt


# How near it comes


@pytest.mark.parametrize("a_policy", [policy(PAIRED), LANES], ids=["in batches of ten", "four at once"])
def test_after_one_class_of_history_the_next_is_foreseen(a_policy: Policy) -> None:
    misses, covered, each = [], 0, []
    for seed in range(40):
        _, learnt = true_class(Random(f"history {seed}"), a_policy)
        truth, _ = true_class(Random(f"truth {seed}"), a_policy)
        expected = forecast(view_of(0.0, burst(30), None, switch_s=SWITCH_S), a_policy, learnt)
        assert expected.done is not None
        misses.append(abs(expected.done.expected / truth.makespan_s - 1))
        covered += expected.done.earliest <= truth.makespan_s <= expected.done.latest
        each.append(fmean(abs(expected.tasks[id].expected / end - 1) for id, end in truth.ended.items()))
    assert median(misses) <= 0.03
    assert sorted(misses)[37] <= 0.08
    assert max(each) <= 0.15
    assert 30 <= covered <= 39, "the range holds about four of five"


def test_a_forecast_made_in_the_middle_comes_to_the_same_end() -> None:
    views: list[View] = []
    a_policy = policy(APART, size=5)
    truth = simulate(
        view_of(0.0, burst(12), None, switch_s=SWITCH_S),
        a_policy,
        tries=lambda t: Attempt(PLAN_S[t.stage]),
        loads=lambda leaving, entering: SwitchResult(SWITCH_S if entering else 0.0),
        watch=lambda view, decision: views.append(view),
    )
    for view in views:
        past = [e for e in truth.entries if e.at <= view.now]
        started = {e.task.id: e.at for e in past if e.task is not None and e.what is Event.STARTED}
        expected = forecast(view, a_policy, fixed(), started=started)
        if expected.done is not None:
            assert expected.done.expected == pytest.approx(truth.makespan_s), view.now


def test_a_try_and_a_switch_under_way_are_counted_from_where_they_are() -> None:
    running = task(1, Status.LLAMA_PROCESSING, attempt=3)
    view = view_of(100.0, (running,), RATE, last_group=RATE)
    assert forecast(view, policy(APART), fixed(), started={1: 85.0}).tasks[1].expected == 105.0
    waiting = replace(running, status=Status.MISTRAL_COMPLETE)
    under_way = view_of(100.0, (waiting,), None, switching_since=98.0, last_group=RATE)
    assert forecast(under_way, policy(APART), fixed()).tasks[1].expected == 123.0


def test_what_a_try_that_runs_long_has_left_is_what_those_had_that_ran_as_long() -> None:
    pace = learn_pace([MeasuredAttempt(10.0, 60.0)] * 9 + [MeasuredAttempt(30.0, 60.0)], by_media=False)
    assert pace.left(60.0, 1.0, 0.0) == pytest.approx(12.0)
    assert pace.left(60.0, 1.0, 11.0) == pytest.approx(19.0)
    assert 0 < pace.left(60.0, 1.0, 100.0) < 12.0


def test_held_tasks_have_no_end_and_a_pause_is_taken_as_ended_now() -> None:
    view = view_of(0.0, (*burst(2), task(3, claimed_at=0.0, held=True)), None, paused=True)
    assert set(forecast(view, policy(), fixed()).tasks) == {1, 2}


def test_the_next_switch_is_foreseen() -> None:
    in_stt = [task(n, Status.STT_PENDING, claimed_at=0.0, batch_id=7) for n in (1, 2)]
    view = view_of(50.0, in_stt, STT, batch=Batch(7), last_group=STT)
    expected = forecast(view, policy(), fixed())
    assert expected.next_switch_at == 70.0
    assert expected.switching_s == SWITCH_S
    assert forecast(view_of(50.0, in_stt[:1], TOGETHER[0]), policy(TOGETHER), fixed()).next_switch_at is None


def test_however_many_are_open_a_forecast_is_bounded_and_each_has_an_end_in_order() -> None:
    tasks = burst(5000)
    forecast(view_of(0.0, burst(EXACTLY), None), policy(), fixed())
    began = time.process_time()
    expected = forecast(view_of(0.0, tasks, None), policy(), fixed())
    assert time.process_time() - began < 1.5, "usually a fifth of a second"
    ends = [expected.tasks[t.id].expected for t in tasks]
    assert ends == sorted(ends)
    assert expected.done is not None
    exact = simulate_class(evenly(400, 0.0, 60.0), policy(), fixed()).ends[-1]
    assert expected.tasks[400].expected == pytest.approx(exact, rel=0.05)
    assert expected.tasks[5000].latest > expected.tasks[5000].expected > expected.tasks[5000].earliest


# What it learns from


def test_beyond_those_that_are_simulated_every_node_counts_by_its_own_policy() -> None:
    tasks = [task(n, claimed_at=0.0) for n in range(1, 501)]
    here, larger = policy(APART, size=10), policy(TOGETHER, size=10)
    alone = forecast(View(0.0, tasks), here, fixed())
    others = {"small": PhaseState(), "large": PhaseState()}
    three = View(0.0, tasks, others=others)
    both = forecast(three, here, fixed(), policies={"large": larger})
    large = forecast(View(0.0, tasks), larger, fixed())
    assert 1 / both.task_s == pytest.approx(2 / alone.task_s + 1 / large.task_s)
    assert alone.done is not None
    assert both.done is not None
    assert both.done.expected < alone.done.expected / 2.5
    leaving = forecast(replace(three, leaving={"large"}), here, fixed(), policies={"large": larger})
    assert leaving.task_s == pytest.approx(alone.task_s / 2)


def test_the_plan_stands_in_for_what_was_not_measured() -> None:
    one = [MeasuredAttempt(10.0, 60.0)]
    partly = learn({Stage.STT: one, Stage.EXTRACT: one, Stage.RATE: []}, [])
    assert partly.paces[Stage.STT] != PLANNED.paces[Stage.STT]
    assert partly.paces[Stage.RATE] == PLANNED.paces[Stage.RATE]
    assert partly.switch_s(None, STT) == PLANNED.switch_s(None, STT) == 5.0


def test_stt_goes_by_the_length_of_the_video_and_the_models_do_not() -> None:
    seen = [MeasuredAttempt(2.0 + 0.1 * media, media) for media in range(30, 80)]
    stt = learn_pace(seen, by_media=True)
    assert stt.seconds(120.0, 1.0) == pytest.approx(14.0, rel=0.02)
    assert stt.seconds(0.0, 1.0) == pytest.approx(fmean(t.seconds for t in seen)), "its length is not known"
    model = learn_pace(seen, by_media=False)
    assert model.seconds(120.0, 1.0) == model.seconds(10.0, 1.0)


def test_of_one_length_alone_it_is_taken_that_twice_as_long_takes_twice_as_long() -> None:
    assert learn_pace([MeasuredAttempt(6.0, 60.0)] * 5, by_media=True).seconds(120.0, 1.0) == pytest.approx(
        12.0
    )


def test_a_try_that_hung_hardly_counts() -> None:
    assert (
        learn_pace(
            [MeasuredAttempt(10.0, 60.0)] * 19 + [MeasuredAttempt(3000.0, 60.0)], by_media=False
        ).mean_s
        < 12.0
    )


def test_how_many_run_at_once_counts_as_in_the_benchmark_until_the_history_tells() -> None:
    alone = learn_pace([MeasuredAttempt(20.0, 60.0)] * 30, by_media=False)
    assert alone.seconds(60.0, 4.0) == pytest.approx(20.0 * 4 / 2.84)
    both = [MeasuredAttempt(20.0, 60.0), MeasuredAttempt(40.0, 60.0, spent(40.0, 2.0))] * 20
    assert learn_pace(both, by_media=False).seconds(60.0, 2.0) == pytest.approx(40.0, rel=0.05)


def test_a_switch_costs_what_it_cost_from_there_to_there() -> None:
    learnt = Durations(
        PLANNED.paces,
        [
            MeasuredSwitch(STT, EXTRACT, 9.0),
            MeasuredSwitch(None, EXTRACT, 4.0),
            MeasuredSwitch(EXTRACT, RATE, 6.0),
        ],
    )
    assert learnt.switch_s(STT, EXTRACT) == 9.0
    assert learnt.switch_s(None, EXTRACT) == 4.0
    assert learnt.switch_s(RATE, EXTRACT) == 6.5, "any to it"
    assert learnt.switch_s(RATE, STT) == 6.0, "any at all"
    assert learnt.switch_s(RATE, None) == 0.0
    assert learnt.round_s(policy(APART)) == 9.0 + 6.0 + 6.0
    assert learnt.round_s(policy(TOGETHER)) == 0.0


# What it says


def foreseen(view: View) -> Forecast:
    return forecast(view, policy(), fixed())


def test_why_it_waits_for_more_uploads_is_said_with_what_waiting_costs_and_saves() -> None:
    one = task(1, Status.STT_COMPLETE, claimed_at=95.0, batch_id=7)
    view = view_of(100.0, (one,), STT, batch=Batch(7, frozenset({1})), switch_s=9.0, last_claim_at=95.0)
    text = explain(view, policy(), Decision((), Why.LINGERING, 104.0), durations=fixed())
    assert text == (
        "waits 4 s for more uploads (1 of 10 in the batch): one switch costs 9 s, "
        "and an upload that comes after it would wait for 30 s"
    )


def test_switching_pausing_backing_off_and_working_are_said() -> None:
    one = task(1, Status.STT_PROCESSING, claimed_at=0.0)
    view = view_of(100.0, (one, *burst(3)[1:]), STT, batch=Batch(1), last_group=STT)
    said = explain(view, policy(), Decision((), Why.WORKING), forecast=foreseen(view))
    assert said == "stt: 1 running, 2 waiting; switches in about 30 s"
    others = {"lab2": PhaseState(), "lab3": PhaseState()}
    eval_too = (*view.tasks, task(9, Status.LLAMA_PROCESSING), task(10, Status.STT_COMPLETE))
    several = replace(view, tasks=eval_too, others=others)
    assert explain(several, policy(), Decision((), Why.WORKING)) == "2 running on 3 nodes, 3 waiting"
    leaving = in_phase(view, switching_since=view.now, last_group=EVAL)
    assert explain(leaving, policy(), Decision((), Why.SWITCHING), durations=fixed()) == (
        "loads extract + rate; that usually takes 5 s"
    )
    paused = replace(view, paused=True)
    assert "2 tasks wait for resume" in explain(paused, policy(), Decision((), Why.PAUSED))
    resting = in_phase(view, rests={EVAL: 160.0})
    assert explain(resting, policy(), Decision((), Why.BACKOFF, 160.0)) == (
        "waits 60 s to retry; extract + rate rests after errors"
    )
    assert explain(view_of(1.0, (), None), policy(), Decision((), Why.IDLE)) == ""


def why_late(view: View, plan: FirstForecast, total: int, durations: Durations) -> str:
    a_policy = policy()
    return late(view, a_policy, durations, forecast(view, a_policy, durations), plan, total)


def test_why_the_deadline_is_at_risk_is_said_with_the_main_cause() -> None:
    view = view_of(100.0, burst(30), None, switch_s=SWITCH_S)
    plan = FirstForecast(30, {stage: fixed().share_s(stage, policy()) for stage in Stage})
    assert why_late(view, plan, 30, fixed()) == "what is left takes 16.9 min, 30 s of it switches"
    assert why_late(view, replace(plan, total=23), 30, fixed()) == "7 more than planned came"
    slow = replace(
        fixed(), paces={**PLANNED.paces, Stage.RATE: replace(PLANNED.paces[Stage.RATE], mean_s=26.0)}
    )
    assert why_late(view, plan, 30, slow) == "rate takes 26 s a video, 20 s were planned"
    assert why_late(replace(view, paused=True), plan, 30, slow) == "paused by the operator"
    assert why_late(in_phase(view, rests={EVAL: 130.0}), plan, 30, slow) == (
        "extract + rate rests for 30 s after errors"
    )


@pytest.mark.parametrize(
    ("given", "said"), [(9.0, "9 s"), (9.46, "9.5 s"), (186.0, "3.1 min"), (8640.0, "2.4 h")]
)
def test_durations_are_said_as_a_person_says_them(given: float, said: str) -> None:
    assert seconds(given) == said


# The clock


def held_in(
    roll: Roll, left: set[int], end: LikelyRange | None, deadline: float | None, now: float = 50.0
) -> Clock:
    clock = face(roll, left, end, deadline, now, lambda: "why")
    assert clock is not None
    return clock


def test_the_class_clock_says_what_there_is_to_spare_and_is_at_risk_before_it_is_too_late() -> None:
    roll, end = Roll(), LikelyRange(100.0, 90.0, 112.0)
    assert face(roll, set(), None, None, 0.0, lambda: "") is None
    roll.born(burst(3), [], 10.0)
    good = held_in(roll, {2, 3}, end, 120.0)
    assert (good.done, good.total, good.spare_s, good.state, good.cause) == (1, 3, 20.0, "on_time", "")
    tight = held_in(roll, {2, 3}, end, 110.0)
    assert (tight.spare_s, tight.state, tight.cause) == (10.0, "at_risk", "why")
    lost = held_in(roll, {2, 3}, end, 95.0)
    assert (lost.spare_s, lost.state) == (-5.0, "late")
    assert held_in(roll, {2, 3}, end, 9.0).deadline is None, "before the class began"


def test_without_a_forecast_only_a_deadline_that_has_passed_is_judged() -> None:
    roll = Roll()
    roll.born(burst(1), [], 10.0)
    unknown = held_in(roll, {1}, None, 60.0)
    assert (unknown.expected_at, unknown.spare_s, unknown.state) == (None, None, "running")
    passed = held_in(roll, {1}, None, 40.0)
    assert (passed.spare_s, passed.state, passed.cause) == (-10.0, "missed", "why")


def test_a_deadline_is_shown_before_there_is_a_class_and_not_after_it_has_passed_without_one() -> None:
    early = held_in(Roll(), set(), None, 60.0)
    assert (early.done, early.total, early.state) == (0, 0, "running")
    assert early.deadline == "1970-01-01T00:01:00.000000Z"
    assert face(Roll(), set(), None, 40.0, 50.0, lambda: "") is None


def test_a_pause_makes_the_clock_neutral_and_hides_no_missed_deadline() -> None:
    roll, end = Roll(), LikelyRange(100.0, 90.0, 112.0)
    roll.born(burst(1), [], 10.0)
    for deadline in (None, 60.0, 95.0, 110.0, 200.0):
        clock = face(roll, {1}, end, deadline, 50.0, lambda: "why", paused=True)
        assert clock is not None
        assert (clock.state, clock.expected_at, clock.spare_s, clock.cause) == ("paused", None, None, "")
    missed = face(roll, {1}, end, 40.0, 50.0, lambda: "why", paused=True)
    assert missed is not None
    assert missed.state == "missed"


def test_a_missed_deadline_clears_with_the_class_or_with_another_deadline() -> None:
    roll = Roll()
    (one,) = burst(1)
    roll.born([one], [], 10.0)
    end = LikelyRange(100.0, 90.0, 112.0)
    assert held_in(roll, {1}, end, 40.0).state == "missed"
    assert held_in(roll, {1}, end, 200.0).state == "on_time"
    assert held_in(roll, {1}, end, None).state == "running"
    roll.moved([replace(one, status=Status.COMPLETED)], [], 60.0)
    late = held_in(roll, set(), None, 40.0)
    assert (late.state, late.spare_s) == ("done", -20.0)


def test_a_class_that_is_done_keeps_its_end() -> None:
    roll = Roll()
    (one,) = burst(1)
    roll.born([one], [], 10.0)
    roll.moved([replace(one, status=Status.COMPLETED)], [], 30.0)
    over = held_in(roll, set(), None, 40.0)
    assert (over.done, over.spare_s, over.state, over.cause) == (1, 10.0, "done", "")
    assert over.expected_at == over.latest_at == "1970-01-01T00:00:30.000000Z"


def test_a_class_of_which_nothing_could_be_rated_ended_when_its_last_came() -> None:
    roll = Roll()
    failed = [replace(one, status=Status.FAILED) for one in burst(2)]
    roll.born(failed[:1], [], 10.0)
    roll.born(failed[1:], [], 30.0)
    assert held_in(roll, set(), None, 40.0).expected_at == "1970-01-01T00:00:30.000000Z"


def test_of_a_class_whose_end_is_not_known_none_is_said() -> None:
    roll = Roll()
    roll.take_up({"began": 10.0, "first": 1}, 2, 0.0, 0.0)
    assert held_in(roll, set(), None, 40.0).expected_at is None


# Simulated classes


@pytest.mark.parametrize(
    ("residency", "size", "llm", "minutes"),
    [
        (APART, 10, 1, 25.0),
        (PAIRED, 10, 1, 16.0),
        (PAIRED, 30, 1, 15.3),
        (APART, 30, 1, 25.0),
        (APART, 30, 2, 16.6),
        (APART, 30, 4, 12.3),  # the last two of thirty have the server for themselves
    ],
)
def test_a_simulated_class_comes_to_the_plans_figures(
    residency: tuple[Group, ...], size: int, llm: int, minutes: float
) -> None:
    result = simulate_class(evenly(30, 0.0, 60.0), policy(residency, size=size, llm=llm), fixed(0.0))
    assert round(result.makespan_s / 60, 1) == minutes
    assert len(result.ends) == 30


def test_a_simulated_class_tells_its_phases_and_draws_them() -> None:
    result = simulate_class(evenly(2, 0.0, 60.0), policy(APART), fixed(10.0))
    told = [(sorted(p.group), p.asked, p.loaded, p.left, p.tries) for p in result.phases]
    assert told == [
        (["stt"], 0.0, 10.0, 30.0, 2),
        (["extract"], 30.0, 40.0, 80.0, 2),
        (["rate"], 80.0, 90.0, 130.0, 2),
    ]
    assert (result.makespan_s, result.switching_s, result.switches) == (130.0, 30.0, 3)
    assert picture(result.phases, 13, 130.0, plain=True) == "-ss-eeee-rrrr"


def test_a_simulated_class_waits_for_those_who_come_late() -> None:
    late_one = [Coming(0.0, "a", 60.0), Coming(600.0, "b", 60.0)]
    result = simulate_class(late_one, policy(PAIRED), fixed())
    assert result.makespan_s > 600.0
    assert result.worst_wait_s == 60.0
    idle = picture(result.phases, 40, result.makespan_s, plain=True)
    assert "     " in idle
