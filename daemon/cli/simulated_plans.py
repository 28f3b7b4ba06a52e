"""The plan of the engines for a simulation: the daemon's own, for this machine and its containers."""

import asyncio
from collections.abc import Mapping

from daemon.config.load import Config
from daemon.core.errors import UsageError
from daemon.core.forecast.durations import Durations
from daemon.core.schedule.residency import Plan, Residency
from daemon.core.schedule.server_setup import ServerSetup
from daemon.core.tasks.task import Stage
from daemon.gpu.nvml import NvmlGpu
from daemon.placement.placement import Placement

_ENGINE_S = 4.0


def server_setups(config: Config) -> dict[Stage, ServerSetup | None]:
    """What the server in each stage's container was set up for; None without a container.

    Empty where no container decides it: the embedded servers take as many as are planned.
    """
    models = {Stage.EXTRACT: config.extract, Stage.RATE: config.rate}
    names = {stage: m.container for stage, m in models.items() if m.container and m.api == "ollama"}
    if config.runtime != "docker":
        return {}
    from daemon.containers.engine import ContainerError, DockerEngine  # the Docker SDK is slow to import

    async def look() -> dict[Stage, ServerSetup | None]:
        engine = DockerEngine(config.docker.base_url, timeout_s=_ENGINE_S)
        try:
            seen = {stage: await engine.inspect(name) for stage, name in names.items()}
        except ContainerError:
            return dict.fromkeys(names)
        finally:
            await engine.aclose()
        return {stage: state.setup if state is not None else None for stage, state in seen.items()}

    return asyncio.run(look())


def plan_of(
    config: Config,
    groups: str,
    takes: Mapping[Stage, ServerSetup | None],
    durations: Durations,
    card_mb: float | None = None,
) -> Plan:
    """The plan for this machine, or for a card of `card_mb`, with `groups` unless they are auto; without a
    container as setup makes them.

    `takes`: see `server_setups`. Raises UsageError.
    """
    if groups != "auto":
        config = config.model_copy(
            update={"gpu": config.gpu.model_copy(update={"residency": _groups(groups)})}
        )
    placement = Placement(config, card_mb or NvmlGpu().read().total_mb)
    placement.learnt(durations.curves)
    if not any(takes.values()):
        placement.set_up()
        return placement.plan
    for stage, setup in takes.items():
        placement.describe(stage, placement.plan.asked.models[stage], setup)
    return placement.plan


def _groups(text: str) -> Residency:
    try:
        groups = tuple(frozenset(map(Stage, part.split("+"))) for part in text.split("/"))
    except ValueError:
        groups = ()
    if sorted(stage for group in groups for stage in group) != sorted(Stage):
        raise UsageError(f"--residency {text}: use auto, or every stage once: stt/extract+rate")
    return groups
