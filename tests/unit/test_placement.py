"""The plan that holds: made before anything is loaded, and made anew when more is known."""

from pathlib import Path

import pytest

from daemon.app.engines import prompt_tokens
from daemon.config.load import Config, load
from daemon.core.content.answers import FORM_CHARS
from daemon.core.schedule.batch_curve import LEVELS, BatchCurve
from daemon.core.schedule.memory import ModelNeed, known_model
from daemon.core.schedule.residency import ONE_BY_ONE, SIDE_BY_SIDE, TOGETHER, Residency
from daemon.core.schedule.server_setup import ServerSetup
from daemon.core.tasks.task import Stage
from daemon.llm.rubric import Rubric
from daemon.placement.placement import Placement, tokens_of

GB = 1024.0
EXTRACT, RATE = frozenset({Stage.EXTRACT}), frozenset({Stage.RATE})


def config(folder: Path, text: str = 'runtime = "docker"\n') -> Config:
    (folder / "introeval.toml").write_text(text)
    return load(folder / "introeval.toml", {})


def test_a_small_card_takes_one_model_at_a_time_with_several_requests(tmp_path: Path) -> None:
    plan = Placement(config(tmp_path), 8 * GB).plan
    assert plan.groups == ONE_BY_ONE
    assert plan.parallel[Stage.EXTRACT] > 1
    assert plan.fits


def test_larger_cards_take_both_models_and_then_everything(tmp_path: Path) -> None:
    settings = config(tmp_path)
    assert Placement(settings, 24 * GB).plan.groups == SIDE_BY_SIDE
    assert Placement(settings, 80 * GB).plan.groups == TOGETHER


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("", SIDE_BY_SIDE),  # the embedded ones, which leave each other cores
        ('runtime = "docker"', ONE_BY_ONE),
        ('runtime = "docker"\n[extract]\ncontainer = ""\nurl = "http://elsewhere:11434"', SIDE_BY_SIDE),
    ],
)
def test_without_a_gpu_two_containers_are_not_at_work_at_a_time(
    tmp_path: Path, text: str, groups: Residency
) -> None:
    assert Placement(config(tmp_path, text), None).plan.groups == groups


def test_the_embedded_models_need_nothing_of_the_card_and_whisper_does(tmp_path: Path) -> None:
    placement = Placement(config(tmp_path, ""), 8 * GB)
    assert placement.plan.groups == SIDE_BY_SIDE
    assert placement.need_mb(frozenset({Stage.EXTRACT, Stage.RATE})) == 0.0
    assert placement.need_mb(frozenset({Stage.STT})) > 1000.0
    on_processor = Placement(config(tmp_path, '[stt]\ndevice = "cpu"\n'), 8 * GB)
    assert on_processor.need_mb(frozenset({Stage.STT})) == 0.0


@pytest.mark.parametrize(
    ("text", "card_gb", "free_gb", "batch"),
    [
        ("", 8, 7.5, 16),
        ('[stt]\nmodel = "large-v2"\ncompute_type = "float16"\n', 8, 7.0, 8),
        ("", 8, 1.3, 2),
        ("", 8, 0.2, 1),
        ("", 8, None, 8),
        ("", None, None, 8),
        ("[stt]\nbatch_size = 3\n", 8, 7.5, 3),
        ('[stt]\ndevice = "cpu"\n', 8, 7.5, 8),
        ('runtime = "docker"\n', 80, 78.0, 8),  # shares the card with both models
        ('runtime = "docker"\n', 8, 7.5, 16),
    ],
)
def test_whisper_takes_as_many_windows_as_the_free_memory_holds(
    tmp_path: Path, text: str, card_gb: float | None, free_gb: float | None, batch: int
) -> None:
    placement = Placement(config(tmp_path, text), card_gb and card_gb * GB)
    assert placement.whisper_batch(free_gb and free_gb * GB) == batch


def test_the_arithmetic_says_that_whisper_is_on_the_card_and_the_embedded_models_are_not(
    tmp_path: Path,
) -> None:
    plan = Placement(config(tmp_path, ""), 8 * GB).plan
    on_card, on_machine = plan.lines[-len(plan.groups) :]
    assert on_card == f"stt: {plan.asked.whisper_mb / GB:.1f} GB of 7.6 GB of the GPU"
    assert on_machine.endswith("of the machine's memory, on the processor")
    assert plan.machine_mb == plan.needs[EXTRACT | RATE]


@pytest.mark.parametrize(("chars", "num_ctx"), [(1_500, 2048), (9_000, 4096), (20_000, 8192), (60_000, 8192)])
def test_the_context_is_the_smallest_that_holds_the_longest_prompt(
    tmp_path: Path, chars: int, num_ctx: int
) -> None:
    placement = Placement(config(tmp_path), 24 * GB)
    placement.expect({Stage.EXTRACT: tokens_of(chars), Stage.RATE: tokens_of(chars)})
    assert placement.options(Stage.RATE).num_ctx == num_ctx


def test_a_configured_context_and_number_of_requests_stay(tmp_path: Path) -> None:
    settings = config(tmp_path, 'runtime = "docker"\n[rate]\nnum_ctx = 2048\nparallel = 1\n')
    placement = Placement(settings, 8 * GB)
    placement.expect({Stage.EXTRACT: 7_000, Stage.RATE: 7_000})
    assert (placement.plan.num_ctx[Stage.RATE], placement.plan.parallel[Stage.RATE]) == (2048, 1)


