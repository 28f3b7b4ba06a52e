"""`introeval ledger`: what each switch found on the GPU, and who held what it lacked."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from daemon.cli.common import configuration
from daemon.cli.declare import AsJson
from daemon.cli.lines import Line, say

if TYPE_CHECKING:
    from daemon.contracts.wire.status import Holder, PhaseSpan

_HEAD = "when         group          took  freed foreign needed margin  held by"
_CELLS = 17  # for the holders, in a line of 80


def ledger(as_json: AsJson = False) -> None:
    """Show the last switches: seconds, memory in MB, and the process that held most of the foreign memory.

    Margin is what stayed free beyond the need. Below a switch that had to wait or failed stands why.
    """
    from daemon.cli import reading

    spans = reading.switches(configuration())
    if as_json:
        print(json.dumps([span.model_dump() for span in spans], indent=2))
    elif spans:
        say([Line(_HEAD, "bold"), *(line for span in reversed(spans) for line in _lines(span))])
    else:
        say(["no switch yet"])


def _lines(span: "PhaseSpan") -> Iterator[Line]:
    from daemon.cli.plain import local

    took = "-" if span.switch_s is None else f"{span.switch_s:.1f}s"
    memory = (span.freed_mb, span.foreign_mb, span.needed_mb, span.margin_mb)
    freed, foreign, needed, margin = ("-" if mb is None else f"{mb:.0f}" for mb in memory)
    figures = f"{took:>6} {freed:>6} {foreign:>7} {needed:>6} {margin:>6}"
    when, group = local(span.started_at)[5:16], "+".join(span.group)
    yield Line(f"{when}  {group:<12} {figures}  {_held(span.holders)}".rstrip())
    if span.refused:
        yield Line(f"             {span.refused}", "red", 0)


def _held(holders: "list[Holder]") -> str:
    """The largest holder, and how many more there are."""
    if not holders:
        return ""
    first = max(holders, key=lambda holder: holder.memory_mb or 0.0)
    more = f" +{len(holders) - 1}" if len(holders) > 1 else ""
    return f"{first.pid} {first.user} {first.name}"[: _CELLS - len(more)] + more
