"""The plan: which engines share the GPU, with how many requests at a time and with which context.

All of it is arithmetic on the card's memory and the engines' needs (`daemon.core.schedule.memory`):

1. A group fits when the needs of its engines together are at most what the card offers.
2. Of the plans that fit, the one in which the language models finish a class first is chosen: side by side
   they take as long as the slower one, one after the other as long as both. Several requests at a time are
   faster as `batch_curve` learnt it, and no more are sent than were seen to help. By its first guess two
   models with two requests each win over one with four, and one with four over two with one each.
3. Everything stays resident only where that leaves a third of the card free, with as many requests as
   configured and the largest context: no later switch would clear the card, widen a context, or make room
   for a batch of Whisper that is larger than estimated. That is why 24 GB give both language models, and
   80 GB no switching at all.
4. On the processor the cores are shared. Servers that each compute on all of them are loaded one by one:
   their threads wait for each other at every layer, and two such servers keep each other waiting.
   Seen with two Ollamas on two cores: a class of six took 84 s one by one, and 558 s side by side.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product

from daemon.core.schedule.batch_curve import FIRST_GUESS, LEVELS, ONE_AFTER_ANOTHER, BatchCurve
from daemon.core.schedule.memory import KvCache, ModelNeed, capacity_mb
from daemon.core.schedule.phase_state import Group
from daemon.core.tasks.task import Stage

Residency = tuple[Group, ...]

CONTEXTS = (2048, 4096, 8192)
MODELS = (Stage.EXTRACT, Stage.RATE)
TOGETHER: Residency = (frozenset(Stage),)
SIDE_BY_SIDE: Residency = (frozenset({Stage.STT}), frozenset(MODELS))
ONE_BY_ONE: Residency = tuple(frozenset({stage}) for stage in Stage)

_USUAL_CONTEXT = 4096  # tokens, until a prompt was counted
_MOST_PARALLEL = LEVELS[-1]
_SETTLED = 2 / 3  # of a card may stay taken: see rule 3


@dataclass(frozen=True, slots=True)
class Wish:
    """The configuration of a language model; None leaves the choice to us.

    `slots` is the number of requests that its server was set up for (OLLAMA_NUM_PARALLEL): its KV cache has
    that size, however few are sent. None says that the server is started with the number chosen here. `kv` is
    the type of that cache.
    """

    parallel: int | None = None
    num_ctx: int | None = None
    slots: int | None = None
    kv: KvCache = KvCache.F16


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """Everything known before anything is loaded. `card_mb` is None without a GPU; then `all_cores` says
    that each model's server computes on all of the machine's cores. `whisper_card_mb` is the card's memory
    where Whisper alone uses it.

    `longest` is the longest prompt with its answer, in tokens, of the stages where it was counted; `curves`
    are what was learnt of several requests at a time, of the stages where it was.
    """

    card_mb: float | None
    whisper_mb: float
    models: Mapping[Stage, ModelNeed]
    wishes: Mapping[Stage, Wish]
    residency: Residency | None = None
    all_cores: bool = False
    whisper_card_mb: float | None = None
    longest: Mapping[Stage, int] = field(default_factory=dict)
    curves: Mapping[Stage, BatchCurve] = field(default_factory=dict)

    def curve(self, stage: Stage) -> BatchCurve:
        """What several requests at a time gain at a stage: as learnt, else as guessed for where it runs."""
        return self.curves.get(stage, ONE_AFTER_ANOTHER if self.card_mb is None else FIRST_GUESS)

    def widest(self, stage: Stage) -> int:
        """The most requests at a time that are worth it: as configured, else the fewest of the fastest. Never
        more than the server has slots.
        """
        wish = self.wishes[stage]
        slots = wish.slots or _MOST_PARALLEL
        return (
            min(wish.parallel, slots) if wish.parallel else self.curve(stage).best(min(slots, _MOST_PARALLEL))
        )


@dataclass(frozen=True)
class Plan:
    """The chosen groups in their order, with the requests at a time and the context of each model."""

    asked: PlanInputs
    groups: Residency
    parallel: Mapping[Stage, int]
    num_ctx: Mapping[Stage, int]

    @property
    def needs(self) -> Mapping[Group, float]:
        """The GPU memory that each group takes, in MB."""
        return {group: sum(self.stage_mb(stage) for stage in group) for group in self.groups}

    @property
    def capacity_mb(self) -> float | None:
        """The MB that the card offers; None without a GPU."""
        return None if self.asked.card_mb is None else capacity_mb(self.asked.card_mb)

    @property
    def fits(self) -> bool:
        """Whether each group has room. If not, part of a model will run on the processor."""
        return self.capacity_mb is None or max(self.needs.values()) <= self.capacity_mb

    @property
    def machine_mb(self) -> float:
        """The most of the machine's own memory that a group takes, in MB, where there is no GPU for all."""
        return max(map(self._beside_card_mb, self.groups))

    @property
    def lines(self) -> tuple[str, ...]:
        """The arithmetic, for people: a line for each engine and each group."""
        return (*map(self._stage_line, Stage), *map(self._group_line, self.groups))

    def slots(self, stage: Stage) -> int:
        """The number of requests that the server of a language model holds room for."""
        return self.asked.wishes[stage].slots or self.parallel[stage]

    def stage_mb(self, stage: Stage) -> float:
        """The memory of one engine, in MB."""
        if stage is Stage.STT:
            return self.asked.whisper_mb
        return self.asked.models[stage].mb(
            self.slots(stage), self.num_ctx[stage], self.asked.wishes[stage].kv
        )

    def _beside_card_mb(self, group: Group) -> float:
        on_card = self.asked.whisper_mb if Stage.STT in group and self.asked.whisper_card_mb else 0.0
        return self.needs[group] - on_card

    def _stage_line(self, stage: Stage) -> str:
        if stage is Stage.STT and not self.asked.whisper_mb:
            return "stt: a server elsewhere hears"
        if stage is Stage.STT:
            return f"stt: Whisper {_gb(self.asked.whisper_mb)}"
        model, slots, context = self.asked.models[stage], self.slots(stage), self.num_ctx[stage]
        kv = self.asked.wishes[stage].kv
        cache, each = model.kv_mb(slots, context, kv), model.kv_bytes_per_token * kv.share
        return (
            f"{stage}: {model.name}: weights {_gb(model.weights_mb)} + KV {slots} x {context} x "
            f"{each / 1024:.0f} KiB = {_gb(cache)} + "
            f"{_gb(model.overhead_mb)} = {_gb(self.stage_mb(stage))}, {self.parallel[stage]} at a time"
        )

    def _group_line(self, group: Group) -> str:
        need, offered, card = self.needs[group], self.capacity_mb, self.asked.card_mb
        names = "+".join(stage for stage in Stage if stage in group)
        if not need:
            return f"{names}: no memory of this machine"
        if offered is None or card is None:
            alone, beside = self.asked.whisper_card_mb, self._beside_card_mb(group)
            on_card = f"{_gb(need - beside)} of {_gb(capacity_mb(alone))} of the GPU" if alone else ""
            on_machine = f"{_gb(beside)} of the machine's memory, on the processor"
            return f"{names}: " + " and ".join([on_card] * (need > beside) + [on_machine] * (beside > 0))
        verdict = "fits" if need <= offered else "does not fit: part of it will run on the processor"
        return f"{names}: {_gb(need)} of {_gb(offered)} ({_gb(card)} less {_gb(card - offered)}): {verdict}"


