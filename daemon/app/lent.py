"""A machine that lends its GPU: its node, built by its own configuration. And what it must have in common."""

import asyncio
import contextlib
import importlib.metadata
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable

from daemon import __version__
from daemon.app.engines import Site
from daemon.app.nodes import make_node
from daemon.cluster.actor import Lent
from daemon.cluster.values import MachineFacts
from daemon.config.load import Config, load
from daemon.contracts.ports import Node
from daemon.contracts.values import NodePlan, OnAlarm, OnProgress, Ticket
from daemon.core.schedule.residency import MODELS
from daemon.core.tasks.task import Stage
from daemon.gpu.nvml import NvmlGpu
from daemon.llm.rubric import Rubric
from daemon.models import weights_of
from daemon.monitoring.progress import Progress
from daemon.placement.placement import Placement
from daemon.placement.policy import node_plan
from daemon.placement.rubric_check import check_rubric
from daemon.system.state_folder import owned, write_privately

_OWNER = "the node that this machine lends"


class _Forwarded(Progress):
    """Progress that another machine shows."""

    def __init__(self, tell: OnProgress) -> None:
        super().__init__()
        self._tell = tell

    def __call__(self, ticket: Ticket, done: float) -> None:
        self._tell(ticket, done)


@contextlib.asynccontextmanager
async def lend(progress: OnProgress, on_alarm: OnAlarm) -> AsyncIterator[Lent]:
    """The node of this machine, which owns its state folder meanwhile; see `daemon.cluster.actor`.

    Raises ConfigError, ModelError, AlreadyRunning.
    """
    write_privately()
    os.environ.pop("OMP_NUM_THREADS", None)  # Ray sets it to 1, for programs that share a machine
    config = load()
    with owned(config.paths.state, by=_OWNER):
        gpu = NvmlGpu()
        check_rubric(config, config.prompts.folder)
        placement = Placement(config, (await gpu.reading()).total_mb)
        rubric = Rubric(config.prompts.folder, on_alarm)
        node = make_node(config, Site(placement, rubric, gpu.reading, _Forwarded(progress), on_alarm))
        facts = await facts_of(config, rubric, node)

        def plan() -> NodePlan:
            return node_plan(config, placement.plan)

        yield Lent(node, facts, placement.expect, gpu.reading, plan)


async def facts_of(config: Config, rubric: Rubric, node: Node) -> Callable[[], MachineFacts]:
    """What results depend on here; the rubric, and what the node has loaded, as they are then.

    Raises ModelError without the models.
    """
    models = dict(zip(Stage, await asyncio.to_thread(_models, config), strict=True))
    named = {Stage.EXTRACT: config.extract, Stage.RATE: config.rate}
    settings = {
        "runtime": config.runtime,
        "expected language": config.stt.language,
        "set of hotwords": config.stt.hotwords,
        "source of confidence": config.rate.confidence_from,
        **{
            f"sampling for {stage}": (named[stage].temperature, named[stage].top_p, named[stage].seed)
            for stage in MODELS
        },
    }

    def facts() -> MachineFacts:
        return MachineFacts(
            name=config.cluster.name or socket.gethostname(),
            python=".".join(str(part) for part in sys.version_info[:2]),
            ray=importlib.metadata.version("ray"),
            program=__version__,
            models=models,
            loaded={stage: digest for stage in Stage if (digest := node.identity(stage).get("digest"))},
            prompts=rubric.digests,
            settings=settings,
        )

    return facts


def _models(config: Config) -> list[str]:
    """The digest of each stage's model; the name of one that a server holds. Takes seconds.

    Raises ModelError.
    """
    here = config.paths.state / "models"
    stt = config.stt
    whisper = f"{stt.model} at {stt.url}" if stt.url else weights_of(here, stt.model).verify()
    if config.runtime == "docker":
        return [whisper, config.extract.model, config.rate.model]
    return [whisper, *(weights_of(here, config.embedded.of(stage)).verify() for stage in MODELS)]
