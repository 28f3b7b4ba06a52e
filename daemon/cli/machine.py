"""The commands of the machine: their options. What they do is imported when they run."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.common import Chosen, configuration
from daemon.cli.declare import AsJson

if TYPE_CHECKING:
    from daemon.config.load import Config


def run(
    once: Annotated[bool, typer.Option("--once", help="Process what is in the inbox, then exit.")] = False,
    dashboard: Annotated[
        bool, typer.Option("--dashboard", help="Open the dashboard, when in a terminal that can show it.")
    ] = False,
    runtime: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who hosts the LLMs: embedded or docker.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Watch the inbox and evaluate each video, until stopped.

    With --once the exit code is 0 when every task was delivered, 3 when some failed or files were refused, 2
    when it could not finish, and 13 when an earlier pause keeps all from starting.

    With --dashboard in a terminal the daemon runs in the background, and you are asked at the end whether to
    keep it running; elsewhere, or with --json, the option has no effect.
    """
    from daemon.cli import show
    from daemon.cli.attended import has_operator, run_attended
    from daemon.cli.console import ERR
    from daemon.cli.lines import say
    from daemon.cli.run import run_once
    from daemon.cli.serve import run_daemon
    from daemon.config.load import load

    def read() -> "Config":
        return load(Chosen.file, runtime=runtime)

    if dashboard and not as_json and has_operator():
        options = () if Chosen.file is None else ("--config", str(Chosen.file))
        command = () if runtime is None else ("--runtime", runtime)
        return run_attended(read(), options, command, ERR)
    if not once:
        return run_daemon(read)
    report = run_once(read(), ERR)
    if as_json:
        print(json.dumps(report.as_json(), indent=2))
    else:
        say(show.results(report))
    return report.exit_code


def config(as_json: AsJson = False) -> None:
    """Check the configuration, and name its file; with --json print every value."""
    from daemon.config.load import find
    from daemon.placement.rubric_check import check_rubric

    settings = configuration()
    check_rubric(settings, settings.prompts.folder)
    if as_json:
        print(settings.model_dump_json(indent=2))
    else:
        print(f"{find(Chosen.file) or 'the default configuration (there is no file)'} is valid")


def setup(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace containers that were not created by setup.")
    ] = False,
    restore: Annotated[
        bool, typer.Option("--restore", help="Only put back containers that a killed daemon took over.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Create the containers of the docker runtime and pull their models. A second run changes nothing."""
    from daemon.cli.setup import set_up

    set_up(dry_run=dry_run, replace=replace, restore=restore, as_json=as_json)


def doctor(as_json: AsJson = False) -> int:
    """Check the installation, and say how to fix each problem.

    The exit code is 1 when a problem keeps the daemon from working, else 0.
    """
    from daemon.cli.doctor import doctor as look

    return look(Chosen.file, as_json=as_json)


def schema(
    number: Annotated[
        int, typer.Argument(metavar="[VERSION]", min=1, max=2, help="The `schema_version` of the files.")
    ] = 2,
) -> None:
    """Print the JSON Schema of a result file."""
    from daemon.core.content.document import VERSION_1, result_schema

    print(VERSION_1.read_text().rstrip() if number == 1 else json.dumps(result_schema(), indent=2))


def samples(as_json: AsJson = False) -> None:
    """Copy the sample class into the inbox, if that is empty and the samples were not evaluated yet."""
    from daemon.cli.samples import hand_in
    from daemon.system.state_folder import DATABASE

    settings = configuration()
    copies = hand_in(settings.paths.inbox, settings.paths.state / DATABASE)
    if as_json:
        print(json.dumps({"copied": [str(copy) for copy in copies]}, indent=2))
    elif copies:
        print(f"{len(copies)} sample videos copied into {settings.paths.inbox}")
    else:
        print("no samples copied: the inbox holds files, or the samples were already evaluated")


def tui(
    socket: Annotated[
        Path | None, typer.Option(help="The daemon's socket; default: the configured one.")
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Allow no changes.")] = False,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="Draw with ASCII characters only.")] = False,
    no_mouse: Annotated[bool, typer.Option("--no-mouse", help="Leave the mouse to the terminal.")] = False,
    refresh_s: Annotated[
        float, typer.Option("--refresh", metavar="S", min=0.2, max=60.0, help="Seconds between updates.")
    ] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Print one frame as text, and exit.")] = False,
) -> int:
    """Open the dashboard of the running daemon. Closing it never affects the work."""
    from daemon.cli.tui import open_or_print

    return open_or_print(
        socket, read_only=read_only, ascii_only=ascii_only, mouse=not no_mouse, refresh_s=refresh_s, once=once
    )
