"""`introeval decisions`: repeats the recorded decisions. Its imports wait until it runs."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.cli.common import configuration
from daemon.cli.exit_codes import ExitCode


def decisions(
    file: Annotated[
        Path | None, typer.Argument(help="The record; default: the one in the configured state folder.")
    ] = None,
) -> int:
    """Repeat the scheduler's recorded decisions with the rules of this version, and show each difference.

    The record is log/decisions.jsonl in the state folder. It names no student and can go with a report.
    The exit code is 0 when every decision is the same, else 1.
    """
    from daemon.cli.console import ERR, OUT
    from daemon.core.errors import RecordUnreadable
    from daemon.core.schedule.decision import LOCAL
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
                    at = f"line {found.line}" if found.node == LOCAL else f"line {found.line}, {found.node}"
                    ERR.print(f"{at}: recorded {found.decided}", soft_wrap=True)
                    ERR.print(f"{at}: now      {found.again}", soft_wrap=True)
    except OSError as exc:
        raise RecordUnreadable(f"{file} cannot be read: {exc.strerror}; run the daemon first") from exc
    OUT.print(f"{total} decisions repeated, {total - differences} the same", highlight=False)
    return ExitCode.NO if differences else ExitCode.DONE
