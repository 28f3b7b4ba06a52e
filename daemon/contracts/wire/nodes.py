"""The machines that lend their GPU, on the control socket."""

from typing import Literal

from daemon.contracts.wire.base import WireModel

NodeStanding = Literal["joining", "works", "draining", "differs", "refused"]


class MachineLine(WireModel):
    """A machine that has joined. `standing` is what it does for the class, and `why` what is in its way.

    `name` is empty while it is not known.
    """

    name: str
    address: str
    standing: NodeStanding
    why: str = ""
