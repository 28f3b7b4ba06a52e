"""The commands that change something: one request to the daemon for each task."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from daemon.api import client
from daemon.cli import rerate, show
from daemon.cli.attention import acknowledge
from daemon.cli.common import ERR, OUT, AsJson, configuration
from daemon.cli.compare import tell
from daemon.cli.forget import forget
from daemon.cli.time_parsing import deadline as moment
from daemon.contracts.wire.status import DaemonStatus
from daemon.contracts.wire.tasks import TaskDetail, TaskPage
from daemon.contracts.wire.words import Order, PlaceName, Verb
from daemon.core.errors import IntroEvalError, NotRunning
from daemon.core.tasks.task import Status as TaskStatus

_PAGE = 500

TaskIds = Annotated[list[int], typer.Argument(metavar="ID...")]


def add_commands(app: typer.Typer) -> None:
    """Add the changing commands to `app`."""
    for verb, doc in (
        (Verb.CANCEL, "Cancel open tasks. Each gets a result that says so."),
        (Verb.HOLD, "Keep open tasks from being started until they are released."),
        (Verb.RELEASE, "Let held tasks be started again."),
        (Verb.DELIVER, "Deliver the last results of tasks to the outbox again."),
    ):
        _add_verb(app, verb, doc)
    for order, doc in (
        (Order.RESUME, "Continue after a pause or a drain."),
        (Order.DRAIN, "Claim no new videos, and finish the open tasks; `resume` ends it."),
        (Order.GO, "Leave stt without waiting for more uploads."),
    ):
        _add_order(app, order, doc)
    app.command()(retry)
    app.command()(acknowledge)
    app.command()(pause)
    app.command()(deadline)
    app.command()(rate)
    app.command()(accept)
    app.command()(forget)


def retry(
    task_ids: Annotated[list[int] | None, typer.Argument(metavar="[ID...]")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Every task that failed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Retry tasks that failed, were cancelled or need review, from the stage that gave no result."""
    if bool(task_ids) == failed:
        raise typer.BadParameter("give either task ids or --failed")
    socket = configuration().paths.socket
    _ask_all(socket, Verb.RETRY, task_ids or _failed(socket), as_json)


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
    try:
        when = moment(at, datetime.now().astimezone())
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc
    body = {"at": None if when is None else when.isoformat()}
    answer = client.post(configuration().paths.socket, "/deadline", body)
    _show(DaemonStatus.model_validate(answer), as_json)


def rate(
    task_id: Annotated[int | None, typer.Argument(metavar="[ID]")] = None,
    every: Annotated[bool, typer.Option("--all", help="Rate every task that has a rating.")] = False,
    extract: Annotated[bool, typer.Option("--extract", help="Extract the form again, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Rate again with the current prompts and models, wait for the results, and show what changed.

    The transcript is kept. Each new result is the next revision.
    """
    if (task_id is None) == (not every):
        raise typer.BadParameter("give either one task id or --all")
    settings = configuration()
    ids = [task_id] if task_id is not None else rerate.rated(settings.paths.socket)
    compared = rerate.rate_again(settings, ids, ERR, extract=extract)
    tell(compared, as_json=as_json)


def accept(
    place: Annotated[PlaceName, typer.Argument(metavar="inbox|outbox", help="Which folder.")],
    as_json: AsJson = False,
) -> None:
    """Accept the folder that is there now as the inbox or the outbox. Check first that it is right."""
    answer = client.post(configuration().paths.socket, f"/accept/{place}")
    _show(DaemonStatus.model_validate(answer), as_json)


def _add_verb(app: typer.Typer, verb: Verb, doc: str) -> None:
    def command(task_ids: TaskIds, as_json: AsJson = False) -> None:
        _ask_all(configuration().paths.socket, verb, task_ids, as_json)

    app.command(verb.value, help=doc)(command)


def _add_order(app: typer.Typer, order: Order, doc: str) -> None:
    def command(as_json: AsJson = False) -> None:
        _order(order, as_json)

    app.command(order.value, help=doc)(command)


def _failed(socket: Path) -> list[int]:
    """The ids of all failed tasks that can be retried, oldest first. Says how many cannot."""
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
        ERR.print(f"{told} would fail again; to see why, run: introeval attention", highlight=False)
    return sorted(ids)


def _ask_all(socket: Path, verb: Verb, ids: Sequence[int], as_json: bool) -> None:
    """Send one request for each task. One that is refused does not stop the others.

    The other errors are printed; then the first is raised. Raises NotRunning at once.
    """
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
        typer.echo(json.dumps([detail.model_dump() for detail in done], indent=2))
    elif len(done) == 1 and len(ids) == 1:
        show.task(OUT, done[0])
    elif done or not errors:
        show.tasks(OUT, TaskPage(total=len(done), tasks=list(done)))
    for error in errors[1:]:
        ERR.print(f"introeval: {error}", markup=False, highlight=False, soft_wrap=True)
    if errors:
        raise errors[0]


def _order(order: Order, as_json: bool, *, now: bool = False) -> None:
    answer = client.post(configuration().paths.socket, f"/{order}", now=now or None)
    _show(DaemonStatus.model_validate(answer), as_json)


def _show(answer: DaemonStatus, as_json: bool) -> None:
    if as_json:
        typer.echo(answer.model_dump_json(indent=2))
    else:
        show.status(OUT, answer)
