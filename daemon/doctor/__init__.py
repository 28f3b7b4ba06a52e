"""`introeval doctor`: checks the installation, and says how to fix each problem.

The facts are gathered first (`facts`); each check is a small function from facts to findings. The checks
change nothing, and raise nothing that they should report.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from daemon.config.load import Config
from daemon.core.errors import ConfigError
from daemon.doctor import cluster, containers, folders, gpu, installation, machine
from daemon.doctor.facts import Facts, gather, me
from daemon.doctor.finding import Finding, Level, fail, warn, worst
from daemon.doctor.whisper import MakeWhisper, whisper

Check = Callable[[Facts], list[Finding]]

CHECKS: Sequence[Check] = (
    installation.configuration,
    installation.rubric,
    installation.fairness,
    lambda _: installation.packages(),
    installation.weights,
    gpu.driver,
    gpu.room,
    gpu.cache,
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
    machine.rehearsal,
    cluster.cluster,
)
"""All checks, in the order in which they are printed."""


async def examine(
    config: Config,
    file: Path | None,
    environ: Mapping[str, str],
    assets: Sequence[str],
    make_whisper: MakeWhisper | None = None,
) -> list[Finding]:
    """The findings of all checks. `assets` names the weights that a run with this configuration needs.

    Without `make_whisper`, Whisper is not started.
    """
    facts = await gather(config, file, environ, assets)
    found = [finding for check in CHECKS for finding in _looked(check, facts)]
    return found if make_whisper is None else [*found, *await whisper(facts, make_whisper)]


def _looked(check: Check, facts: Facts) -> list[Finding]:
    """The findings of a check; where this user may not look, that alone, and the other checks go on."""
    try:
        return check(facts)
    except PermissionError as exc:
        name, text = check.__name__.replace("_", " "), f"{me()} may not look at {exc.filename}"
        return [warn(name, text, "run this as the daemon's account, or join its group")]


def examine_without(error: ConfigError) -> list[Finding]:
    """The findings without a valid configuration: its errors, and the checks of the machine."""
    wrong = [fail("configuration", line, "fix this first") for line in str(error).splitlines()]
    return [*wrong, *installation.packages(), *machine.clock(), *machine.cage(), *machine.service()]


__all__ = ["CHECKS", "Finding", "Level", "examine", "examine_without", "worst"]
