"""The commands that change something: each is one request to the daemon."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from daemon import client
from daemon.cli import rerate, show
from daemon.cli.common import ERR, OUT, AsJson, configuration
from daemon.wire import Order, Status, TaskDetail, Verb

TaskId = Annotated[int, typer.Argument(metavar="ID")]


def add_commands(app: typer.Typer) -> None:
    """Give `app` the commands."""
    for verb, doc in (
        (Verb.CANCEL, "Cancel an open task; a result says so."),
        (Verb.HOLD, "Keep an open task from being started until it is released."),
        (Verb.RELEASE, "Let a held task go on."),
        (Verb.RETRY, "Take up a failed, cancelled or doubtful task again, where it came to nothing."),
    ):
        _add_verb(app, verb, doc)
    for order, doc in (
        (Order.PAUSE, "Start nothing new; what runs may end, and videos are still taken in."),
        (Order.RESUME, "Go on after a pause."),
        (Order.GO, "Leave stt without waiting for more uploads."),
    ):
        _add_order(app, order, doc)

    @app.command()
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


def _add_verb(app: typer.Typer, verb: Verb, doc: str) -> None:
    def command(task_id: TaskId, as_json: AsJson = False) -> None:
        _ask(verb, task_id, as_json)

    app.command(verb.value, help=doc)(command)


def _add_order(app: typer.Typer, order: Order, doc: str) -> None:
    def command(as_json: AsJson = False) -> None:
        answer = Status.model_validate(client.post(configuration().paths.socket, f"/{order}"))
        _print(OUT, answer, as_json)

    app.command(order.value, help=doc)(command)


def _ask(verb: Verb, task_id: int, as_json: bool) -> None:
    answer = client.post(configuration().paths.socket, f"/tasks/{task_id}/{verb}")
    _print(OUT, TaskDetail.model_validate(answer), as_json)


def _print(console: Console, answer: Status | TaskDetail, as_json: bool) -> None:
    if as_json:
        typer.echo(answer.model_dump_json(indent=2))
    elif isinstance(answer, Status):
        show.status(console, answer)
    else:
        show.task(console, answer)
