"""The command line: `introeval`."""

import sys


def main() -> None:
    """Run the command line. The dashboard comes up without loading what the other commands need."""
    if sys.argv[1:2] == ["tui"]:
        from daemon.cli.tui import main as run
    else:
        from daemon.cli.main import main as run
    run()


__all__ = ["main"]
