"""What fills the screen when there is nothing else to show. Pure."""

from introeval_tui.rows.cells import Row, fit, row, wrap
from introeval_tui.rows.state import Link, Scene


def small_rows(width: int, height: int) -> list[Row]:
    """The terminal is too small for anything else."""
    said = f"too small: {width}x{height}; 60x15 at least (q quits)"
    return [row(width)] * (height // 2) + [row(width, (fit(said, width), "bold"))]


def never_rows(scene: Scene, width: int, height: int) -> list[Row]:
    """No daemon has answered yet: which socket, why, and what to do."""
    known = scene.known
    if known.link is Link.FOREIGN:
        lines = [
            ("The daemon speaks another version of the protocol than this dashboard.", "bold yellow"),
            ("", ""),
            ("Open the dashboard that was installed with it, or restart the daemon after an update:", ""),
            ("    sudo systemctl restart introeval", "bold"),
        ]
    else:
        lines = [("No daemon answers.", "bold red"), ("", ""), (f"why     {known.reason}", ""), ("", "")]
        if known.mend:
            lines += [(f"mend    {known.mend}", "bold"), ("", "")]
        lines += [("It is tried again by itself; R tries now, q quits.", "dim")]
    lines.insert(1, (f"socket  {scene.socket}", ""))
    lines.insert(1, ("", ""))
    rows: list[Row] = [row(width)] * max(0, (height - len(lines)) // 2 - 1)
    for text, style in lines:
        for line in wrap(text, max(10, width - 8)) if text else [""]:
            rows.append(row(width, ("    ", ""), (fit(line, max(0, width - 4)), style)))
    return rows
