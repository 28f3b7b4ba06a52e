"""The rows of a screen that has no tasks to show. Pure."""

from typing import TYPE_CHECKING

from introeval_tui.rows.cells import Row, fit, row, wrap
from introeval_tui.rows.class_clock import outcomes
from introeval_tui.rows.state import Link, ListView, Query, Scene

if TYPE_CHECKING:
    from daemon.contracts.wire.status import DaemonStatus


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
        if known.fix:
            head, *others = known.fix.split("; ")
            lines += [
                (f"fix     {head}", "bold"),
                *((f"        {other}", "bold") for other in others),
                ("", ""),
            ]
        lines += [("It reconnects by itself; R tries now, q quits.", "dim")]
    lines.insert(1, (f"socket  {scene.socket}", ""))
    lines.insert(1, ("", ""))
    rows: list[Row] = [row(width)] * max(0, (height - len(lines)) // 2 - 1)
    for text, style in lines:
        for line in wrap(text, max(10, width - 8)) if text else [""]:
            rows.append(row(width, ("    ", ""), (fit(line, max(0, width - 4)), style)))
    return rows


def empty_rows(scene: Scene, query: Query, width: int) -> list[Row]:
    """The rows of a list without items: why it is empty, and what to do."""
    status = scene.known.status
    if status is None or scene.known.page is None:
        lines = ["…"]
    elif query.text:
        kind = {ListView.ALL: "task", ListView.ATTENTION: "thing that wants a person"}
        lines = [f'no {kind.get(query.view, f"{query.view} task")} matches "{query.text}"; Esc shows all']
    elif query.view is not ListView.OPEN:
        lines = [
            {
                ListView.ATTENTION: "nothing wants a person",
                ListView.ALL: "no task yet",
                ListView.DONE: "no task is done",
            }.get(query.view, f"no task has {query.view}")
        ]
    else:
        lines = _nothing_open(status)
    style = "bold" if len(lines) > 1 else "dim"
    return [
        row(width, (fit(f"   {part}", width), "" if at else style))
        for at, line in enumerate(lines)
        for part in wrap(line, max(10, width - 4))
    ]


def _nothing_open(status: "DaemonStatus") -> list[str]:
    """How the class ended and where its results are; how to name the next video."""
    outbox = next((place.path for place in status.places if place.name == "outbox"), None)
    lines: list[str] = []
    if status.clock is not None and status.clock.state == "done":
        lines = [f"The class of {status.clock.total} is done: {outcomes(status.clock)}."]
        lines += [f"The results are in {outbox}, in a folder for each student."] if outbox else []
        lines += ["v shows the done tasks, ! what wants a person.", ""]
    if status.inbox is None:
        return lines or ["nothing is open"]
    path = status.inbox.path
    lines += [f"Waiting for videos in {path}", ""]
    lines += ["Put each video into a folder named as its student, or begin its own name so:"]
    lines += [f"  {path}/s021/introduction.mp4", f"  {path}/s021_introduction.mp4"]
    return lines if len(lines) > 6 or outbox is None else [*lines, f"The results appear in {outbox}."]
