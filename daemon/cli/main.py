"""The command line. An error is printed as one line, and its type gives the exit code."""

import errno
import gc
import io
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from daemon.cli import common
from daemon.cli.exit_codes import ExitCode
from daemon.core.errors import IntroEvalError, NotAllowed, StoreError, UsageError

_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE})
"""The errors of a disk, which are no fault of the program wherever they come."""
_ALLOWED = (
    "run this as an account that may, such as the daemon's (sudo -u introeval introeval ...), "
    "or join its group"
)

_TYPE = re.compile(r"Input should be ([^;,]*)(, unable to parse [^;]*)?")
_NEAR = re.compile(r"\(Possible options: ([^)]*)\)")
_KINDS = {"a valid integer": "a whole number", "a valid number": "a number"}


def main() -> None:
    """Run the command line of this process, and end it with the exit code."""
    common.collect_rarely()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # it would search all packages for them
    if instruction := os.environ.get("_INTROEVAL_COMPLETE"):
        from daemon.cli.completion import answer

        sys.exit(answer(instruction))
    if isinstance(sys.stdout, io.TextIOWrapper):  # None where the process was started without one
        sys.stdout.reconfigure(line_buffering=True)  # of --watch and --follow each line is wanted now
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = _unread()
    gc.freeze()  # on the way out Python would search all of it for garbage, an eighth of a command's time
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
    except OSError as exc:
        denied = isinstance(exc, PermissionError)
        if not denied and exc.errno not in _DISK:
            raise
        where = f"{exc.filename}: " if exc.filename else ""
        fix = _ALLOWED if denied else "free space there, or check the disk"
        print(f"introeval: {where}{exc.strerror or exc}; {fix}", file=sys.stderr)
        return NotAllowed.exit_code if denied else StoreError.exit_code


def execute(words: Sequence[str]) -> int:
    """Run a command line, and return its exit code. Raises IntroEvalError and what the command raises."""
    match list(words):  # the usual ways to open it need no typer, whose import delays the first paint
        case ["tui"]:
            return _dashboard(None)
        case ["tui", "--socket", path] if not path.startswith("-"):
            return _dashboard(Path(path))
    import typer

    from daemon.cli.tree import program

    asked = ["introeval"]
    try:
        with program().make_context("introeval", list(words), obj=asked) as context:
            return context.command.invoke(context) or ExitCode.DONE
    except typer.Exit as exc:
        return exc.exit_code
    except (typer.TyperException, UsageError) as exc:
        said = exc.format_message() if isinstance(exc, typer.TyperException) else str(exc)
        raise UsageError(f"{_plain(said)} run: {' '.join(asked)} --help") from None


def _dashboard(socket: Path | None) -> int:
    from daemon.cli.tui import open_or_print

    return open_or_print(socket)


def _plain(said: str) -> str:
    """The sentences of the library as one of our lines: no capital, and nothing but a question ends it."""
    line = " ".join(said.replace("Value error, ", "").split()).removesuffix(".")
    line = _TYPE.sub(lambda found: f"it must be {_KINDS.get(found[1], found[1])}", line)
    line = _NEAR.sub(r"(did you mean \1?)", line)
    return f"{line[:1].lower()}{line[1:]}{'' if line.endswith('?') else ';'}"


def _unread() -> int:
    """Nobody reads the output any more: end without a word."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return ExitCode.UNREAD
