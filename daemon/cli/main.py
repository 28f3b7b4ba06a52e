"""The command line. An error is printed as one line, and its type gives the exit code."""

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from daemon import __version__
from daemon.cli import help, parse
from daemon.cli.common import Chosen
from daemon.cli.completion import ASKED
from daemon.cli.declare import Option, parameters
from daemon.cli.exit_codes import ExitCode
from daemon.cli.table import ROWS, Row, family
from daemon.core.errors import IntroEvalError, UsageError


def shared(
    config: Annotated[Path | None, Option(metavar="FILE", help="The configuration file.")] = None,
    version: Annotated[bool, Option(help="Print the version.")] = False,
    help: Annotated[bool, Option(help="Print the help of the program, or of the command.")] = False,
) -> None:
    """The options of the whole program."""


SHARED = parameters(shared)


def main() -> None:
    """Run the command line of this process, and end it with the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # None where the process was started without one
        sys.stdout.reconfigure(line_buffering=True)  # of --watch and --follow each line is wanted now
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = _unread()
    sys.exit(code)


def run(words: Sequence[str]) -> int:
    """Run a command line, print its error, and return its exit code."""
    try:
        return execute(words)
    except IntroEvalError as exc:
        for line in str(exc).splitlines():
            print(f"introeval: {line}", file=sys.stderr)
        return exc.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        return _unread()


def execute(words: Sequence[str]) -> int:
    """Run a command line, and return its exit code. Raises IntroEvalError and what the command raises."""
    if list(words[:1]) == [ASKED]:
        return _complete(words[1:])
    asked = ""
    try:
        asked, row, own = command_of(words)
        function = row.load() if row else shared
        params = [*parameters(function), *SHARED] if row else SHARED
        given = parse.split(params, own)
        if "version" in given:
            print(f"introeval {__version__}")
            return 0
        if "help" in given or row is None:
            print(help.command(row, function) if row else _help_of(asked))
            return 0
        Chosen.file = Path(given.pop("config")[-1]) if "config" in given else Chosen.file
        arguments = parse.values(parameters(function), given)
        return function(**arguments) or 0
    except UsageError as exc:
        told = " ".join(filter(None, ("introeval", asked, "--help")))
        raise UsageError(f"{exc}; run: {told}") from None


def command_of(words: Sequence[str]) -> tuple[str, Row | None, list[str]]:
    """The name of the command, its row, and its words: those before it are options of the whole program.

    Without a command the name is empty or the first word of several commands, and there is no row.
    Raises UsageError for any other name.
    """
    ahead: list[str] = []
    left = list(words)
    while left and left[0].startswith("-"):
        ahead.append(left.pop(0))
        if ahead[-1] == "--config" and left:
            ahead.append(left.pop(0))
    for count in (2, 1):
        name = " ".join(left[:count])
        if name in ROWS:
            return name, ROWS[name], [*ahead, *left[count:]]
    if not left:
        return "", None, ahead
    if family(left[0]) and (len(left) == 1 or left[1].startswith("-")):
        return left[0], None, [*ahead, *left[1:]]
    parse.split(SHARED, ahead)  # of `--confg X status` the option is wrong, and not the command X
    name = " ".join(left[:2]) if family(left[0]) else left[0]
    raise UsageError(f"there is no command {name!r}{parse.nearest(name, ROWS)}")


def _complete(words: Sequence[str]) -> int:
    from daemon.cli import completing

    for value, told in completing.candidates(words or [""], SHARED):
        print(f"{value}\t{told}" if told else value)
    return ExitCode.DONE


def _help_of(asked: str) -> str:
    return help.family(family(asked)) if asked else help.program(SHARED)


def _unread() -> int:
    """Nobody reads the output any more: end without a word."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return ExitCode.UNREAD
