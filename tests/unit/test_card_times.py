"""The class on a card that is not here: computed line by line, and what must hold for the goal."""

from dataclasses import replace

import pytest

from daemon.core.forecast.card_times import (
    GOAL_S,
    LAB_CARD,
    MEDIA_S,
    CardFigures,
    CardLine,
    card_lines,
    computed,
)
from daemon.core.forecast.simulated import evenly, simulate_class
from daemon.core.schedule.decision import Policy
from daemon.core.schedule.memory import KvCache, known_model, whisper_mb
from daemon.core.schedule.residency import MODELS, Plan, PlanInputs, Wish, make_plan
from daemon.core.tasks.task import Stage

QUICK = replace(LAB_CARD, told_s=0.0)


def plan_of(**wish: int) -> Plan:
    wishes = {stage: Wish(kv=KvCache.Q8_0, **wish) for stage in MODELS}
    models = {Stage.EXTRACT: known_model("mistral"), Stage.RATE: known_model("llama3")}
    return make_plan(PlanInputs(LAB_CARD.memory_mb, whisper_mb("base"), models, wishes))


def lines(plan: Plan, card: CardFigures = LAB_CARD, students: int = 30) -> dict[str, CardLine]:
    durations = computed(card, plan, students)
    policy = Policy(plan.groups, {Stage.STT: 1, **plan.parallel}, 40)
    result = simulate_class(evenly(students, 0.0, MEDIA_S), policy, durations)
    return {line.what: line for line in card_lines(card, plan, result)}


def test_the_lines_add_up_to_what_the_scheduler_comes_to() -> None:
    found = lines(plan_of())
    parts = sum(line.takes_s for what, line in found.items() if what != "in all")
    assert found["in all"].takes_s == pytest.approx(parts, rel=0.05)


def test_thirty_in_three_minutes_hold_with_eight_at_a_time_and_a_server_that_tells_tokens_in_time() -> None:
    found = lines(plan_of())
    assert not found_within(found), "Ollama takes too long to tell them"
    most_ms = float(found["rate: likeliest tokens"].must_hold.split()[2])
    in_time = lines(plan_of(), replace(LAB_CARD, told_s=most_ms / 1000))
    assert in_time["in all"].takes_s == pytest.approx(GOAL_S * 30, rel=0.02)
    alone = lines(plan_of(parallel=1), QUICK)
    assert not found_within(alone)
    assert alone["in all"].must_hold.endswith("missed")
    assert alone["switches"].must_hold == "not enough by itself"


def test_a_card_that_just_keeps_what_must_hold_just_meets_the_goal() -> None:
    plan = plan_of()
    slowest = float(lines(plan, QUICK)["stt"].must_hold.split()[2])
    assert lines(plan, replace(QUICK, heard=slowest))["in all"].takes_s == pytest.approx(
        GOAL_S * 30, rel=0.02
    )


def found_within(found: dict[str, CardLine]) -> bool:
    return found["in all"].takes_s <= GOAL_S * 30