def test_the_embedded_models_answer_one_at_a_time_whatever_was_seen_to_be_faster(tmp_path: Path) -> None:
    faster = BatchCurve((1.0,) * len(LEVELS))
    for text, parallel in (("", 1), ("[rate]\nparallel = 2\n", 2)):
        placement = Placement(config(tmp_path, text), None)
        placement.learnt(dict.fromkeys((Stage.EXTRACT, Stage.RATE), faster))
        assert placement.plan.parallel[Stage.RATE] == parallel


def test_no_more_requests_are_sent_than_the_server_holds(tmp_path: Path) -> None:
    placement = Placement(config(tmp_path), 8 * GB)
    need = ModelNeed("mistral", 4200.0, 131072, most_ctx=32768)
    assert placement.describe(Stage.EXTRACT, need, ServerSetup(slots=1))
    assert placement.plan.parallel[Stage.EXTRACT] == 1
    assert not placement.describe(Stage.EXTRACT, need, ServerSetup(slots=1))


@pytest.mark.parametrize("not_made", ['api = "openai"', 'container = ""'])
def test_a_server_that_setup_does_not_make_gets_few_at_a_time_until_it_tells(
    tmp_path: Path, not_made: str
) -> None:
    text = f'runtime = "docker"\n[gpu]\nresidency = [["stt"], ["extract"], ["rate"]]\n[rate]\n{not_made}\n'
    placement = Placement(config(tmp_path, text), 24 * GB)
    assert placement.plan.parallel == {Stage.EXTRACT: 8, Stage.RATE: 4}
    assert set(placement.set_up()) == {Stage.EXTRACT}
    assert placement.plan.parallel[Stage.RATE] == 4
    placement.describe(Stage.RATE, known_model("llama3"), ServerSetup(slots=2))
    assert placement.plan.parallel[Stage.RATE] == 2


def test_what_did_not_hold_is_lowered_and_stays_lowered_when_more_is_known(tmp_path: Path) -> None:
    placement = Placement(config(tmp_path), 8 * GB)
    before = placement.plan.parallel[Stage.RATE]
    assert placement.lower(RATE)
    after = placement.plan.parallel[Stage.RATE]
    assert after < before
    assert (
        placement.plan.parallel[Stage.EXTRACT]
        == Placement(config(tmp_path), 8 * GB).plan.parallel[Stage.EXTRACT]
    )
    placement.expect({Stage.EXTRACT: 1_000, Stage.RATE: 1_000})
    assert placement.plan.parallel[Stage.RATE] == after


def test_lowering_comes_to_an_end(tmp_path: Path) -> None:
    placement = Placement(config(tmp_path), 8 * GB)
    steps = 0
    while placement.lower(EXTRACT):
        steps += 1
        assert steps < 10
    assert steps > 0


def test_the_largest_context_is_what_is_configured_or_the_most_that_the_model_was_trained_for(
    tmp_path: Path,
) -> None:
    placement = Placement(config(tmp_path), 24 * GB)
    assert placement.largest_ctx(Stage.RATE) == 8192
    placement.describe(Stage.RATE, ModelNeed("tiny", 100.0, 1024, most_ctx=2048), None)
    assert placement.largest_ctx(Stage.RATE) == 2048
    fixed = config(tmp_path, 'runtime = "docker"\n[rate]\nnum_ctx = 4096\n')
    assert Placement(fixed, 24 * GB).largest_ctx(Stage.RATE) == 4096


@pytest.mark.parametrize("text", ['runtime = "docker"\n', 'runtime = "docker"\n[rate]\nnum_ctx = 4096\n'])
def test_a_prompt_of_more_tokens_than_its_characters_tell_is_not_loaded_for_again_and_again(
    tmp_path: Path, text: str
) -> None:
    placement = Placement(config(tmp_path, text), 8 * GB)
    tried = []
    while True:  # as the daemon does: plan by the characters, load, find that it does not hold
        placement.expect({Stage.EXTRACT: 1_000, Stage.RATE: 1_000})
        tried.append(placement.options(Stage.RATE).num_ctx)
        if not placement.outgrown(Stage.RATE, tried[-1]):
            break
        assert len(tried) < 5, f"the same context is loaded for ever: {tried}"
    assert tried in ([2048, 4096, 8192], [4096])
    assert placement.options(Stage.EXTRACT).num_ctx == 2048


def test_the_form_counts_in_the_raters_prompt_where_its_template_names_it(tmp_path: Path) -> None:
    ours = Rubric()
    without, form = prompt_tokens(ours, 900, 0), prompt_tokens(ours, 900, FORM_CHARS)
    assert form[Stage.RATE] - without[Stage.RATE] == pytest.approx(tokens_of(FORM_CHARS), abs=1)
    assert form[Stage.EXTRACT] == without[Stage.EXTRACT]
    (tmp_path / "rate.v4.j2").write_text("Rate this, {{ levels }}: {{ transcript }}")
    labs = Rubric(tmp_path)
    assert prompt_tokens(labs, 900, FORM_CHARS) == prompt_tokens(labs, 900, 0)
    assert tokens_of(0) < without[Stage.RATE] <= 2048 < form[Stage.RATE]
