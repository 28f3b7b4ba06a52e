"""`introeval replay`: opens the dashboard on a day that was recorded. Its imports wait until it runs."""

import json
from typing import Annotated

import typer

from daemon.cli.common import configuration, span
from daemon.cli.declare import AsJson
from daemon.cli.exit_codes import ExitCode


def replay(
    day: Annotated[str, typer.Argument(metavar="DAY", help="Today, yesterday, or 2026-11-27.")] = "today",
    begin: Annotated[str | None, typer.Option("--from", metavar="HH:MM", help="From this time.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="HH:MM", help="Until this time.")] = None,
    speed: Annotated[float, typer.Option(min=0.1, max=1000, help="Recorded seconds a second.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Print the first picture as text, and exit.")] = False,
    as_json: AsJson = False,
) -> int:
    """Open the dashboard on a recorded day, as it was then. Nothing can be changed in it.

    P pauses, + and - change the speed, . and , go a minute on and back, > and < ten, ( and ) to the begin and
    the end. With --json the first status is printed.
    """
    from daemon.api import client
    from daemon.cli.playing import playing
    from introeval_tui import once as text
    from introeval_tui import start

    with playing(configuration(), *span(day, begin, end)) as (socket, tape):
        tape.pause()  # until the dashboard is open
        if as_json:
            print(json.dumps(client.get(socket, "/status"), indent=2))
        elif once or not start.full_screen():
            print(text.frame(socket, ascii_only=start.only_ascii(), replay=tape.badge))
        else:
            tape.play(speed)
            return start.open_dashboard(lambda: socket, ascii_only=start.only_ascii(), tape=tape)
    return ExitCode.DONE