def context_for(tokens: int | None, most: int | None = None) -> int:
    """The smallest context that holds so many tokens, else the largest there is.

    `tokens` is None when none was counted yet. `most` is the context that the model was trained for.
    """
    wanted = _USUAL_CONTEXT if tokens is None else tokens
    fitting = next((context for context in CONTEXTS if context >= wanted), CONTEXTS[-1])
    return fitting if most is None else min(fitting, most)


def make_plan(asked: PlanInputs) -> Plan:
    """The best plan that fits, by the rules of this module; when none does, the smallest."""
    if asked.card_mb is None:
        groups = asked.residency or (ONE_BY_ONE if asked.all_cores else SIDE_BY_SIDE)
        return _plan(asked, groups, {stage: asked.widest(stage) for stage in MODELS})
    plans = [plan for residency in _residencies(asked) for plan in _wider_first(asked, residency)]
    return min((plan for plan in plans if plan.fits), key=_rank, default=plans[-1])


def with_cache(asked: PlanInputs, kv: KvCache, stages: Collection[Stage] = MODELS) -> PlanInputs:
    """The same, with servers of `stages` set up anew: slots as planned here, and caches of this type."""
    anew = {stage: replace(asked.wishes[stage], slots=None, kv=kv) for stage in stages}
    return replace(asked, wishes={**asked.wishes, **anew})


def best_cache(asked: PlanInputs, stages: Collection[Stage] = MODELS) -> KvCache:
    """The type of cache for new servers: f16, unless the smaller one makes a class faster, by rule 2."""
    plans = {kv: make_plan(with_cache(asked, kv, stages)) for kv in KvCache}
    quantised, plain = (plans[kv] for kv in (KvCache.Q8_0, KvCache.F16))
    faster = quantised.fits and (not plain.fits or _rank(quantised)[0] < _rank(plain)[0])
    return KvCache.Q8_0 if asked.card_mb is not None and faster else KvCache.F16


