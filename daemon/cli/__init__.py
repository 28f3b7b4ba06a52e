"""The command line: `introeval`."""

from daemon.cli.main import main

__all__ = ["main"]
