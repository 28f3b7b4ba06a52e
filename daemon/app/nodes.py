"""The node of the configured runtime."""

from daemon.app.engines import Site
from daemon.config.load import Config
from daemon.contracts.ports import Node


def make_node(config: Config, site: Site) -> Node:
    """Build the node of the configured runtime. Raises ModelError when a model is not here."""
    if config.runtime == "docker":
        from daemon.app.docker_engines import docker_node  # the Docker SDK takes memory that embedded spares

        return docker_node(config, site)
    from daemon.app.embedded_engines import embedded_node

    return embedded_node(config, site)
