"""The command line: `introeval`."""

import sys


def main() -> None:
    """Run the command line. `tui` is dispatched here: importing typer would delay the first paint."""
    if sys.argv[1:2] == ["tui"]:
        from daemon.cli import tui

        tui.main()
    else:
        from daemon.cli.main import main as run_any

        run_any()


__all__ = ["main"]
