"""Builds the engines that a node of either runtime has."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.config.load import Config
from daemon.config.sections import ModelSettings
from daemon.contracts.ports import Media, Transcriber
from daemon.contracts.signal import Signal
from daemon.contracts.values import OnAlarm
from daemon.contracts.wire.status import GpuState
from daemon.core.errors import ModelError
from daemon.core.tasks.task import Stage
from daemon.gpu.guard import VramGuard
from daemon.llm.client import ModelHost
from daemon.llm.extractor import FormExtractor
from daemon.llm.limits import AnswerLimits
from daemon.llm.rater import IntroductionRater
from daemon.llm.rubric import Rubric
from daemon.models import weights_of
from daemon.monitoring.fitness import CardFlags
from daemon.monitoring.progress import Progress
from daemon.placement.placement import ANSWER_TOKENS, Placement, tokens_of
from daemon.placement.policy import streams
from daemon.stt.decoder import MediaReader
from daemon.stt.remote import RemoteTranscriber
from daemon.stt.transcriber import WhisperEngine
from daemon.system.weights import Weights

_ASIDE_CHARS = 600  # of a prompt: the figures of the speech, and the error in the last answer


@dataclass(frozen=True, slots=True)
class Site:
    """The surroundings of a node: the placement, the rubric, the GPU, the listeners, and what the fairness
    cards say of its rater.
    """

    placement: Placement
    rubric: Rubric
    read_gpu: Callable[[], Awaitable[GpuState]]
    progress: Progress
    on_alarm: OnAlarm
    engine_returned: Signal[[]] = field(default_factory=Signal)
    """Sent when the Docker engine answers again."""
    fitness: CardFlags = field(default_factory=CardFlags)


def prompt_tokens(rubric: Rubric, transcript_chars: int, form_chars: int) -> dict[Stage, int]:
    """The most tokens of a prompt and its answer, by stage, for so long a transcript and form."""
    heads = {
        Stage.EXTRACT: rubric.text("extract").chars(form_chars),
        Stage.RATE: rubric.text("rate").chars(form_chars),
    }
    return {
        stage: tokens_of(head + _ASIDE_CHARS + transcript_chars) + ANSWER_TOKENS[stage]
        for stage, head in heads.items()
    }


def media_reader(config: Config) -> Media:
    """The reader of students' files, which decodes in confined children."""
    return MediaReader(
        max_duration_s=config.intake.max_duration_s, log=config.paths.state / "log" / "media.log"
    )


def weights_for(config: Config, name: str, *, whisper: bool) -> Weights:
    """A model that is here, and of the right kind. Raises ModelError."""
    weights = weights_of(config.paths.state / "models", name)
    if weights.path.is_dir() != whisper:
        kind, key = ("a GGUF file", "stt.model") if whisper else ("a Whisper", "the models in [embedded]")
        raise ModelError(f"model {name!r} is {kind}, so it cannot be loaded for this; correct {key}")
    return weights


def hearing_engine(config: Config, site: Site) -> Transcriber:
    """The configured hearing engine: Whisper as a child, or a server elsewhere. Raises ModelError."""
    if config.stt.url:
        return remote_transcriber(config)
    state = config.paths.state
    more = {"has_gpu": has_gpu(site), "on_alarm": site.on_alarm, "fitting": _fitting_batch(site)}
    return whisper_engine(config, state, state / "log" / "stt.log", **more)


def remote_transcriber(config: Config) -> RemoteTranscriber:
    """The engine that hears by the server at `stt.url`."""
    return RemoteTranscriber(
        config.stt.url,
        config.stt.model,
        key_file=config.stt.api_key_file,
        language=config.stt.language,
        hotwords=config.stt.hotwords,
        limit_s=config.stt.limit_s,
        limit_factor=config.stt.limit_factor,
    )


def whisper_engine(config: Config, state: Path, log: Path, **more: Any) -> WhisperEngine:
    """The Whisper engine as configured, its lock below `state`. Raises ModelError without the model."""
    return WhisperEngine(
        weights_for(config, config.stt.model, whisper=True),
        state=state,
        log=log,
        device=config.stt.device,
        compute_type=config.stt.compute_type,
        batch_size=config.stt.batch_size,
        streams=streams(config.stt),
        language=config.stt.language,
        hotwords=config.stt.hotwords,
        limit_s=config.stt.limit_s,
        limit_factor=config.stt.limit_factor,
        **more,
    )


def form_extractor(host: ModelHost, site: Site) -> FormExtractor:
    """The extractor that asks `host`, with the plan's options."""
    placement = site.placement
    return FormExtractor(
        host,
        site.rubric,
        lambda: placement.options(Stage.EXTRACT),
        lambda num_ctx: placement.outgrown(Stage.EXTRACT, num_ctx),
    )


def introduction_rater(host: ModelHost, config: Config, site: Site) -> IntroductionRater:
    """The rater that asks `host`, with the plan's options."""
    placement = site.placement
    return IntroductionRater(
        host,
        site.rubric,
        lambda: placement.options(Stage.RATE),
        lambda num_ctx: placement.outgrown(Stage.RATE, num_ctx),
        voice=config.rate.confidence_from == "voice",
        fitness=site.fitness.flags,
    )


def memory_guard(config: Config, site: Site, ours: Callable[[], Iterable[int]]) -> VramGuard:
    """The guard that waits for free GPU memory. `ours` gives the ids of processes that may keep theirs."""
    return VramGuard(
        site.read_gpu,
        site.placement.need_mb,
        ours,
        site.on_alarm,
        timeout_s=config.gpu.free_timeout_s,
    )


def has_gpu(site: Site) -> Callable[[], Awaitable[bool]]:
    """A question whether there is a GPU now."""

    async def present() -> bool:
        return (await site.read_gpu()).absent is None

    return present


def _fitting_batch(site: Site) -> Callable[[], Awaitable[int]]:
    async def fitting() -> int:
        gpu = await site.read_gpu()
        known = gpu.total_mb is not None and gpu.used_mb is not None
        return site.placement.whisper_batch((gpu.total_mb or 0) - (gpu.used_mb or 0) if known else None)

    return fitting


def answer_limits(model: ModelSettings, times: float = 1.0) -> AnswerLimits:
    """The configured limits of a model's answers, with the factor `times`."""
    return AnswerLimits(
        load_s=model.load_timeout_s, stall_s=model.stall_s, timeout_s=model.timeout_s, times=times
    )
