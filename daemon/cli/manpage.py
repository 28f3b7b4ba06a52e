"""The man page, made from the tree of commands: `python -m daemon.cli.manpage > introeval.1`."""

import inspect
from collections.abc import Iterable, Iterator

import typer
from typer.core import TyperCommand

from daemon import __version__
from daemon.cli.exit_codes import meanings
from daemon.cli.table import ROWS, Group, Row
from daemon.cli.tree import ABOUT, CommandGroup, made, program

_FILES = (
    ("./introeval.toml", "The configuration, if --config and INTROEVAL_CONFIG name none."),
    ("/etc/introeval/introeval.toml", "The configuration of the service."),
)
_VARIABLES = (
    ("INTROEVAL_CONFIG", "The configuration file."),
    ("INTROEVAL_TABLE__KEY", "Overrides a key of the configuration: INTROEVAL_BATCH__SIZE=5."),
    ("COLUMNS", "The width of the output, also into a pipe."),
    ("NO_COLOR", "Print no colours."),
)


def page() -> Iterator[str]:
    """The lines of the page."""
    root = program()
    yield f'.TH INTROEVAL 1 "" "introeval {__version__}" "User Commands"'
    yield from (".SH NAME", rf"introeval \- {_text(ABOUT[0].lower() + ABOUT[1:].rstrip('.'))}")
    yield from (".SH SYNOPSIS", r".B introeval", _text("[OPTIONS] COMMAND ..."))
    yield from (".SH OPTIONS", "These are taken before and after the command.")
    everywhere = _records(root)
    yield from _entries(everywhere)
    yield ".SH COMMANDS"
    for group in Group:
        yield f'.SS "{_text(group)}"'
        for row in ROWS.values():
            if row.group is group:
                yield from _command(row, everywhere)
    yield ".SH EXIT STATUS"
    yield from _entries((str(code), text) for code, text, _ in meanings())
    yield from (".SH ENVIRONMENT", *_entries(_VARIABLES))
    yield from (".SH FILES", *_entries(_FILES))


def _command(row: Row, everywhere: list[tuple[str, str]]) -> Iterator[str]:
    command = made(row)
    pieces = command.collect_usage_pieces(typer.Context(command))
    yield from (".TP", rf"\fB{_text(' '.join(['introeval', row.name, *pieces]))}\fR")
    for at, paragraph in enumerate(inspect.cleandoc(command.help or "").split("\n\n")):
        yield from (*([".IP"] if at else []), _text(" ".join(paragraph.split())))
    shown = [record for record in _records(command) if record not in everywhere]
    if shown:
        yield from (".RS", *_entries(shown), ".RE")


def _records(command: TyperCommand | CommandGroup) -> list[tuple[str, str]]:
    """The options and arguments as in the help."""
    context = typer.Context(command)
    found = (each.get_help_record(context) for each in command.get_params(context))
    return [record for record in found if record]


def _entries(found: Iterable[tuple[str, str]]) -> Iterator[str]:
    for left, right in found:
        yield from (".TP", rf"\fB{_text(left)}\fR", _text(right))


def _text(said: str) -> str:
    """Text that troff takes as it is. A line that begins with a dot or an apostrophe would be a request."""
    plain = said.replace("\\", r"\e").replace("-", r"\-").replace("`", "").replace("~", r"\(ti")
    return rf"\&{plain}" if plain.startswith((".", "'")) else plain


if __name__ == "__main__":
    print("\n".join(page()))
