"""Checks of what this machine shares with others."""

from daemon.cluster import start
from daemon.config.cluster import PORTS
from daemon.core.errors import ConfigError, two_parts
from daemon.doctor.facts import Facts
from daemon.doctor.finding import Finding, fail, ok, warn

_CHECK = "cluster"
_EVERYBODY = ("0.0.0.0", "::", "*")


def cluster(facts: Facts) -> list[Finding]:
    """Whether other machines can be reached safely; nothing is said where none are configured."""
    settings = facts.config.cluster
    if not settings.address and not settings.head:
        return []
    if not start.installed():
        return [fail(_CHECK, *two_parts(start.INSTALL))]
    try:
        start.checked_token(settings)
    except ConfigError as exc:
        return [fail(_CHECK, *two_parts(str(exc)))]
    if settings.address in _EVERYBODY:
        fix = "set it to this machine's address in the lab's network"
        return [fail(_CHECK, f"cluster.address {settings.address} is no address of one machine", fix)]
    ports = f"{settings.port} to {settings.port + PORTS - 1}"
    return [
        ok(_CHECK, f"{'the head' if settings.address else f'lends its GPU to {settings.head}'}; token found"),
        warn(
            _CHECK,
            f"Ray listens on all addresses of this machine, ports {ports}, and encrypts nothing",
            "let nothing but the lab's network in: by IPAddressAllow of the units, or a firewall",
        ),
    ]
