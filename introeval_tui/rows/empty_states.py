"""The rows of a screen that has no tasks to show. Pure."""

from introeval_tui.rows.cells import Row, fit, row, wrap
from introeval_tui.rows.state import Link, Scene


def small_rows(width: int, height: int) -> list[Row]:
    """The rows for a terminal that is too small for the board."""
    said = f"too small: {width}x{height}; needs at least 60x15 (q quits)"
    return [row(width)] * (height // 2) + [row(width, (fit(said, width), "bold"))]


def never_rows(scene: Scene, width: int, height: int) -> list[Row]:
    """The rows while no daemon has answered yet: the socket, the reason, and what to do."""
    known = scene.known
    if known.link is Link.FOREIGN:
        lines = [
            ("The daemon has another version of the protocol than this dashboard.", "bold yellow"),
            ("", ""),
            ("Open the dashboard that was installed with it, or restart an updated daemon; run:", ""),
            ("    sudo systemctl restart introeval", "bold"),
        ]
    else:
        lines = [("No daemon answers.", "bold red"), ("", ""), (f"why     {known.reason}", ""), ("", "")]
        if known.mend:
            lines += [(f"fix     {known.mend}", "bold"), ("", "")]
        lines += [("It reconnects by itself; R tries now, q quits.", "dim")]
    lines.insert(1, (f"socket  {scene.socket}", ""))
    lines.insert(1, ("", ""))
    rows: list[Row] = [row(width)] * max(0, (height - len(lines)) // 2 - 1)
    for text, style in lines:
        for line in wrap(text, max(10, width - 8)) if text else [""]:
            rows.append(row(width, ("    ", ""), (fit(line, max(0, width - 4)), style)))
    return rows
