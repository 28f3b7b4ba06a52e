"""The table of the configuration about other machines."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from daemon.config.sections import Settings

PORTS = 100
"""The ports that a machine of a cluster takes, from `cluster.port` on."""

NodeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
"""What a machine may be called: it is shown, logged and a part of paths of the control socket."""


class ClusterSettings(Settings):
    """Other machines that lend their GPU. Needs the extra `introeval[cluster]`; see "More than one box"."""

    address: str = ""
    """This machine's address in the network of the lab. On the machine that has the inbox, the daemon gives
    work to the others once it is set; empty: one box."""
    head: str = ""
    """On a machine that lends its GPU: the address of the machine that has the inbox, as `10.0.0.1` or
    `lab1:7300`; `introeval node join` goes there."""
    port: Annotated[int, Field(ge=1024, le=65_000)] = 7300
    """The first of a hundred ports on which the machines reach each other."""
    token_file: Path = Path("cluster-token")
    """The secret that all machines share, which `introeval node token` makes. Whoever has it can run any
    program on all of them."""
    name: NodeName | Literal[""] = ""
    """What this machine is called where several are shown; empty: its host name."""
