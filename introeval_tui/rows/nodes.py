"""The rows about the nodes of a class, where other machines lend their GPU. Pure."""

from collections import Counter
from typing import TYPE_CHECKING

from rich.cells import cell_len

from introeval_tui.rows import words
from introeval_tui.rows.cells import Piece, Row, clean, fit, row
from introeval_tui.rows.format import gigabytes

if TYPE_CHECKING:
    from daemon.contracts.wire.status import DaemonStatus, NodeLine

_NAME, _GROUP = 10, 10


def several(status: "DaemonStatus") -> bool:
    """Whether there are other machines."""
    return len(status.nodes) > 1


def node_row(node: "NodeLine", width: int) -> Row:
    """A node: what it has loaded, in hand and done, and its GPU's memory; or why it has no work."""
    look = words.node(node.standing)
    pieces: list[Piece] = [
        (f" {look.sign} ", look.style),
        (fit(node.name or node.address, _NAME) + " ", "bold" if node.group else ""),
    ]
    if node.standing not in ("works", "draining"):
        told = f"{look.word}: {node.why}" if node.why else look.word
        return row(width, *pieces, (fit(told, max(0, width - _NAME - 4)), look.style))
    if node.to is not None:
        pieces.append((fit(f"↻ {words.group_name(node.to)}", _GROUP), "yellow"))
    else:
        pieces.append((fit(words.group_name(node.group), _GROUP), words.group_style(node.group)))
    pieces.append((f" {node.in_hand} run ", ""))
    pieces.append((f"{node.done} done ", "") if node.standing == "works" else (f"{look.word} ", look.style))
    if node.gpu is not None and node.gpu.used_mb is not None:
        pieces.append((f"{gigabytes(node.gpu.used_mb)}G", ""))
    return row(width, *pieces)


def nodes_line(status: "DaemonStatus", width: int) -> Row:
    """All nodes in one row: each with what it does or, where there is no room, how many do what."""
    pieces: list[Piece] = [(" ", "")]
    for node in status.nodes:
        look = words.node(node.standing)
        doing = f"{words.group_name(node.group)} {node.in_hand}" if node.group else "idle"
        if node.to is not None:
            doing = f"↻ {words.group_name(node.to)}"
        told = doing if node.standing == "works" else look.word
        pieces += [(f"{clean(node.name or node.address)} ", ""), (f"{look.sign} {told}   ", look.style)]
    if sum(cell_len(text) for text, _ in pieces) <= width:
        return row(width, *pieces)
    in_hand = sum(node.in_hand for node in status.nodes)
    pieces = [(f" {len(status.nodes)} nodes, {in_hand} run:", "")]
    for standing, count in Counter(node.standing for node in status.nodes).items():
        look = words.node(standing)
        pieces.append((f"  {look.sign} {count} {look.word}", look.style))
    return row(width, *pieces)
