"""`introeval doctor`: looks whether everything is as the daemon needs it, and says how to mend what is not.

What has to be asked for is gathered first (`facts`); each check then is a small function of the facts that
gives findings. Nothing is changed by looking, and nothing raises for what it should report.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from daemon.config.load import Config
from daemon.core.errors import ConfigError
from daemon.doctor import containers, folders, gpu, installation, machine
from daemon.doctor.facts import Facts, gather
from daemon.doctor.finding import Finding, Level, fail, worst

CHECKS: Sequence[Callable[[Facts], list[Finding]]] = (
    installation.configuration,
    lambda _: installation.packages(),
    installation.weights,
    gpu.driver,
    gpu.room,
    containers.engine,
    containers.containers,
    containers.models,
    folders.folders,
    folders.places,
    folders.intake,
    folders.watching,
    folders.outbox_group,
    folders.disk,
    lambda _: machine.clock(),
    lambda _: machine.cage(),
    machine.socket,
    lambda _: machine.service(),
)
"""All checks, in the order in which they are told."""


async def examine(
    config: Config, file: Path | None, environ: Mapping[str, str], assets: Sequence[str]
) -> list[Finding]:
    """What all checks find. `assets` are the weights that a run with this configuration needs."""
    facts = await gather(config, file, environ, assets)
    return [finding for check in CHECKS for finding in check(facts)]


def examine_without(error: ConfigError) -> list[Finding]:
    """What can be told where the configuration can't be used: what is wrong with it, and the machine."""
    wrong = [fail("configuration", line, "mend this first") for line in str(error).splitlines()]
    return [*wrong, *installation.packages(), *machine.clock(), *machine.cage(), *machine.service()]


__all__ = ["CHECKS", "Finding", "Level", "examine", "examine_without", "worst"]
