"""The plan of the engines on this machine, from the configuration, the card and the servers' figures.

The plan is made before anything is loaded, and again when more is known: the memory that a model takes, the
slots of its server, the longest prompt of the next phase, or that a group did not fit. Its users (the node,
the scheduler's policy, the memory guard) read it each time, so that nothing has to be passed on.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from daemon.config.load import Config
from daemon.config.sections import ModelSettings
from daemon.contracts.signal import Signal
from daemon.core.content.answers import FORM_TOKENS, RATING_TOKENS
from daemon.core.schedule.batch_curve import BatchCurve
from daemon.core.schedule.memory import WHISPER_BATCH, WHISPER_BATCHES, KvCache, ModelNeed, known_model
from daemon.core.schedule.phase_state import Group
from daemon.core.schedule.residency import (
    CONTEXTS,
    MODELS,
    Plan,
    PlanInputs,
    Wish,
    best_cache,
    context_for,
    lower,
    make_plan,
    with_cache,
)
from daemon.core.schedule.server_setup import UNTOLD_SLOTS, ServerSetup
from daemon.core.tasks.task import Stage
from daemon.llm.client import Options
from daemon.models.needs import gguf_need, whisper_need_mb

ANSWER_TOKENS: Mapping[Stage, int] = {Stage.EXTRACT: FORM_TOKENS, Stage.RATE: RATING_TOKENS}
"""The longest answer of each model, in tokens."""

_CHARS_PER_TOKEN = 3  # English has over four; names and other scripts have fewer, so this errs high


def tokens_of(chars: int) -> int:
    """An upper estimate of the tokens of a text with `chars` characters."""
    return chars // _CHARS_PER_TOKEN + 1


class Placement:
    """Owns the plan. `card_mb` is the GPU's memory, None without one. `changed` signals another plan."""

    def __init__(self, config: Config, card_mb: float | None) -> None:
        self._models: Mapping[Stage, ModelSettings] = {Stage.EXTRACT: config.extract, Stage.RATE: config.rate}
        self.changed = Signal[[]]()
        self._whisper_on_gpu = card_mb is not None and config.stt.device != "cpu" and not config.stt.url
        self._least: dict[Stage, int] = {}  # tokens needed, since a smaller context did not hold a prompt
        chosen = config.gpu.residency
        here = config.paths.state / "models"
        self._whisper_mb = partial(whisper_need_mb, here, config.stt.model, config.stt.compute_type)
        self._cache = None if config.docker.kv_cache == "auto" else KvCache(config.docker.kv_cache)
        self._made = [s for s, m in self._models.items() if m.container and m.api == "ollama"]
        self._whisper_batch = None if config.stt.batch_size == "auto" else config.stt.batch_size
        embedded = config.runtime != "docker"
        self._plan = make_plan(
            PlanInputs(
                # The embedded models run on the processor, whatever the card holds.
                card_mb=None if embedded else card_mb,
                whisper_card_mb=card_mb if embedded and self._whisper_on_gpu else None,
                whisper_mb=0.0 if config.stt.url else self._whisper_mb(self._whisper_batch or WHISPER_BATCH),
                models={
                    stage: known_model(model.model)
                    if not embedded
                    else gguf_need(here, config.embedded.of(stage))
                    for stage, model in self._models.items()
                },
                wishes={
                    stage: replace(
                        _wish(model, 1 if embedded else None),
                        slots=None if embedded or stage in self._made else UNTOLD_SLOTS,
                    )
                    for stage, model in self._models.items()
                },
                residency=None if chosen == "auto" else tuple(frozenset(group) for group in chosen),
                # The embedded servers take half of the cores each; a remote server may be on another machine.
                all_cores=not embedded and all(m.container for m in self._models.values()),
            )
        )

    @property
    def plan(self) -> Plan:
        """The present plan."""
        return self._plan

    def options(self, stage: Stage) -> Options:
        """The options of a stage's requests in the next phase."""
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

    def room_chars(self, stage: Stage, prompt_chars: int) -> int:
        """The characters of a transcript for which a stage's largest context has room beside its prompt and
        the longest answer.
        """
        tokens = self.largest_ctx(stage) - ANSWER_TOKENS[stage]
        return max(0, tokens * _CHARS_PER_TOKEN - prompt_chars)

    def need_mb(self, group: Group) -> float:
        """The GPU memory, in MB, that the stages of `group` take; 0 for those that do not run there."""
        on_card = self._plan.asked.card_mb is not None
        return sum(
            self._plan.stage_mb(stage)
            for stage in group
            if (self._whisper_on_gpu if stage is Stage.STT else on_card)
        )

    def whisper_batch(self, free_mb: float | None) -> int:
        """The windows that Whisper takes at a time: as configured, else as many as the card's free memory
        holds. Where it shares the card with models, what it was planned with.
        """
        if self._whisper_batch is not None:
            return self._whisper_batch
        shared = self._plan.asked.card_mb is not None and frozenset({Stage.STT}) not in self._plan.groups
        if free_mb is None or not self._whisper_on_gpu or shared:
            return WHISPER_BATCH
        return next((each for each in WHISPER_BATCHES if self._whisper_mb(each) <= free_mb), 1)

    def expect(self, longest: Mapping[Stage, int]) -> bool:
        """Plan for prompts of so many tokens, answers included. Whether the plan changed."""
        tokens = {stage: max(count, self._least.get(stage, 0)) for stage, count in longest.items()}
        return self._replan(replace(self._plan.asked, longest=tokens))

    def outgrown(self, stage: Stage, num_ctx: int) -> bool:
        """Record that a context of `num_ctx` tokens did not hold a prompt: the estimate from its characters
        was too low, as with figures. Whether the next phase can have a larger context; then it has.
        """
        self._least[stage] = max(self._least.get(stage, 0), num_ctx + 1)
        return num_ctx < self.largest_ctx(stage)

    def describe(self, stage: Stage, need: ModelNeed, server: ServerSetup | None) -> bool:
        """Plan with a model's real need and its server's setup (None: unknown). Whether the plan changed."""
        asked = self._plan.asked
        wish = replace(asked.wishes[stage], slots=None, kv=KvCache.F16)
        if server is not None:
            wish = replace(wish, slots=server.slots, kv=server.kv)
        return self._replan(
            replace(asked, models={**asked.models, stage: need}, wishes={**asked.wishes, stage: wish})
        )

    @property
    def cache(self) -> KvCache:
        """The type of cache for servers that are made anew: as configured, else the best."""
        return self._cache or best_cache(self._plan.asked, self._made)

    def set_up(self) -> Mapping[Stage, ServerSetup]:
        """Plan for servers that are made anew, and give their setup."""
        kv = self.cache
        self._replan(with_cache(self._plan.asked, kv, self._made))
        return {stage: ServerSetup(self._plan.parallel[stage], kv) for stage in self._made}

    def anew(self, kv: KvCache) -> Plan:
        """The plan for servers that are made anew with this type of cache."""
        return make_plan(with_cache(self._plan.asked, kv, self._made))

    def learnt(self, curves: Mapping[Stage, BatchCurve]) -> bool:
        """Plan with what several requests at a time were seen to gain. Whether the plan changed."""
        return self._replan(replace(self._plan.asked, curves=curves))

    def lower(self, group: Group) -> bool:
        """Step down after a loaded group did not fit, for good. False when there is no lower plan."""
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


def _wish(model: ModelSettings, auto: int | None) -> Wish:
    """The wish of a stage's settings. `auto` are the requests at a time where these leave it open: on a
    processor the embedded models score otherwise with several in one batch (6.2 became 3.7), so one.
    """
    return Wish(
        parallel=auto if model.parallel == "auto" else model.parallel,
        num_ctx=None if model.num_ctx == "auto" else model.num_ctx,
    )


def _kept_context(before: Plan, after: Plan, stage: Stage) -> int | None:
    """The context, if it was lowered: then it stays; otherwise it may still grow with the prompts."""
    wished = after.asked.wishes[stage].num_ctx
    return wished if before.num_ctx[stage] == after.num_ctx[stage] else after.num_ctx[stage]
