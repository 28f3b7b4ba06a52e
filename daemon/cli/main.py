"""The commands. An error is printed as one line, and its type gives the exit code."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from daemon import __version__
from daemon.cli import show
from daemon.cli.common import ERR, OUT, AsJson, Chosen, configuration
from daemon.cli.decisions import decisions
from daemon.cli.read_commands import add_looking
from daemon.cli.replay import replay
from daemon.cli.simulate import simulate
from daemon.cli.tui import SUMMARY
from daemon.cli.write_commands import add_commands
from daemon.config.load import Config, find, load
from daemon.core.errors import IntroEvalError

app = typer.Typer(
    name="introeval",
    help="Evaluate self-introduction videos: a class of videos in, one JSON result for each out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"introeval {__version__}")
        raise typer.Exit


@app.callback()
def options(
    config_file: Annotated[Path | None, typer.Option("--config", help="The configuration file.")] = None,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Options that all commands share."""
    Chosen.file = config_file


@app.command()
def run(
    once: Annotated[bool, typer.Option("--once", help="Process what is in the inbox, then exit.")] = False,
    dashboard: Annotated[
        bool, typer.Option("--dashboard", help="Open the dashboard, when in a terminal that can show it.")
    ] = False,
    runtime: Annotated[str | None, typer.Option(help="Who hosts the LLMs: embedded or docker.")] = None,
    as_json: AsJson = False,
) -> None:
    """Watch the inbox and evaluate each video, until stopped.

    With --once the exit code is 0 when every task was delivered, 3 when some failed or files were refused, 2
    when it could not finish, and 13 when an earlier pause keeps all from starting.
    With --dashboard in a terminal the daemon runs in the background, and you are asked at the end whether to
    keep it running; elsewhere, or with --json, the option has no effect.
    """
    from daemon.cli.attended import has_operator, run_attended
    from daemon.cli.run import run_once
    from daemon.cli.serve import run_daemon

    def read() -> Config:
        return load(Chosen.file, runtime=runtime)

    if dashboard and not as_json and has_operator():
        options = () if Chosen.file is None else ("--config", str(Chosen.file))
        command = () if runtime is None else ("--runtime", runtime)
        raise typer.Exit(run_attended(read(), options, command, ERR))
    if not once:
        raise typer.Exit(run_daemon(read))
    report = run_once(read(), ERR)
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2))
    else:
        show.results(OUT, report)
    raise typer.Exit(report.exit_code)


@app.command("config")
def check(as_json: AsJson = False) -> None:
    """Check the configuration, and name its file; with --json print every value."""
    from daemon.placement.rubric_check import check_rubric

    settings = configuration()
    check_rubric(settings, settings.prompts.folder)
    if as_json:
        typer.echo(settings.model_dump_json(indent=2))
    else:
        file = find(Chosen.file)
        typer.echo(f"{file or 'the default configuration (there is no file)'} is valid")


@app.command()
def setup(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace containers that were not created by setup.")
    ] = False,
    restore: Annotated[
        bool, typer.Option("--restore", help="Only put back containers that a killed daemon took over.")
    ] = False,
) -> None:
    """Create the containers of the docker runtime and pull their models. A second run changes nothing."""
    from daemon.cli.setup import set_up

    set_up(dry_run=dry_run, replace=replace, restore=restore)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check the installation, and say how to fix each problem.

    The exit code is 1 when a problem keeps the daemon from working, else 0.
    """
    from daemon.cli.doctor import doctor as look

    raise typer.Exit(look(Chosen.file, as_json=as_json))


@app.command()
def schema() -> None:
    """Print the JSON Schema of a result file."""
    from daemon.core.content.document import result_schema

    typer.echo(json.dumps(result_schema(), indent=2))


@app.command()
def samples() -> None:
    """Copy the sample class into the inbox, if that is empty and the samples were not evaluated yet."""
    from daemon.cli.samples import hand_in
    from daemon.system.state_folder import DATABASE

    settings = configuration()
    copies = hand_in(settings.paths.inbox, settings.paths.state / DATABASE)
    if copies:
        OUT.print(
            f"{len(copies)} sample videos copied into {settings.paths.inbox}", highlight=False, soft_wrap=True
        )
    else:
        OUT.print("no samples copied: the inbox holds files, or the samples were already evaluated")


@app.command(
    help=SUMMARY,
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def tui(context: typer.Context) -> None:
    """Pass all arguments on: the dashboard parses its options itself."""
    from daemon.cli.tui import main as run

    run(context.args)


def _add_models() -> None:
    from daemon.models.cli import models_app

    def needed() -> list[str]:
        from daemon.app.engines import needed_models

        return needed_models(configuration())

    app.add_typer(models_app(lambda: configuration().paths.state / "models", needed), name="models")


def _add_rubric() -> None:
    from daemon.cli.rubric import rubric_app

    app.add_typer(rubric_app, name="rubric")


def main() -> None:
    """Run the command line. An IntroEvalError ends the process with the exit code of its type."""
    _add_models()
    add_looking(app)
    add_commands(app)
    app.command()(simulate)
    app.command()(decisions)
    app.command()(replay)
    _add_rubric()
    try:
        app()
    except IntroEvalError as exc:
        for line in str(exc).splitlines():
            print(f"introeval: {line}", file=sys.stderr)
        sys.exit(exc.exit_code)
