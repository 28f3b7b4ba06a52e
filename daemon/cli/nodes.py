"""`introeval nodes`: the machines that lend their GPU to the running daemon."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.common import configuration
from daemon.cli.declare import AsJson
from daemon.cli.lines import Line, say

if TYPE_CHECKING:
    from daemon.contracts.wire.nodes import MachineLine


def nodes(as_json: AsJson = False) -> None:
    """List the machines that have joined the running daemon, and what each does for the class.

    One that differs in Python, Ray, IntroEval, a model, a prompt or a setting is listed with that, and has no
    work.
    """
    from daemon.api import client

    _tell(client.get(configuration().paths.socket, "/nodes"), as_json)


def drain(
    name: Annotated[str, typer.Argument(help="The machine's name, as `introeval nodes` shows it.")],
    off: Annotated[bool, typer.Option("--off", help="Give it work again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a machine finish what it has, and give it no more, so that it can be switched off.

    It holds until the daemon starts anew.
    """
    from urllib.parse import quote

    from daemon.api import client

    path = f"/nodes/{quote(name, safe='')}/drain"
    _tell(client.post(configuration().paths.socket, path, on=not off), as_json)


def _tell(answer: Any, as_json: bool) -> None:
    from daemon.contracts.wire.nodes import MachineLine

    if as_json:
        print(json.dumps(answer, indent=2))
        return
    machines = [MachineLine.model_validate(line) for line in answer]
    say([_line(machine) for machine in machines] or [Line("no other machine has joined")])


def _line(machine: "MachineLine") -> Line:
    why = f": {machine.why}" if machine.why else ""
    style = "" if machine.standing == "works" else "yellow"
    return Line(f"{machine.name or '-':<16} {machine.address:<15} {machine.standing}{why}", style)
