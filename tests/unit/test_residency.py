"""Which engines share the GPU, how many requests at a time, with which context: values in, values out."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.schedule import batch_curve
from daemon.core.schedule.batch_curve import FIRST_GUESS, BatchCurve
from daemon.core.schedule.memory import KNOWN, MB, KvCache, ModelNeed, capacity_mb, known_model, whisper_mb
from daemon.core.schedule.residency import (
    CONTEXTS,
    MODELS,
    ONE_BY_ONE,
    SIDE_BY_SIDE,
    TOGETHER,
    Plan,
    PlanInputs,
    Wish,
    best_cache,
    context_for,
    lower,
    make_plan,
    with_cache,
)
from daemon.core.schedule.server_setup import ServerSetup
from daemon.core.tasks.task import Stage

STT, EXTRACT, RATE = Stage
RTX_3060_TI, RTX_3090, A100 = 8192.0, 24564.0, 81559.0


def asked(card_mb: float | None, *, longest: dict[Stage, int] | None = None, **wish: Any) -> PlanInputs:
    return PlanInputs(
        card_mb,
        whisper_mb("base"),
        {EXTRACT: known_model("mistral"), RATE: known_model("llama3")},
        {stage: Wish(**wish) for stage in MODELS},
        longest=longest or {},
    )


# The three cards of the lab's plans


def test_8_gb_gives_one_model_at_a_time_with_several_requests() -> None:
    plan = make_plan(asked(RTX_3060_TI))
    assert plan.groups == ONE_BY_ONE
    assert plan.parallel == {EXTRACT: 4, RATE: 4}
    assert plan.fits


def test_24_gb_gives_both_models_together() -> None:
    plan = make_plan(asked(RTX_3090))
    assert plan.groups == SIDE_BY_SIDE
    assert plan.parallel == {EXTRACT: 8, RATE: 8}


def test_80_gb_gives_no_switching_and_the_largest_context() -> None:
    plan = make_plan(asked(A100, longest={EXTRACT: 900, RATE: 900}))
    assert plan.groups == TOGETHER
    assert plan.num_ctx == {EXTRACT: 8192, RATE: 8192}


@pytest.mark.parametrize(("card", "groups"), [(8192, ONE_BY_ONE), (24564, SIDE_BY_SIDE), (81559, TOGETHER)])
def test_the_cards_give_the_same_with_the_servers_set_up_for_four(card: float, groups: Any) -> None:
    assert make_plan(asked(card, slots=4)).groups == groups


# The choice between them


def test_two_models_with_two_requests_each_win_over_one_with_four() -> None:
    plan = make_plan(asked(12_288, num_ctx=2048, parallel=4))
    assert plan.groups == SIDE_BY_SIDE
    assert plan.parallel == {EXTRACT: 2, RATE: 2}


def test_one_model_with_four_requests_wins_over_two_with_one_each() -> None:
    plan = make_plan(asked(12_288, parallel=4))  # the weights of both would fit, with one request each
    assert plan.groups == ONE_BY_ONE
    assert plan.parallel == {EXTRACT: 4, RATE: 4}


def test_without_a_gpu_models_share_the_processor_only_where_each_leaves_cores_to_the_other() -> None:
    plan = make_plan(asked(None))
    assert (plan.groups, plan.parallel) == (SIDE_BY_SIDE, {EXTRACT: 1, RATE: 1})
    assert plan.fits
    assert any("on the processor" in line for line in plan.lines)
    assert make_plan(replace(asked(None), all_cores=True)).groups == ONE_BY_ONE
    assert make_plan(replace(asked(None), all_cores=True, residency=SIDE_BY_SIDE)).groups == SIDE_BY_SIDE
    assert make_plan(asked(None, parallel=3)).parallel == {EXTRACT: 3, RATE: 3}
    assert make_plan(asked(None, parallel=3, slots=2)).parallel == {EXTRACT: 2, RATE: 2}


def test_a_card_on_which_nothing_fits_gives_the_smallest_plan_and_says_so() -> None:
    plan = make_plan(asked(4096))
    assert (plan.groups, plan.parallel) == (ONE_BY_ONE, {EXTRACT: 1, RATE: 1})
    assert not plan.fits
    assert any("does not fit" in line for line in plan.lines)


def test_what_is_configured_holds() -> None:
    plan = make_plan(replace(asked(A100, parallel=2, num_ctx=4096), residency=ONE_BY_ONE))
    assert plan.groups == ONE_BY_ONE
    assert plan.parallel == {EXTRACT: 2, RATE: 2}
    assert plan.num_ctx == {EXTRACT: 4096, RATE: 4096}


def test_a_configured_number_of_requests_that_does_not_fit_is_lowered() -> None:
    assert make_plan(asked(RTX_3060_TI, parallel=16)).parallel == {EXTRACT: 4, RATE: 4}


def test_the_cache_has_the_size_that_the_server_was_set_up_for_however_few_are_sent() -> None:
    plan = make_plan(asked(RTX_3060_TI, parallel=1, slots=4))
    assert plan.parallel == {EXTRACT: 1, RATE: 1}
    assert plan.stage_mb(RATE) == make_plan(asked(RTX_3060_TI, slots=4)).stage_mb(RATE)


def test_the_context_is_the_smallest_that_holds_the_longest_prompt() -> None:
    assert [context_for(n) for n in (1, 2048, 2049, 8192, 9000)] == [2048, 2048, 4096, 8192, 8192]
    assert context_for(None) == 4096
    assert context_for(9000, most=4096) == 4096
    plan = make_plan(asked(RTX_3060_TI, longest={EXTRACT: 1500, RATE: 5000}))
    assert plan.num_ctx == {EXTRACT: 2048, RATE: 8192}


def test_a_context_beyond_what_the_model_was_trained_for_is_never_asked_for() -> None:
    assert make_plan(asked(A100, num_ctx=100_000)).num_ctx == {EXTRACT: 32768, RATE: 8192}


def test_the_arithmetic_is_shown() -> None:
    lines = make_plan(asked(RTX_3060_TI)).lines
    assert lines[1] == (
        "extract: mistral: weights 4.1 GB + KV 4 x 4096 x 128 KiB = 2.0 GB + 0.6 GB = 6.7 GB, 4 at a time"
    )
    assert lines[-1] == "rate: 7.0 GB of 7.6 GB (8.0 GB less 0.4 GB): fits"


# Lowering


def steps(plan: Plan | None) -> list[Plan]:
    found = []
    while plan is not None:
        found.append(plan)
        plan = lower(plan)
    return found


def test_a_plan_is_lowered_by_requests_then_by_context_then_by_models_at_a_time() -> None:
    shown = [(len(p.groups), p.parallel[RATE], p.num_ctx[RATE]) for p in steps(make_plan(asked(RTX_3090)))]
    assert shown == [
        (2, 8, 4096), (2, 4, 4096), (2, 2, 4096), (2, 1, 4096), (2, 1, 2048),
        (3, 8, 4096), (3, 4, 4096), (3, 2, 4096), (3, 1, 4096), (3, 1, 2048),
    ]  # fmt: skip


def test_no_context_is_lowered_below_the_longest_prompt() -> None:
    plans = steps(make_plan(asked(RTX_3060_TI, longest={EXTRACT: 3000, RATE: 1000})))
    assert min(plan.num_ctx[EXTRACT] for plan in plans) == 4096


def test_fewer_requests_save_nothing_where_the_server_keeps_its_room() -> None:
    second = lower(make_plan(asked(RTX_3060_TI, slots=4)))
    assert second is not None
    assert second.parallel == {EXTRACT: 4, RATE: 4}
    assert second.num_ctx == {EXTRACT: 2048, RATE: 2048}
    assert make_plan(asked(6000, slots=4)).parallel == {EXTRACT: 4, RATE: 4}  # though it does not fit


def test_only_the_group_that_did_not_hold_is_lowered() -> None:
    plan = lower(make_plan(asked(RTX_3060_TI)), frozenset({RATE}))
    assert plan is not None
    assert plan.parallel == {EXTRACT: 4, RATE: 2}
    assert lower(make_plan(asked(RTX_3060_TI)), frozenset({STT})) is None


def test_what_is_configured_is_not_lowered_beyond_its_requests() -> None:
    plan = make_plan(replace(asked(RTX_3090, parallel=1, num_ctx=4096), residency=SIDE_BY_SIDE))
    assert lower(plan) is None
    assert lower(make_plan(asked(None))) is None


# What models need


def test_both_models_take_128_kib_a_token() -> None:
    assert KNOWN["mistral"].kv_bytes_per_token == KNOWN["llama3"].kv_bytes_per_token == 128 * 1024
    assert KNOWN["llama3"].kv_mb(1, 8192) == 1024


def test_a_model_is_known_by_its_name_whatever_its_tag_and_namespace() -> None:
    assert known_model("library/mistral:7b").weights_mb == KNOWN["mistral"].weights_mb
    assert known_model("strange").weights_mb == KNOWN["llama3"].weights_mb
    assert known_model("strange").most_ctx is None


def test_whisper_needs_what_its_authors_measured() -> None:
    assert whisper_mb("large-v2", "int8", 1) == pytest.approx(2.9e9 / MB, rel=0.03)
    assert whisper_mb("large-v2", "int8", 8) == pytest.approx(4.5e9 / MB, rel=0.03)
    assert whisper_mb("large-v2", "float16", 8) == pytest.approx(6.1e9 / MB, rel=0.03)
    assert whisper_mb("tiny.en") < whisper_mb("base") < whisper_mb("small") < whisper_mb("/my/own")


# Whatever is asked

wishes = st.builds(
    Wish,
    parallel=st.none() | st.integers(1, 16),
    num_ctx=st.none() | st.sampled_from([*CONTEXTS, 16384]),
    slots=st.none() | st.integers(1, 8),
)
models = st.builds(
    ModelNeed,
    st.just("some"),
    st.floats(50, 40_000),
    st.integers(1_000, 1_000_000),
    st.none() | st.sampled_from([2048, 8192, 32768]),
)
partitions = st.sampled_from(
    [TOGETHER, SIDE_BY_SIDE, ONE_BY_ONE, (frozenset({STT, RATE}), frozenset({EXTRACT}))]
)
everything = st.builds(
    PlanInputs,
    card_mb=st.floats(0, 200_000),
    whisper_mb=st.floats(100, 12_000),
    models=st.fixed_dictionaries(dict.fromkeys(MODELS, models)),
    wishes=st.fixed_dictionaries(dict.fromkeys(MODELS, wishes)),
    residency=st.none() | partitions,
    longest=st.dictionaries(st.sampled_from(MODELS), st.integers(1, 20_000)),
)


@given(everything)
def test_no_plan_that_fits_takes_more_than_the_card_offers(wanted: PlanInputs) -> None:
    plan = make_plan(wanted)
    assert wanted.card_mb is not None
    assert plan.fits == all(need <= capacity_mb(wanted.card_mb) for need in plan.needs.values())
    assert sorted(stage for group in plan.groups for stage in group) == sorted(Stage)


@given(everything)
def test_no_server_is_asked_for_more_at_a_time_than_it_holds(wanted: PlanInputs) -> None:
    for plan in steps(make_plan(wanted)):
        for stage in MODELS:
            assert 1 <= plan.parallel[stage] <= (wanted.wishes[stage].slots or 16)
            assert plan.num_ctx[stage] <= (wanted.models[stage].most_ctx or 100_000)


@given(everything, st.floats(1, 100_000))
def test_what_fits_on_a_card_fits_on_a_larger_one(wanted: PlanInputs, more: float) -> None:
    assert wanted.card_mb is not None
    if make_plan(wanted).fits:
        assert make_plan(replace(wanted, card_mb=wanted.card_mb + more)).fits


@given(st.floats(3_000, 100_000), st.floats(0, 50_000), wishes)
def test_a_larger_card_is_never_slower(card: float, more: float, wish: Wish) -> None:
    def units(card_mb: float) -> float:
        plan = make_plan(replace(asked(card_mb), wishes=dict.fromkeys(MODELS, wish)))
        each = {stage: 1 / FIRST_GUESS.speedup(plan.parallel[stage]) for stage in MODELS}
        return sum(max((each[s] for s in group if s in MODELS), default=0) for group in plan.groups)

    if make_plan(replace(asked(card), wishes=dict.fromkeys(MODELS, wish))).fits:
        assert units(card + more) <= units(card) + 1e-9


@given(everything)
def test_lowering_ends_and_each_step_takes_less_or_has_fewer_engines_at_a_time(wanted: PlanInputs) -> None:
    plans = steps(make_plan(wanted))
    assert len(plans) < 40
    for before, after in pairwise(plans):
        if after.groups == before.groups:
            assert sum(after.needs.values()) < sum(before.needs.values())
        else:
            assert len(after.groups) > len(before.groups)


def test_the_figures_of_the_first_guess_stand_in_one_place() -> None:
    files = Path(batch_curve.__file__).parents[1].rglob("*.py")
    assert [file.name for file in files if "1.73" in file.read_text()] == ["batch_curve.py"]


# The KV cache


def test_a_quantised_cache_makes_room_for_twice_as_many_on_8_gb() -> None:
    assert best_cache(asked(RTX_3060_TI)) is KvCache.Q8_0
    quantised = make_plan(with_cache(asked(RTX_3060_TI, slots=4), KvCache.Q8_0))
    assert quantised.parallel == {EXTRACT: 8, RATE: 8}
    assert "KV 8 x 4096 x 68 KiB = 2.1 GB" in quantised.lines[1]


def test_the_cache_stays_as_it_is_where_more_room_makes_nothing_faster() -> None:
    gain_nothing = dict.fromkeys(MODELS, NO_MORE_THAN_FOUR)
    assert best_cache(replace(asked(RTX_3060_TI), curves=gain_nothing)) is KvCache.F16
    assert best_cache(asked(A100)) is KvCache.F16
    assert best_cache(asked(RTX_3060_TI, parallel=2)) is KvCache.F16
    assert best_cache(asked(None)) is KvCache.F16


@given(everything)
def test_new_servers_with_the_best_cache_are_never_slower_than_with_the_usual_one(wanted: PlanInputs) -> None:
    def units(kv: KvCache) -> float:
        plan = make_plan(with_cache(wanted, kv))
        each = {stage: 1 / wanted.curve(stage).speedup(plan.parallel[stage]) for stage in MODELS}
        return sum(max((each[s] for s in group if s in MODELS), default=0) for group in plan.groups)

    if make_plan(with_cache(wanted, KvCache.F16)).fits:
        assert units(best_cache(wanted)) <= units(KvCache.F16)


@given(st.integers(1, 64), st.sampled_from(KvCache))
def test_a_server_is_set_up_as_its_environment_says(slots: int, kv: KvCache) -> None:
    setup = ServerSetup(slots, kv)
    assert ServerSetup.of(setup.environment) == setup


def test_without_flash_attention_a_server_has_no_quantised_cache() -> None:
    said = {"OLLAMA_KV_CACHE_TYPE": "q8_0"}
    assert ServerSetup.of(said) == ServerSetup(1, KvCache.F16)
    assert ServerSetup.of({**said, "OLLAMA_FLASH_ATTENTION": "true"}).kv is KvCache.Q8_0
    assert ServerSetup.of({"OLLAMA_NUM_PARALLEL": "many"}).slots == 1


def test_a_server_that_takes_more_than_estimated_is_planned_for_with_that() -> None:
    mistral = known_model("mistral")
    taken = mistral.mb(8, 4096, KvCache.F16)
    assert mistral.seen(taken, 8, 4096, KvCache.Q8_0).mb(8, 4096, KvCache.Q8_0) == pytest.approx(taken)
    assert mistral.seen(1000.0, 8, 4096, KvCache.Q8_0) == mistral


# What several requests at a time were seen to gain

NO_MORE_THAN_FOUR = BatchCurve((1.0, 0.9, 0.7, 0.3))
EIGHT = BatchCurve((1.0, 0.98, 0.95, 0.9))


def test_up_to_eight_at_a_time_where_the_memory_holds_them() -> None:
    assert make_plan(asked(RTX_3060_TI, num_ctx=2048)).parallel == {EXTRACT: 8, RATE: 8}
    assert make_plan(asked(RTX_3060_TI, num_ctx=4096)).parallel == {EXTRACT: 4, RATE: 4}
    assert make_plan(asked(RTX_3060_TI, num_ctx=2048, slots=4)).parallel == {EXTRACT: 4, RATE: 4}


def test_no_more_at_a_time_than_was_seen_to_help() -> None:
    seen = {EXTRACT: NO_MORE_THAN_FOUR, RATE: EIGHT}
    apart = replace(asked(RTX_3090), residency=ONE_BY_ONE, curves=seen)
    assert make_plan(apart).parallel == {EXTRACT: 4, RATE: 8}
    taken = {stage: Wish(slots=8) for stage in MODELS}
    assert make_plan(replace(apart, wishes=taken)).parallel == {EXTRACT: 4, RATE: 8}
    configured = {stage: Wish(parallel=6) for stage in MODELS}
    assert make_plan(replace(apart, wishes=configured)).parallel == {EXTRACT: 6, RATE: 6}


def test_on_the_processor_several_at_a_time_only_once_they_were_seen_to_help() -> None:
    assert make_plan(asked(None, slots=8)).parallel == {EXTRACT: 1, RATE: 1}
    assert make_plan(replace(asked(None, slots=8), curves={RATE: EIGHT})).parallel == {EXTRACT: 1, RATE: 8}


def test_what_was_seen_decides_between_one_model_with_more_requests_and_two_with_fewer() -> None:
    gains_little = dict.fromkeys(MODELS, BatchCurve((1.0, 0.55, 0.28, 0.15)))
    wanted = asked(12_288, num_ctx=2048)
    assert make_plan(wanted).groups == ONE_BY_ONE
    assert make_plan(replace(wanted, curves=gains_little)).groups == SIDE_BY_SIDE
