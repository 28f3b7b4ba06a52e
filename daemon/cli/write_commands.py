"""The commands that change something: one request to the daemon for each task."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.cli.common import configuration, deadline_of
from daemon.cli.declare import TASK, AsJson
from daemon.contracts.wire.words import Order, PlaceName, Verb
from daemon.core.errors import IntroEvalError, NotRunning, UsageError
from daemon.core.tasks.task import Status as TaskStatus

_PAGE = 500

TaskIds = Annotated[list[int], TASK]


def cancel(task_ids: TaskIds, as_json: AsJson = False) -> None:
    """Cancel open tasks. Each gets a result that says so."""
    _ask_all(Verb.CANCEL, task_ids, as_json)


def hold(task_ids: TaskIds, as_json: AsJson = False) -> None:
    """Keep open tasks from being started until they are released."""
    _ask_all(Verb.HOLD, task_ids, as_json)


def release(task_ids: TaskIds, as_json: AsJson = False) -> None:
    """Let held tasks be started again."""
    _ask_all(Verb.RELEASE, task_ids, as_json)


def next_(
    task_ids: TaskIds,
    undo: Annotated[bool, typer.Option("--undo", help="Let them wait for their turn again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put open tasks before all others that do not run yet.

    The loaded engines are left for them as soon as running attempts end, which may cost a switch each way.
    """
    _ask_all(Verb.IN_TURN if undo else Verb.NEXT, task_ids, as_json)


def deliver(task_ids: TaskIds, as_json: AsJson = False) -> None:
    """Deliver the last results of tasks to the outbox again."""
    _ask_all(Verb.DELIVER, task_ids, as_json)


def resume(as_json: AsJson = False) -> None:
    """Continue after a pause or a drain."""
    _order(Order.RESUME, as_json)


def drain(as_json: AsJson = False) -> None:
    """Claim no new videos, and finish the open tasks; `resume` ends it."""
    _order(Order.DRAIN, as_json)


def go(as_json: AsJson = False) -> None:
    """Leave stt without waiting for more uploads."""
    _order(Order.GO, as_json)


def retry(
    task_ids: Annotated[list[int] | None, TASK] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Every task that failed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Retry tasks that failed, were cancelled or need review, from the stage that gave no result."""
    if bool(task_ids) == failed:
        raise UsageError("give either task ids or --failed")
    _ask_all(Verb.RETRY, task_ids or _failed(configuration().paths.socket), as_json)


def pause(
    now: Annotated[
        bool, typer.Option("--now", help="Also end running attempts: they wait again and are not charged.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start nothing new. Running attempts may end, and videos are still claimed."""
    _order(Order.PAUSE, as_json, now=now)


def deadline(
    at: Annotated[str, typer.Argument(metavar="10:45|+15m|none", help="When the class must be done.")],
    as_json: AsJson = False,
) -> None:
    """Set the deadline of the class, which the class clock is measured against."""
    from daemon.api import client

    answer = client.post(configuration().paths.socket, "/deadline", {"at": deadline_of(at)})
    _show(answer, as_json)


def rate(
    task_id: Annotated[int | None, TASK] = None,
    every: Annotated[bool, typer.Option("--all", help="Rate every task that has a rating.")] = False,
    extract: Annotated[bool, typer.Option("--extract", help="Extract the form again, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Rate again with the current prompts and models, wait for the results, and show what changed.

    The transcript is kept. Each new result is the next revision.
    """
    from daemon.cli import rerate
    from daemon.cli.compare import tell
    from daemon.cli.console import ERR

    if (task_id is None) == (not every):
        raise UsageError("give either one task id or --all")
    settings = configuration()
    ids = [task_id] if task_id is not None else rerate.rated(settings.paths.socket)
    compared = rerate.rate_again(settings, ids, ERR, extract=extract)
    tell(compared, as_json=as_json)


def accept(
    place: Annotated[PlaceName, typer.Argument(metavar="inbox|outbox", help="Which folder.")],
    as_json: AsJson = False,
) -> None:
    """Accept the folder that is there now as the inbox or the outbox. Check first that it is right."""
    from daemon.api import client

    answer = client.post(configuration().paths.socket, f"/accept/{place}")
    _show(answer, as_json)


def _failed(socket: Path) -> list[int]:
    """The ids of all failed tasks that can be retried, oldest first. Says how many cannot."""
    from daemon.api import client
    from daemon.contracts.wire.tasks import TaskPage

    left = 0
    ids: list[int] = []
    before = None
    while True:
        answer = client.get(socket, "/tasks", status=TaskStatus.FAILED.value, limit=_PAGE, before=before)
        lines = TaskPage.model_validate(answer).tasks
        if not lines:
            break
        before = lines[-1].id
        ids += [line.id for line in lines if Verb.RETRY in line.can]
        left += sum(Verb.RETRY not in line.can for line in lines)
    if left:
        told = "1 failed task" if left == 1 else f"{left} failed tasks"
        print(f"{told} would fail again; to see why, run: introeval attention", file=sys.stderr)
    return sorted(ids)


def _ask_all(verb: Verb, ids: Sequence[int], as_json: bool) -> None:
    """Send one request for each task. One that is refused does not stop the others.

    The other errors are printed; then the first is raised. Raises NotRunning at once.
    """
    from daemon.api import client
    from daemon.cli import show
    from daemon.cli.lines import say
    from daemon.contracts.wire.tasks import TaskDetail, TaskPage

    socket = configuration().paths.socket
    done: list[TaskDetail] = []
    errors: list[IntroEvalError] = []
    for task_id in ids:
        try:
            done.append(TaskDetail.model_validate(client.post(socket, f"/tasks/{task_id}/{verb}")))
        except NotRunning:
            raise
        except IntroEvalError as exc:
            errors.append(exc)
    if as_json:
        print(json.dumps([detail.model_dump() for detail in done], indent=2))
    elif len(done) == 1 and len(ids) == 1:
        say(show.task(done[0]))
    elif done or not errors:
        say(show.tasks(TaskPage(total=len(done), tasks=list(done))))
    for error in errors[1:]:
        print(f"introeval: {error}", file=sys.stderr)
    if errors:
        raise errors[0]


def _order(order: Order, as_json: bool, *, now: bool = False) -> None:
    from daemon.api import client

    answer = client.post(configuration().paths.socket, f"/{order}", now=now or None)
    _show(answer, as_json)


def _show(answer: Any, as_json: bool) -> None:
    from daemon.cli import show
    from daemon.cli.lines import say
    from daemon.contracts.wire.status import DaemonStatus

    status = DaemonStatus.model_validate(answer)
    if as_json:
        print(status.model_dump_json(indent=2))
    else:
        say(show.status(status))
