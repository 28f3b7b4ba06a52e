"""Builds what the daemon has of a cluster from its configuration."""

from collections.abc import Callable

from daemon.app.engines import Site
from daemon.app.lent import facts_of
from daemon.cluster import start
from daemon.cluster.link import RayLink
from daemon.cluster.machines import Employer, Machines
from daemon.config.load import Config
from daemon.contracts.ports import Node, SupervisorSource
from daemon.contracts.wire.status import EngineReport, GpuState, NodeLine
from daemon.core.errors import ConfigError
from daemon.core.schedule.decision import LOCAL
from daemon.monitoring.node_lines import NodeLines

_LEND = "daemon.app.lent:lend"


def check_cluster(config: Config) -> None:
    """Refuse a cluster that would be open to everybody, or can't be reached. Raises ConfigError."""
    if not config.cluster.address:
        return
    if not start.installed():
        raise ConfigError(start.INSTALL)
    start.checked_token(config.cluster)


def make_machines(config: Config, site: Site, node: Node, employer: Employer) -> Machines:
    """The machines that lend their GPU, compared with this one, which has `node`; none ever where no cluster
    is configured.
    """
    cluster = config.cluster

    def link() -> RayLink:
        return RayLink(
            f"{cluster.address}:{cluster.port}",
            _LEND,
            config.paths.state / "log" / "cluster.log",
            start.environment(cluster.token_file),
        )

    return Machines(
        link,
        lambda: facts_of(config, site.rubric, node),
        employer,
        site.progress,
        lambda: site.placement.plan.asked.longest,
        site.fitness.flags,
        site.on_alarm,
    )


def make_lines(
    config: Config,
    work: SupervisorSource,
    reports: Callable[[], list[EngineReport]],
    gpu: Callable[[], GpuState],
    machines: Machines,
) -> NodeLines:
    """The nodes as they are shown; `reports` and `gpu` are this machine's."""

    def here() -> NodeLine:
        address = config.cluster.address
        return NodeLine(name=LOCAL, address=address, standing="works", engines=reports(), gpu=gpu())

    return NodeLines(work, here, lambda: machines.lines)
