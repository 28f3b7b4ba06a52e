"""The help texts, made from the table of commands, the signatures and the docstrings."""

import inspect
import shutil
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from daemon.cli.declare import Parameter, parameters
from daemon.cli.table import ROWS, Group, Row

ABOUT = "Evaluate self-introduction videos: a class of videos in, one JSON result for each out."
_NARROW, _WIDE, _COLUMN = 40, 80, 26


def program(shared: Sequence[Parameter]) -> str:
    """The help of the whole program. `shared` are its own options."""
    lines = [*wrapped(ABOUT), "", "usage: introeval [OPTIONS] COMMAND ..."]
    for group in Group:
        rows = [(row.name, row.summary) for row in ROWS.values() if row.group is group]
        lines += ["", group, *_table(rows)]
    lines += ["", "Options, taken before and after the command", *_table(map(_entry, shared))]
    return "\n".join(lines)


def family(rows: Sequence[Row]) -> str:
    """The help of the commands that share their first word."""
    return "\n".join(_table([(row.name, row.summary) for row in rows]))


def command(row: Row, function: Callable[..., Any]) -> str:
    """The help of one command."""
    params = parameters(function)
    lines = [f"usage: {usage(row, params)}", ""]
    for paragraph in paragraphs(function):
        lines += [*wrapped(paragraph), ""]
    for title, chosen in (
        ("Arguments", [param for param in params if not param.flag and param.help]),
        ("Options", [param for param in params if param.flag]),
    ):
        if chosen:
            lines += [title, *_table(map(_entry, chosen)), ""]
    lines.append("It also takes --config FILE, --version and --help; see: introeval --help")
    return "\n".join(lines)


def usage(row: Row, params: Sequence[Parameter]) -> str:
    """`introeval task [OPTIONS] ID`."""
    places = [param.metavar for param in params if not param.flag]
    return " ".join(["introeval", row.name, "[OPTIONS]", *places])


def paragraphs(function: Callable[..., Any]) -> list[str]:
    """The paragraphs of the docstring, each as one line."""
    return [" ".join(part.split()) for part in inspect.cleandoc(function.__doc__ or "").split("\n\n")]


def wrapped(text: str, indent: str = "") -> list[str]:
    """The lines of a text in the width of the terminal, at most 80."""
    return textwrap.wrap(text, _width(), initial_indent=indent, subsequent_indent=indent)


def _entry(param: Parameter) -> tuple[str, str]:
    return " ".join(filter(None, (param.flag, param.metavar))), param.help


def _table(entries: "Iterator[tuple[str, str]] | Sequence[tuple[str, str]]") -> list[str]:
    """Two columns. A left side that is too wide has a line of its own."""
    found = list(entries)
    column = min(_COLUMN, max(len(left) for left, _ in found) + 4)
    lines = []
    for left, right in found:
        first, *others = textwrap.wrap(right, _width() - column) or [""]
        if len(left) + 4 > column:
            lines += [f"  {left}", f"{'':<{column}}{first}"]
        else:
            lines.append(f"  {left:<{column - 2}}{first}")
        lines += [f"{'':<{column}}{other}" for other in others]
    return lines


def _width() -> int:
    return max(_NARROW, min(shutil.get_terminal_size().columns, _WIDE))
