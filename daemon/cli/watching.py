"""Commands that keep polling: `wait`, `events --follow`, `status --watch`. They outlive a daemon restart."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from daemon.api import client
from daemon.cli.exit_codes import ExitCode
from daemon.cli.lines import Line, say
from daemon.contracts.wire.base import EventLine
from daemon.contracts.wire.status import DaemonStatus
from daemon.contracts.wire.tasks import TaskPage
from daemon.core.errors import NotRunning
from daemon.core.tasks.task import Status as TaskStatus

LOOK_S = 1.0
_PAGE = 500
_AWAY_S = 60.0  # longer than a restart takes
_GRACE_S = 10.0  # beyond the settle time: a file that is not claimed by then cannot be claimed


def ask_status(socket: Path) -> DaemonStatus:
    """The daemon's status. Raises NotRunning."""
    return DaemonStatus.model_validate(client.get(socket, "/status"))


def patiently(socket: Path, console: Console, look_s: float = LOOK_S) -> Iterator[DaemonStatus]:
    """Yield the status every `look_s`. Raises NotRunning when none answers at first, or for a minute."""
    yield ask_status(socket)
    away_since: float | None = None
    while True:
        time.sleep(look_s)
        try:
            answer = ask_status(socket)
        except NotRunning:
            now = time.monotonic()
            if away_since is None:
                console.print("the daemon does not answer; waiting for it", style="yellow")
                away_since = now
            if now - away_since > _AWAY_S:
                raise
        else:
            away_since = None
            yield answer


def wait(socket: Path, settle_s: float, console: Console) -> ExitCode:
    """Wait until nothing is left to claim, work on or deliver; held tasks are not waited for.

    Gives UNFINISHED, and says why on stderr, when files are left that are not claimed; SOME_FAILED when a
    task failed meanwhile, or of those that were open together before; else DONE. Raises NotRunning.
    """
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    failed_before: int | None = None
    most = 0
    unclaimed_since = time.monotonic()
    # Without a terminal it would show nothing but an empty line.
    shown = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with shown as progress:
        bar = progress.add_task("reading the status", total=None)
        for status in patiently(socket, console):
            failed = status.counts.get(TaskStatus.FAILED, 0)
            failed_before = failed if failed_before is None else failed_before
            left = status.left
            most = max(most, left)
            state = "paused" if status.paused else "draining" if status.draining else status.why
            progress.update(bar, total=most or None, completed=most - left, description=state)
            waiting = 0 if status.inbox is None else status.inbox.waiting
            if left or not waiting:
                unclaimed_since = time.monotonic()
            given_up = status.draining or time.monotonic() - unclaimed_since > settle_s + _GRACE_S
            if left or status.undelivered or (waiting and not given_up):
                continue
            if waiting:
                say([Line(_unclaimed(waiting, draining=status.draining), "yellow")], error=True)
                return ExitCode.UNFINISHED
            well = failed <= failed_before and not _failed_of_last(socket, status)
            return ExitCode.DONE if well else ExitCode.SOME_FAILED
    raise AssertionError("the status never ends")


def _unclaimed(count: int, *, draining: bool) -> str:
    told = f"{count} files in the inbox are" if count > 1 else "1 file in the inbox is"
    if draining:
        return f"{told} not claimed, since a drain was ordered; to have them claimed, run: introeval resume"
    why = "empty, unreadable, still being written, or held up by an alarm"
    return f"{told} not claimed: perhaps {why}; see: introeval status"


def _failed_of_last(socket: Path, status: DaemonStatus) -> bool:
    """Whether a task failed of the newest of the class, back to the last time that none was open."""
    size = min(status.clock.total if status.clock else 0, _PAGE)
    page = TaskPage.model_validate(client.get(socket, "/tasks", limit=max(1, size)))
    since = ""  # of these, the first was claimed then
    for line in page.tasks[:size]:
        if line.ended_at is not None and line.ended_at < since:
            break
        if line.status == TaskStatus.FAILED:
            return True
        since = min(since, line.claimed_at) if since else line.claimed_at
    return False


def follow(socket: Path, console: Console, show: Callable[[EventLine], None]) -> None:
    """Show events until interrupted. Raises NotRunning when none answers at first, or for a minute."""
    after: int | None = None
    met = False
    away_since: float | None = None
    while True:
        try:
            for event in client.follow(socket, after):
                met, away_since = True, None
                if event is None:
                    console.print("events are missing here: the daemon was away too long", style="yellow")
                    after = None
                else:
                    after = event.id
                    show(event)
        except NotRunning:
            now = time.monotonic()
            away_since = away_since or now
            if not met or now - away_since > _AWAY_S:
                raise
        time.sleep(LOOK_S)
