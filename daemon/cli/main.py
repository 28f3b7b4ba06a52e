"""The commands. Each error that a user meets is one line, with its own exit code."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from daemon import __version__, config
from daemon.cli import show
from daemon.cli.commands import add_commands
from daemon.cli.common import ERR, OUT, AsJson, Chosen, configuration
from daemon.core.errors import IntroEvalError
from daemon.core.task import Status as TaskStatus

app = typer.Typer(
    name="introeval",
    help="Evaluates self-introduction videos: a class of videos in, one JSON result a video out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def options(
    config_file: Annotated[Path | None, typer.Option("--config", help="The configuration file.")] = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    """Options that all commands share."""
    Chosen.file = config_file
    if version:
        typer.echo(f"introeval {__version__}")
        raise typer.Exit


@app.command()
def run(
    once: Annotated[bool, typer.Option("--once", help="Work off what is in the inbox, then end.")] = False,
    runtime: Annotated[str | None, typer.Option(help="Who hosts the LLMs: embedded or docker.")] = None,
    as_json: AsJson = False,
) -> None:
    """Watch the inbox and evaluate what comes, until told to stop.

    With --once the exit code is 0 when every task was delivered and none failed, and 3 when some failed.
    """
    from daemon.cli.run import run_daemon, run_once

    settings = configuration()
    if runtime is not None:
        settings = config.load(Chosen.file, runtime=runtime)
    if not once:
        raise typer.Exit(run_daemon(settings))
    report = run_once(settings, ERR)
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2))
    else:
        show.results(OUT, report)
    raise typer.Exit(report.exit_code)


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show what the system is doing now."""
    from daemon.cli import read

    answer = read.status(configuration())
    if as_json:
        typer.echo(answer.model_dump_json(indent=2))
    else:
        show.status(OUT, answer)


@app.command()
def tasks(
    as_json: AsJson = False,
    status: Annotated[list[TaskStatus] | None, typer.Option(help="Only tasks of this status.")] = None,
    student: Annotated[str | None, typer.Option(help="Only tasks of this student.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 100,
    before: Annotated[int | None, typer.Option(help="Only tasks with a smaller id: the next page.")] = None,
) -> None:
    """List tasks, the newest first."""
    from daemon.cli import read

    lines = read.tasks(configuration(), status, student, limit, before)
    if as_json:
        typer.echo(json.dumps([line.model_dump() for line in lines], indent=2))
    else:
        show.tasks(OUT, lines)


@app.command()
def task(task_id: Annotated[int, typer.Argument(metavar="ID")], as_json: AsJson = False) -> None:
    """Show one task with its history and its files."""
    from daemon.cli import read

    detail = read.task(configuration(), task_id)
    if as_json:
        typer.echo(detail.model_dump_json(indent=2))
    else:
        show.task(OUT, detail)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a result file."""
    from daemon.core.document import result_schema

    typer.echo(json.dumps(result_schema(), indent=2))


@app.command()
def samples() -> None:
    """Copy the sample class into the inbox, if that is empty and has seen none of them yet."""
    from daemon.app import DATABASE
    from daemon.samples import hand_in

    settings = configuration()
    copies = hand_in(settings.paths.inbox, settings.paths.state / DATABASE)
    if copies:
        OUT.print(
            f"{len(copies)} sample videos copied into {settings.paths.inbox}", highlight=False, soft_wrap=True
        )
    else:
        OUT.print("no samples copied: the inbox holds files, or the samples were evaluated already")


def _add_models() -> None:
    from daemon.models.cli import models_app

    def needed() -> list[str]:
        from daemon.engines import needed_models

        return needed_models(configuration())

    app.add_typer(models_app(lambda: configuration().paths.state / "models", needed), name="models")


def main() -> None:
    """Run the command line, and end with the exit code of what happened."""
    _add_models()
    add_commands(app)
    try:
        app()
    except IntroEvalError as exc:
        for line in str(exc).splitlines():
            print(f"introeval: {line}", file=sys.stderr)
        sys.exit(exc.exit_code)
