"""Builds the node whose language models are children of the daemon."""

import os
from pathlib import Path

from daemon.app.engines import (
    Site,
    answer_limits,
    form_extractor,
    hearing_engine,
    introduction_rater,
    memory_guard,
    weights_for,
)
from daemon.config.load import Config
from daemon.config.sections import ModelSettings
from daemon.contracts.ports import Node
from daemon.core.schedule.residency import MODELS
from daemon.core.tasks.task import Stage
from daemon.llm.embedded import EmbeddedServer
from daemon.llm.limits import ON_PROCESSOR
from daemon.node import LocalNode
from daemon.placement.placement import Placement
from daemon.system.weights import Weights


def embedded_node(config: Config, site: Site) -> Node:
    """A node with Whisper and llama.cpp as children of the daemon. Raises ModelError without the models."""
    state = config.paths.state
    whisper = hearing_engine(config, site)
    names = {stage: config.embedded.of(stage) for stage in MODELS}
    # One object for a file that serves both stages, so that it is hashed once.
    weights = {name: weights_for(config, name, whisper=False) for name in set(names.values())}
    extract, rate = (weights[names[stage]] for stage in MODELS)
    return LocalNode(
        whisper,
        form_extractor(_server(Stage.EXTRACT, extract, state, config.extract, site.placement), site),
        introduction_rater(_server(Stage.RATE, rate, state, config.rate, site.placement), config, site),
        site.progress,
        memory_guard(config, site, lambda: (os.getpid(),)),
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
        limits=answer_limits(model, ON_PROCESSOR),
    )
