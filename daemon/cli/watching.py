"""What stays and looks: `wait`, `events --follow`, `status --watch`. They outlive a restart of the daemon."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from daemon.api import client
from daemon.contracts.wire.base import EventLine
from daemon.contracts.wire.status import DaemonStatus
from daemon.contracts.wire.tasks import TaskPage
from daemon.core.errors import NotRunning
from daemon.core.tasks.task import Status as TaskStatus

LOOK_S = 1.0
_PAGE = 500
_AWAY_S = 60.0
_GRACE_S = 10.0  # beyond the time to settle: a file that is not taken by then can't be


def ask_status(socket: Path) -> DaemonStatus:
    """What the system is doing now. Raises NotRunning."""
    return DaemonStatus.model_validate(client.get(socket, "/status"))


def patiently(socket: Path, console: Console, look_s: float = LOOK_S) -> Iterator[DaemonStatus]:
    """The status again and again. Raises NotRunning when no daemon answers at first, or for a minute."""
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


def wait(socket: Path, settle_s: float, console: Console) -> bool:
    """Wait until nothing is left to take, to do or to deliver; held tasks are not waited for.

    Whether all went well, i.e. no task of the class failed, and no other one meanwhile. Raises NotRunning.
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
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("looking", total=None)
        for status in patiently(socket, console):
            failed = status.counts.get(TaskStatus.FAILED, 0)
            failed_before = failed if failed_before is None else failed_before
            left = status.left
            most = max(most, left)
            state = "paused" if status.paused else "draining" if status.draining else status.why
            progress.update(bar, total=most or None, completed=most - left, description=state)
            waiting = 0 if status.inbox is None or status.draining else status.inbox.waiting
            if left or not waiting:
                unclaimed_since = time.monotonic()
            taken = time.monotonic() - unclaimed_since > settle_s + _GRACE_S or not waiting
            if not left and taken and not status.undelivered:
                return failed <= failed_before and not _failed_of_class(socket, status)
    raise AssertionError("the status is asked for ever")


def _failed_of_class(socket: Path, status: DaemonStatus) -> bool:
    """Whether a task of the last class failed: the class are the newest tasks."""
    size = min(status.clock.total if status.clock else 0, _PAGE)
    if not size:
        return False
    page = TaskPage.model_validate(client.get(socket, "/tasks", limit=size))
    return any(line.status == TaskStatus.FAILED for line in page.tasks)


def follow(socket: Path, console: Console, show: Callable[[EventLine], None]) -> None:
    """Show what happens for ever. Raises NotRunning when no daemon answers at first, or for a minute."""
    after: int | None = None
    met = False
    away_since: float | None = None
    while True:
        try:
            for event in client.follow(socket, after):
                met, away_since = True, None
                if event is None:
                    console.print("events are missing here: the daemon was away for long", style="yellow")
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
