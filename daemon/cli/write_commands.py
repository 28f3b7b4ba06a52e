"""The commands that change something: each is one request to the daemon for each thing to be changed."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from daemon.api import client
from daemon.cli import rerate, show
from daemon.cli.common import ERR, OUT, AsJson, configuration
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
    """Give `app` the commands."""
    for verb, doc in (
        (Verb.CANCEL, "Cancel open tasks; a result of each says so."),
        (Verb.HOLD, "Keep open tasks from being started until they are released."),
        (Verb.RELEASE, "Let held tasks go on."),
        (Verb.DELIVER, "Put the last results of tasks into the outbox again."),
    ):
        _add_verb(app, verb, doc)
    for order, doc in (
        (Order.RESUME, "Go on after a pause or a drain."),
        (Order.DRAIN, "Take nothing new, and work off what is open; `resume` ends it."),
        (Order.GO, "Leave stt without waiting for more uploads."),
    ):
        _add_order(app, order, doc)
    app.command()(retry)
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
    """Take up failed, cancelled or doubtful tasks again, where they came to nothing."""
    if bool(task_ids) == failed:
        raise typer.BadParameter("name tasks, or say --failed")
    socket = configuration().paths.socket
    _ask_all(socket, Verb.RETRY, task_ids or _failed(socket), as_json)


def pause(
    now: Annotated[
        bool, typer.Option("--now", help="End what runs, too: it waits again and is charged nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start nothing new; what runs may end, and videos are still taken in."""
    _order(Order.PAUSE, as_json, now=now)


def deadline(
    at: Annotated[str, typer.Argument(metavar="10:45|+15m|none", help="By when the class is to be done.")],
    as_json: AsJson = False,
) -> None:
    """Set the time by which the class is to be done; the class clock goes by it."""
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
    extract: Annotated[bool, typer.Option("--extract", help="Read the form anew, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Rate again with the prompts and models of now, wait for it, and show what changed.

    The transcript is kept. Each new result is the next revision.
    """
    if (task_id is None) == (not every):
        raise typer.BadParameter("name one task, or say --all")
    socket = configuration().paths.socket
    ids = [task_id] if task_id is not None else rerate.rated(socket)
    compared = rerate.rate_again(socket, ids, ERR, extract=extract)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in compared], indent=2))
    else:
        show.comparison(OUT, compared)


def accept(
    place: Annotated[PlaceName, typer.Argument(metavar="inbox|outbox", help="Which folder.")],
    as_json: AsJson = False,
) -> None:
    """Take the folder that stands there now for the inbox or the outbox, once you know it is right."""
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
    """Every task that failed, the oldest first."""
    ids: list[int] = []
    before = None
    while True:
        answer = client.get(socket, "/tasks", status=TaskStatus.FAILED.value, limit=_PAGE, before=before)
        lines = TaskPage.model_validate(answer).tasks
        if not lines:
            return sorted(ids)
        before = lines[-1].id
        ids += [line.id for line in lines]


def _ask_all(socket: Path, verb: Verb, ids: Sequence[int], as_json: bool) -> None:
    """Ask for the same for each; what can't be done for one keeps none of the others from it.

    Raises the first error, once all have been asked for and the others are told of.
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
