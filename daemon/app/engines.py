"""Builds the node of either runtime from its engines."""

import os
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.config.load import Config
from daemon.config.sections import ModelSettings
from daemon.containers.container import Container
from daemon.containers.container_log import ContainerLog
from daemon.containers.engine import DockerEngine
from daemon.containers.host import ContainerHost
from daemon.containers.ready import OllamaServer, OpenAIServer
from daemon.containers.server_host import RemoteHost
from daemon.containers.takeover_record import TakeoverRecord
from daemon.contracts.ports import Media, Node, Transcriber
from daemon.contracts.signal import Signal
from daemon.contracts.values import OnAlarm
from daemon.contracts.wire.status import GpuState
from daemon.core.errors import ModelError
from daemon.core.schedule.memory import ModelNeed, known_model
from daemon.core.schedule.residency import MODELS
from daemon.core.schedule.server_setup import ServerSetup
from daemon.core.tasks.task import Stage
from daemon.gpu.guard import VramGuard
from daemon.llm.client import ModelHost
from daemon.llm.embedded import EmbeddedServer
from daemon.llm.extractor import FormExtractor
from daemon.llm.limits import ON_PROCESSOR, AnswerLimits
from daemon.llm.rater import IntroductionRater
from daemon.llm.rubric import Rubric
from daemon.models import weights_of
from daemon.monitoring.fitness import CardFlags
from daemon.monitoring.progress import Progress
from daemon.node import LocalNode
from daemon.node.docker import DockerNode
from daemon.placement.placement import ANSWER_TOKENS, Placement, tokens_of
from daemon.placement.policy import streams
from daemon.stt.decoder import MediaReader
from daemon.stt.remote import RemoteTranscriber
from daemon.stt.transcriber import WhisperEngine
from daemon.system.state_folder import CONTAINERS
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


def make_node(config: Config, site: Site) -> Node:
    """Build the node of the configured runtime. Raises ModelError when a model is not here."""
    return docker_node(config, site) if config.runtime == "docker" else embedded_node(config, site)


def embedded_node(config: Config, site: Site) -> Node:
    """A node with Whisper and llama.cpp as children of the daemon. Raises ModelError without the models."""
    state = config.paths.state
    whisper = _hearing(config, site)
    names = {stage: config.embedded.of(stage) for stage in MODELS}
    # One object for a file that serves both stages, so that it is hashed once.
    weights = {name: _model(config, name, whisper=False) for name in set(names.values())}
    extract, rate = (weights[names[stage]] for stage in MODELS)
    return LocalNode(
        whisper,
        _extractor(_server(Stage.EXTRACT, extract, state, config.extract, site.placement), site),
        _rater(_server(Stage.RATE, rate, state, config.rate, site.placement), config, site),
        site.progress,
        memory_guard(config, site, lambda: (os.getpid(),)),
    )


def docker_node(config: Config, site: Site, transcriber: Transcriber | None = None) -> Node:
    """A node with Whisper as a child of the daemon and the language models in containers.

    `transcriber` replaces Whisper. Raises ModelError without Whisper's model.
    """
    engine = DockerEngine(config.docker.base_url)
    kept = TakeoverRecord(containers_file(config.paths.state))
    extract = _host(Stage.EXTRACT, engine, kept, config, site)
    rate = _host(Stage.RATE, engine, kept, config, site)
    hosts = {host.stage: host for host in (extract, rate) if isinstance(host, ContainerHost)}

    def ours() -> Iterable[int]:
        return (os.getpid(), *(host.pid for host in hosts.values() if host.pid is not None))

    return DockerNode(
        transcriber or _hearing(config, site),
        _extractor(extract, site),
        _rater(rate, config, site),
        site.progress,
        memory_guard(config, site, ours),
        engine=engine,
        hosts=hosts,
        on_exit=config.docker.on_exit,
    )


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


def containers_file(state: Path) -> Path:
    """The file that records the containers' state from before the takeover."""
    return state / CONTAINERS


def media_reader(config: Config) -> Media:
    """The reader of students' files, which decodes in confined children."""
    return MediaReader(
        max_duration_s=config.intake.max_duration_s, log=config.paths.state / "log" / "media.log"
    )


