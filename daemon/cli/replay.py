"""`introeval replay`: decides again what a daemon has recorded. What it takes is imported when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.cli.common import ERR, OUT, configuration


def replay(
    file: Annotated[
        Path | None, typer.Argument(help="The record; without one, that of the configured state folder.")
    ] = None,
) -> None:
    """Decide again what the scheduler decided, and show where another decision comes of it.

    The record is log/decisions.jsonl in the state folder. It names nobody, and can go with a report.
    The exit code is 0 when every decision follows from the rules of this version, else 1.
    """
    from daemon.core.errors import RecordUnreadable
    from daemon.core.schedule.replay import Difference, replay
    from daemon.system.state_folder import DECISIONS

    file = file or configuration().paths.state / "log" / DECISIONS
    total, differences = 0, 0
    try:
        with file.open(encoding="utf-8") as lines:
            for found in replay(lines):
                total += 1
                if isinstance(found, Difference):
                    differences += 1
                    ERR.print(f"line {found.line}: decided was {found.turn.decided}", soft_wrap=True)
                    ERR.print(f"line {found.line}: follows    {found.again}", soft_wrap=True)
    except OSError as exc:
        raise RecordUnreadable(f"{file} cannot be read: {exc.strerror}; run the daemon first") from exc
    OUT.print(f"{total} decisions decided again, {total - differences} alike", highlight=False)
    if differences:
        raise typer.Exit(1)
