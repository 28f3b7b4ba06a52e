"""The facts that the checks read, gathered once and concurrently. Gathering changes nothing."""

import asyncio
import os
import pwd
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.api import client
from daemon.config.load import Config
from daemon.config.sections import ModelSettings
from daemon.contracts.wire.status import DaemonStatus, GpuState, PlaceLine
from daemon.contracts.wire.words import PlaceName
from daemon.core.errors import ConfigError, EngineError, IntroEvalError, StoreError
from daemon.core.fairness.kept import KeptCard
from daemon.core.forecast.durations import PLANNED, Durations
from daemon.core.forecast.rehearsal import Rehearsal
from daemon.core.schedule.memory import MB, ModelNeed
from daemon.core.tasks.task import Stage
from daemon.forecast import read_durations
from daemon.gpu.nvml import NvmlGpu
from daemon.rehearsal.reports import last
from daemon.store import fairness, open_reader, settings
from daemon.system.place import Place
from daemon.system.state_folder import DATABASE

if TYPE_CHECKING:
    from daemon.containers.engine import DockerEngine

_ENGINE_S = 4.0  # the engine is asked before the servers, so gathering takes about 8 s at most
_SERVER_S = 4.0
_PROGRAM_S = 4.0


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The answer of a model server. `digests`: the models on its disk by name; `need`: our model's memory."""

    version: str
    digests: Mapping[str, str]
    need: ModelNeed | None = None