def _model(config: Config, name: str, *, whisper: bool) -> Weights:
    """A model that is here, and of the right kind. Raises ModelError."""
    weights = weights_of(config.paths.state / "models", name)
    if weights.path.is_dir() != whisper:
        kind, key = ("a GGUF file", "stt.model") if whisper else ("a Whisper", "the models in [embedded]")
        raise ModelError(f"model {name!r} is {kind}, so it cannot be loaded for this; correct {key}")
    return weights


def _hearing(config: Config, site: Site) -> Transcriber:
    """The configured hearing engine: Whisper as a child, or a server elsewhere. Raises ModelError."""
    if config.stt.url:
        return remote_transcriber(config)
    state = config.paths.state
    more = {"has_gpu": _has_gpu(site), "on_alarm": site.on_alarm, "fitting": _fitting_batch(site)}
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
        _model(config, config.stt.model, whisper=True),
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


def _extractor(host: ModelHost, site: Site) -> FormExtractor:
    placement = site.placement
    return FormExtractor(
        host,
        site.rubric,
        lambda: placement.options(Stage.EXTRACT),
        lambda num_ctx: placement.outgrown(Stage.EXTRACT, num_ctx),
    )


def _rater(host: ModelHost, config: Config, site: Site) -> IntroductionRater:
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


def _host(
    stage: Stage, engine: DockerEngine, kept: TakeoverRecord, config: Config, site: Site
) -> ContainerHost | RemoteHost:
    """The host of a stage's model: its container, or the server at its url when no container is named."""
    model = config.extract if stage is Stage.EXTRACT else config.rate
    server = _model_server(stage, model, site)
    if not model.container:
        return RemoteHost(stage, server, model.url, site.on_alarm)

    def described(need: ModelNeed | None, setup: ServerSetup) -> None:
        if model.api == "ollama":  # the others have no such variables
            site.placement.describe(stage, need or known_model(model.model), setup)

    def lower() -> bool:
        groups = site.placement.plan.groups
        return site.placement.lower(next(group for group in groups if stage in group))

    container = Container(engine, kept, model.container, stop_timeout_s=config.docker.stop_timeout_s)
    return ContainerHost(
        stage,
        container,
        server,
        site.on_alarm,
        on_described=described,
        lower=lower,
        on_return=site.engine_returned,
        follow=ContainerLog(engine, config.paths.state / "log" / f"{stage}.log").follow,
        load_timeout_s=model.load_timeout_s,
    )


def _model_server(stage: Stage, model: ModelSettings, site: Site) -> OllamaServer | OpenAIServer:
    def told(slots: int) -> None:
        site.placement.describe(stage, known_model(model.model), ServerSetup(slots))

    if model.api == "openai":
        return OpenAIServer(model.url, model.model, _limits(model), told, model.api_key_file)

    return OllamaServer(model.url, model.model, _has_gpu(site), _limits(model))


def _has_gpu(site: Site) -> Callable[[], Awaitable[bool]]:
    async def has_gpu() -> bool:
        return (await site.read_gpu()).absent is None

    return has_gpu


def _fitting_batch(site: Site) -> Callable[[], Awaitable[int]]:
    async def fitting() -> int:
        gpu = await site.read_gpu()
        known = gpu.total_mb is not None and gpu.used_mb is not None
        return site.placement.whisper_batch((gpu.total_mb or 0) - (gpu.used_mb or 0) if known else None)

    return fitting


def _limits(model: ModelSettings, times: float = 1.0) -> AnswerLimits:
    return AnswerLimits(
        load_s=model.load_timeout_s, stall_s=model.stall_s, timeout_s=model.timeout_s, times=times
    )


def _server(
    stage: Stage, weights: Weights, state: Path, model: ModelSettings, placement: Placement
) -> EmbeddedServer:
    return EmbeddedServer(
        stage,
        weights,
        engines=state / "engines",
        log=state / "log" / f"{stage}.log",
        parallel=lambda: placement.plan.parallel[stage],
        limits=_limits(model, ON_PROCESSOR),
    )
