"""Which engines go where on this machine: the plan, from the configuration, the card and what servers say.

The plan (`residency`) is made before anything is loaded, and made anew when more is known: what
a model really takes, how many requests its server holds, how long the longest prompt of the next phase is,
and that something did not hold. Who goes by it (the node, the scheduler's policy, the memory guard) asks
each time, so that nothing has to be told.
"""

from collections.abc import Mapping
from dataclasses import replace

from daemon.config.load import Config
from daemon.config.sections import ModelSettings
from daemon.contracts.signal import Signal
from daemon.core.content.answers import FORM_TOKENS, RATING_TOKENS
from daemon.core.schedule.memory import ModelNeed, known_model, whisper_mb
from daemon.core.schedule.phase_state import Group
from daemon.core.schedule.residency import (
    CONTEXTS,
    MODELS,
    Plan,
    PlanInputs,
    Wish,
    context_for,
    lower,
    make_plan,
)
from daemon.core.tasks.task import Stage
from daemon.llm.client import Options

ANSWER_TOKENS: Mapping[Stage, int] = {Stage.EXTRACT: FORM_TOKENS, Stage.RATE: RATING_TOKENS}
"""The longest answer of each model, in tokens."""

_CHARS_PER_TOKEN = 3  # English has above four; names and other scripts have fewer


def tokens_of(chars: int) -> int:
    """At most so many tokens, for what is put before a model as so many characters."""
    return chars // _CHARS_PER_TOKEN + 1


class Placement:
    """The plan that holds now. `card_mb` is the GPU's memory, None without one.

    `changed` tells that the plan is another.
    """

    def __init__(self, config: Config, card_mb: float | None) -> None:
        self._models: Mapping[Stage, ModelSettings] = {Stage.EXTRACT: config.extract, Stage.RATE: config.rate}
        self.changed = Signal[[]]()
        self._whisper_on_gpu = card_mb is not None and config.stt.device != "cpu"
        self._least: dict[Stage, int] = {}  # tokens; more than a context that did not hold a prompt
        chosen = config.gpu.residency
        batch = config.stt.batch_size
        whisper = whisper_mb(config.stt.model, config.stt.compute_type, *([] if batch == "auto" else [batch]))
        self._plan = make_plan(
            PlanInputs(
                # The embedded models run on the processor, beside whatever the card holds.
                card_mb=card_mb if config.runtime == "docker" else None,
                whisper_mb=whisper,
                models={stage: known_model(model.model) for stage, model in self._models.items()},
                wishes={stage: _wish(model) for stage, model in self._models.items()},
                residency=None if chosen == "auto" else tuple(frozenset(group) for group in chosen),
                # The embedded servers take half of the cores each; one that others run may be elsewhere.
                all_cores=config.runtime == "docker" and all(m.container for m in self._models.values()),
            )
        )

    @property
    def plan(self) -> Plan:
        """What holds now."""
        return self._plan

    def options(self, stage: Stage) -> Options:
        """What the model of a stage is asked with in the next phase."""
        model = self._models[stage]
        return Options(
            temperature=model.temperature,
            top_p=model.top_p,
            seed=model.seed,
            num_ctx=self._plan.num_ctx[stage],
            num_predict=ANSWER_TOKENS[stage],
        )

    def largest_ctx(self, stage: Stage) -> int:
        """The largest context that a model can be given, in tokens."""
        asked = self._plan.asked
        return asked.wishes[stage].num_ctx or context_for(CONTEXTS[-1], asked.models[stage].most_ctx)

    def need_mb(self, group: Group) -> float:
        """What a group, or a part of one, takes of the GPU; 0 for what does not run there."""
        on_card = self._plan.asked.card_mb is not None
        return sum(
            self._plan.stage_mb(stage)
            for stage in group
            if (self._whisper_on_gpu if stage is Stage.STT else on_card)
        )

    def expect(self, longest: Mapping[Stage, int]) -> bool:
        """Plan for prompts of so many tokens, answers included. Whether the plan is another now."""
        tokens = {stage: max(count, self._least.get(stage, 0)) for stage, count in longest.items()}
        return self._replan(replace(self._plan.asked, longest=tokens))

    def outgrown(self, stage: Stage, num_ctx: int) -> bool:
        """A context of so many tokens did not hold a prompt: it had more tokens than its characters told, as
        figures have. Whether the next phase can have a larger one; then it has.
        """
        self._least[stage] = max(self._least.get(stage, 0), num_ctx + 1)
        return num_ctx < self.largest_ctx(stage)

    def describe(self, stage: Stage, need: ModelNeed, slots: int | None) -> bool:
        """Plan with what a model really takes, and how many requests its server holds (None: not said).

        Whether the plan is another now.
        """
        asked = self._plan.asked
        wish = replace(asked.wishes[stage], slots=slots)
        return self._replan(
            replace(asked, models={**asked.models, stage: need}, wishes={**asked.wishes, stage: wish})
        )

    def lower(self, group: Group) -> bool:
        """A group did not hold once it was loaded: go a step down, and stay there. False after the last."""
        plan = lower(self._plan, group)
        if plan is None:
            return False
        kept = {
            stage: replace(
                plan.asked.wishes[stage],
                parallel=plan.parallel[stage],
                num_ctx=_kept_context(self._plan, plan, stage),
            )
            for stage in MODELS
        }
        self._plan = replace(plan, asked=replace(plan.asked, wishes=kept, residency=plan.groups))
        self.changed()
        return True

    def _replan(self, asked: PlanInputs) -> bool:
        before, self._plan = self._plan, make_plan(asked)
        now = self._plan
        changed = (before.groups, before.parallel, before.num_ctx) != (now.groups, now.parallel, now.num_ctx)
        if changed:
            self.changed()
        return changed


def _wish(model: ModelSettings) -> Wish:
    return Wish(
        parallel=None if model.parallel == "auto" else model.parallel,
        num_ctx=None if model.num_ctx == "auto" else model.num_ctx,
    )


def _kept_context(before: Plan, after: Plan, stage: Stage) -> int | None:
    """A context that was lowered stays; another goes on growing with the prompts."""
    wished = after.asked.wishes[stage].num_ctx
    return wished if before.num_ctx[stage] == after.num_ctx[stage] else after.num_ctx[stage]
