"""One frame as plain text, for scripts and for terminals that cannot draw. Does not import Textual."""

import asyncio
import time
from pathlib import Path

from introeval_tui.link.client import Client, Unreachable
from introeval_tui.link.poll import Poller
from introeval_tui.rows import empty_states, header, panels, table
from introeval_tui.rows.cells import Row, to_ascii
from introeval_tui.rows.state import Link, Query, Scene, Snapshot, daemon_now

_WIDTH = 120
_MOST_ROWS = 500


async def _ask(path: Path) -> Snapshot:
    poller = Poller(Client(path), time.monotonic, lambda _: None)
    return await poller.once()


def frame(path: Path, *, ascii_only: bool = False, width: int = _WIDTH, replay: str = "") -> str:
    """The board as text, one line a row, without colours. `replay` is the badge of a recorded day.

    Raises Unreachable.
    """
    known = asyncio.run(_ask(path))
    if known.link is not Link.UP or known.status is None or known.page is None:
        raise Unreachable(known.reason or "the daemon has another version of the protocol", known.fix)
    now = time.monotonic()
    scene = Scene(known, daemon_now(known, time.time(), now), now, str(path), replay=replay)
    listing = known.page
    rows: list[Row] = [*header.top_rows(scene, width), *panels.alarm_rows(scene, width, 100)]
    rows.append(table.title_row(listing, Query(), 0, width, focused=False))
    rows += table.table_rows(
        listing, scene, width, min(len(listing.items), _MOST_ROWS) + 1, first=0, cursor=-1
    )
    if not listing.total:
        rows += empty_states.empty_rows(scene, Query(), width)
    lines = ("".join(text for text, _ in pieces).rstrip() for pieces in rows)
    return "\n".join(to_ascii(line) if ascii_only else line for line in lines)