def lower(plan: Plan, group: Group | None = None) -> Plan | None:
    """The next plan down after `group` (any, if None) did not fit when loaded; None after the last.

    First fewer requests at a time, where the server's memory shrinks with them; then a smaller context, if
    it holds the longest prompt; then fewer models at a time.
    """
    if plan.asked.card_mb is None:
        return None
    stages = [stage for stage in MODELS if group is None or stage in group]
    return _with_fewer_requests(plan, stages) or _with_less_context(plan, stages) or _split(plan, group)


def _with_fewer_requests(plan: Plan, stages: list[Stage]) -> Plan | None:
    free = {s: plan.parallel[s] for s in stages if plan.asked.wishes[s].slots is None}
    most = max(free.values(), default=1)
    if most == 1:
        return None
    fewer = {stage: _step_down(n) for stage, n in free.items() if n == most}
    return replace(plan, parallel={**plan.parallel, **fewer})


def _with_less_context(plan: Plan, stages: list[Stage]) -> Plan | None:
    less: dict[Stage, int] = {}
    for stage in stages:
        if plan.asked.wishes[stage].num_ctx is None:
            least, now = plan.asked.longest.get(stage, 0), plan.num_ctx[stage]
            smaller = [context for context in CONTEXTS if least <= context < now]
            if smaller:
                less[stage] = smaller[-1]
    return replace(plan, num_ctx={**plan.num_ctx, **less}) if less else None


def _split(plan: Plan, group: Group | None) -> Plan | None:
    if group is not None and len(group) == 1:
        return None
    fewer = next((r for r in _residencies(plan.asked) if len(r) > len(plan.groups)), None)
    if fewer is None:
        return None
    plans = list(_wider_first(plan.asked, fewer))
    return min((p for p in plans if p.fits), key=_rank, default=plans[-1])


def _residencies(asked: PlanInputs) -> tuple[Residency, ...]:
    """The residencies to choose from, the one with the most engines at a time first."""
    return (asked.residency,) if asked.residency else (TOGETHER, SIDE_BY_SIDE, ONE_BY_ONE)


def _wider_first(asked: PlanInputs, residency: Residency) -> Iterator[Plan]:
    """The plans of one residency, the one with the fewest requests at a time last."""
    ladders = [tuple(_ladder(asked, stage)) for stage in MODELS]
    for parallel in product(*ladders):
        plan = _plan(asked, residency, dict(zip(MODELS, parallel, strict=True)))
        if residency != TOGETHER or asked.residency or _may_settle(plan):
            yield plan


def _may_settle(plan: Plan) -> bool:
    """Rule 3."""
    wanted = all(plan.parallel[stage] == plan.asked.widest(stage) for stage in MODELS)
    return wanted and sum(plan.needs.values()) <= _SETTLED * (plan.asked.card_mb or 0.0)


def _plan(asked: PlanInputs, residency: Residency, parallel: Mapping[Stage, int]) -> Plan:
    """A plan with the contexts that belong to its residency."""
    contexts = {}
    for stage in MODELS:
        wished, most = asked.wishes[stage].num_ctx, asked.models[stage].most_ctx
        # A model that is never unloaded can't get a larger context later.
        tokens = CONTEXTS[-1] if len(residency) == 1 else asked.longest.get(stage)
        # Ollama accepts a context beyond the trained one, and silently gives less.
        contexts[stage] = context_for(tokens, most) if wished is None else min(wished, most or wished)
    return Plan(asked, residency, parallel, contexts)


def _ladder(asked: PlanInputs, stage: Stage) -> Iterator[int]:
    """The numbers of requests to try, the highest first. With fixed slots, fewer requests save nothing."""
    n = asked.widest(stage)
    yield n
    while asked.wishes[stage].slots is None and n > 1:
        n = _step_down(n)
        yield n


def _step_down(n: int) -> int:
    return next(step for step in reversed(LEVELS) if step < n)


def _rank(plan: Plan) -> tuple[float, int, float]:
    """Rule 2: the time of the models, in units of one request alone; then switches; then memory."""
    faster = {stage: plan.asked.curve(stage).speedup(plan.parallel[stage]) for stage in MODELS}
    seconds = [max((1 / faster[s] for s in group if s in MODELS), default=0.0) for group in plan.groups]
    return sum(seconds), len(plan.groups), sum(plan.needs.values())


def _gb(mb: float) -> str:
    return f"{mb / 1024:.1f} GB"
