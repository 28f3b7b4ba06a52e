"""`introeval nodes`: the machines that lend their GPU to the running daemon."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.common import configuration
from daemon.cli.declare import AsJson
from daemon.cli.lines import Line, say, table, width

if TYPE_CHECKING:
    from daemon.contracts.wire.status import NodeLine


def nodes(as_json: AsJson = False) -> None:
    """List the machines that have joined the running daemon, and what each does for the class.

    The first is `local`, this machine. One that differs in Python, Ray, IntroEval, a model, a prompt or a
    setting is listed with that, and has no work.
    """
    from daemon.api import client

    _tell(client.get(configuration().paths.socket, "/nodes"), as_json)


def drain(
    name: Annotated[str, typer.Argument(help="The machine's name, as `introeval nodes` shows it.")],
    off: Annotated[bool, typer.Option("--off", help="Give it work again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a machine finish what it has, and give it no more, so that it can be switched off.

    It holds until it is given work again, also through a restart of the daemon.
    """
    from urllib.parse import quote

    from daemon.api import client

    path = f"/nodes/{quote(name, safe='')}/drain"
    _tell(client.post(configuration().paths.socket, path, on=not off), as_json)


def _tell(answer: Any, as_json: bool) -> None:
    from daemon.contracts.wire.status import NodeLine

    if as_json:
        print(json.dumps(answer, indent=2))
        return
    found = [NodeLine.model_validate(line) for line in answer]
    if not found:
        say([Line("no cluster is configured: cluster.address is empty")])
        return
    heads = ("node", "address", "standing", "loaded", "in hand", "done", "GPU memory", "why")
    head, *lines = table([heads, *map(_cells, found)], width(), right=(4, 5))
    say([Line(head, "bold"), *(Line(text, _style(node)) for node, text in zip(found, lines, strict=True))])
    if len(found) == 1:
        say([Line("no other machine has joined")])


def _cells(node: "NodeLine") -> tuple[str, ...]:
    loaded = " ".join(node.group) or "-"
    if node.to is not None:
        loaded = f"loads {' '.join(node.to)}" if node.to else "stops"
    gpu, memory = node.gpu, "-"
    if gpu is not None and gpu.used_mb is not None and gpu.total_mb is not None:
        memory = f"{gpu.used_mb / 1024:.1f}/{gpu.total_mb / 1024:.1f} GB"
    figures = (str(node.in_hand), str(node.done))
    return (node.name or "-", node.address, node.standing, loaded, *figures, memory, node.why)


def _style(node: "NodeLine") -> str:
    return "" if node.standing == "works" else "yellow"