@dataclass(frozen=True, slots=True)
class DockerSide:
    """The answer of the Docker engine; or `problem` says why there is none, and `fix` how to fix it.

    `containers` are as `docker inspect` shows them, None for a missing one. `servers` are those of the
    running containers, or the reason why one does not answer.
    """

    version: str = ""
    problem: str = ""
    fix: str = ""
    runtimes: frozenset[str] = frozenset()
    containers: Mapping[Stage, Mapping[str, Any] | None] = field(default_factory=dict)
    servers: Mapping[Stage, ServerFacts | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """All gathered facts. `assets` names the weights that a run needs.

    `cards` are the fairness cards, the newest first. `docker` is None with another runtime. `daemon` is
    the running daemon's status, or why there is none; `places` are inbox and outbox as the daemon knows
    them or, when none runs, as its database does. `rehearsal` is the last one, or why it cannot be read.
    `durations` are those that this machine has shown.
    """

    config: Config
    file: Path | None
    environ: Mapping[str, str]
    assets: Sequence[str]
    gpu: GpuState
    daemon: DaemonStatus | str
    docker: DockerSide | None = None
    places: Sequence[PlaceLine] = ()
    cards: Sequence[KeptCard] = ()
    rehearsal: Rehearsal | str | None = None
    durations: Durations = PLANNED


async def gather(
    config: Config, file: Path | None, environ: Mapping[str, str], assets: Sequence[str]
) -> Facts:
    """Gather the facts, within some seconds even when a server does not answer."""
    gpu, daemon, docker = await asyncio.gather(
        NvmlGpu(environ).reading(), asyncio.to_thread(_daemon, config), _docker(config)
    )
    places = await asyncio.to_thread(_places, config) if isinstance(daemon, str) else daemon.places
    cards = await asyncio.to_thread(_cards, config)
    rehearsal = await asyncio.to_thread(_rehearsal, config)
    learnt = await asyncio.to_thread(_durations, config)
    return Facts(config, file, environ, tuple(assets), gpu, daemon, docker, places, cards, rehearsal, learnt)


def models_of(config: Config) -> dict[Stage, ModelSettings]:
    """The settings of the language models, by stage."""
    return {Stage.EXTRACT: config.extract, Stage.RATE: config.rate}


def me() -> str:
    """The name of the user who runs doctor, or the user id when it has no name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def said(command: Sequence[str]) -> str | None:
    """The output of a command (see finding.Said)."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_PROGRAM_S,
            check=True,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _daemon(config: Config) -> DaemonStatus | str:
    try:
        return DaemonStatus.model_validate(client.get(config.paths.socket, "/status"))
    except IntroEvalError as exc:
        return str(exc)


def _places(config: Config) -> list[PlaceLine]:
    """Inbox and outbox compared with the database; empty when that cannot be read."""
    paths = {PlaceName.INBOX: config.paths.inbox, PlaceName.OUTBOX: config.paths.outbox}
    try:
        with open_reader(config.paths.state / DATABASE) as db:
            places = [Place(name, path, settings.place(db, name, path)) for name, path in paths.items()]
    except StoreError:
        return []
    for place in places:
        place.look()
    return [PlaceLine(name=p.name, path=str(p.path), state=p.state, detail=p.detail) for p in places]


def _cards(config: Config) -> list[KeptCard]:
    """The fairness cards, the newest first; empty when the database cannot be read."""
    try:
        with open_reader(config.paths.state / DATABASE) as db:
            return fairness.cards(db)
    except StoreError:
        return []


def _durations(config: Config) -> Durations:
    """What this machine has shown; the plan when the database cannot be read."""
    try:
        with open_reader(config.paths.state / DATABASE) as db:
            return read_durations(db)
    except StoreError:
        return PLANNED


def _rehearsal(config: Config) -> Rehearsal | str | None:
    try:
        return last(config.paths.state)
    except ConfigError as exc:
        return str(exc)
    except OSError as exc:
        return f"{exc.filename} cannot be read: {exc.strerror}; run this as the daemon's account"


async def _docker(config: Config) -> DockerSide | None:
    if config.runtime != "docker":
        return None
    from daemon.containers.engine import ContainerError, DockerEngine  # the Docker SDK is slow to import

    engine = DockerEngine(config.docker.base_url, timeout_s=_ENGINE_S)
    try:
        about = await engine.call(lambda api: api.info())
        containers: dict[Stage, Mapping[str, Any] | None] = {}
        for stage, model in models_of(config).items():
            if model.container:
                containers[stage] = await _inspected(engine, model.container)
    except ContainerError as exc:
        if exc.state == "denied":
            fix = f"run: usermod -aG docker {me()}, and log in again"
            return DockerSide(problem=str(exc).rpartition("; ")[0], fix=fix)
        text, _, fix = str(exc).rpartition("; ")
        return DockerSide(problem=text or fix, fix=fix if text else "see: systemctl status docker")
    finally:
        await engine.aclose()
    asked = [
        stage
        for stage, model in models_of(config).items()
        if not model.container or (containers[stage] or {}).get("State", {}).get("Running")
    ]
    answers = await asyncio.gather(*(_server(models_of(config)[stage]) for stage in asked))
    return DockerSide(
        version=str(about.get("ServerVersion", "")),
        runtimes=frozenset(about.get("Runtimes") or ()),
        containers=containers,
        servers=dict(zip(asked, answers, strict=True)),
    )


async def _inspected(engine: "DockerEngine", name: str) -> Mapping[str, Any] | None:
    from daemon.containers.engine import ContainerError

    try:
        return await engine.call(lambda api: api.inspect_container(name))
    except ContainerError as exc:
        if exc.state != "missing":
            raise
        return None


async def _server(model: ModelSettings) -> ServerFacts | str:
    """The facts of a model's server, or why it does not answer. An OpenAI server only tells its health."""
    from daemon.containers.ready import OpenAIServer
    from daemon.llm.ollama_api import OllamaApi, full_name

    try:
        async with asyncio.timeout(_SERVER_S):
            if model.api == "openai":
                well = await OpenAIServer(model.url, model.model).answers()
                return ServerFacts("", {}) if well else f"the server at {model.url} is not healthy"
            async with OllamaApi(model.url) as api:
                version, stored = await api.version(), await api.tags()
                need = None
                for each in stored:
                    if each.name == full_name(model.model):
                        shape = await api.show(model.model)
                        need = ModelNeed(
                            model.model, each.size_bytes / MB, shape.kv_bytes_per_token, shape.max_ctx
                        )
                return ServerFacts(version, {each.name: each.digest for each in stored}, need)
    except TimeoutError:
        return f"the server at {model.url} does not answer within {_SERVER_S:g} s"
    except EngineError as exc:
        return str(exc)
