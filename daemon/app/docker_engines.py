"""Builds the node whose language models are in containers."""

import os
from collections.abc import Iterable
from pathlib import Path

from daemon.app.engines import (
    Site,
    answer_limits,
    form_extractor,
    has_gpu,
    hearing_engine,
    introduction_rater,
    memory_guard,
)
from daemon.config.load import Config
from daemon.config.sections import ModelSettings
from daemon.containers.container import Container
from daemon.containers.container_log import ContainerLog
from daemon.containers.engine import DockerEngine
from daemon.containers.host import ContainerHost
from daemon.containers.ready import OllamaServer, OpenAIServer
from daemon.containers.server_host import RemoteHost
from daemon.containers.takeover_record import TakeoverRecord
from daemon.contracts.ports import Node, Transcriber
from daemon.core.schedule.memory import ModelNeed, known_model
from daemon.core.schedule.server_setup import ServerSetup
from daemon.core.tasks.task import Stage
from daemon.node.docker import DockerNode
from daemon.system.state_folder import CONTAINERS


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
        transcriber or hearing_engine(config, site),
        form_extractor(extract, site),
        introduction_rater(rate, config, site),
        site.progress,
        memory_guard(config, site, ours),
        engine=engine,
        hosts=hosts,
        on_exit=config.docker.on_exit,
    )


def containers_file(state: Path) -> Path:
    """The file that records the containers' state from before the takeover."""
    return state / CONTAINERS


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
        return OpenAIServer(model.url, model.model, answer_limits(model), told, model.api_key_file)

    return OllamaServer(model.url, model.model, has_gpu(site), answer_limits(model))
