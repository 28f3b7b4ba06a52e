"""The engines of the embedded runtime, put together into a node."""

from pathlib import Path

from daemon.config import Config, Model
from daemon.core.answers import FORM_TOKENS, RATING_TOKENS
from daemon.core.task import Stage
from daemon.llm.client import Options
from daemon.llm.embedded import EmbeddedServer
from daemon.llm.evaluator import FormExtractor, IntroductionRater
from daemon.llm.prompts import load_prompt
from daemon.models import model_path
from daemon.node import LocalNode
from daemon.plan import parallel, streams
from daemon.ports import Media, Node, OnAlarm, Progress
from daemon.stt.decoder import MediaReader
from daemon.stt.transcriber import WhisperEngine

_CONTEXT = 4096


def whisper_name(config: Config) -> str:
    """The configured Whisper model as the list of assets calls it."""
    return f"whisper-{config.stt.model}"


def needed_models(config: Config) -> list[str]:
    """The assets that a run needs."""
    return [whisper_name(config), config.embedded.model]


def embedded_node(config: Config, progress: Progress, on_alarm: OnAlarm) -> Node:
    """Whisper and llama.cpp in children of the daemon. Raises ModelError when a model is not here."""
    state = config.paths.state
    models = state / "models"
    whisper = model_path(models, whisper_name(config))
    gguf = model_path(models, config.embedded.model)
    transcriber = WhisperEngine(
        whisper,
        state=state,
        log=state / "log" / "stt.log",
        device=config.stt.device,
        compute_type=config.stt.compute_type,
        batch_size=config.stt.batch_size,
        streams=streams(config.stt),
        language=config.stt.language,
        hotwords=config.stt.hotwords,
        limit_s=config.stt.limit_s,
        limit_factor=config.stt.limit_factor,
    )
    extractor = FormExtractor(
        _server(Stage.EXTRACT, gguf, state, config.extract),
        load_prompt("extract", config.prompts.folder),
        _options(config.extract, FORM_TOKENS),
    )
    rater = IntroductionRater(
        _server(Stage.RATE, gguf, state, config.rate),
        load_prompt("rate", config.prompts.folder),
        _options(config.rate, RATING_TOKENS),
    )
    return LocalNode(transcriber, extractor, rater, progress)


def media_reader(config: Config) -> Media:
    """What reads the students' files, in children with limits."""
    return MediaReader(
        max_duration_s=config.intake.max_duration_s, log=config.paths.state / "log" / "media.log"
    )


def _server(stage: Stage, gguf: Path, state: Path, model: Model) -> EmbeddedServer:
    return EmbeddedServer(
        stage,
        gguf,
        engines=state / "engines",
        log=state / "log" / f"{stage}.log",
        parallel=parallel(model),
        num_ctx=_context(model),
        stall_s=model.stall_s,
        timeout_s=model.timeout_s,
    )


def _options(model: Model, longest_answer: int) -> Options:
    return Options(
        temperature=model.temperature,
        top_p=model.top_p,
        seed=model.seed,
        num_ctx=_context(model),
        num_predict=longest_answer,
    )


def _context(model: Model) -> int:
    return _CONTEXT if model.num_ctx == "auto" else model.num_ctx
