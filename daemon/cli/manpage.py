"""The man page, made from the table of commands: `python -m daemon.cli.manpage > introeval.1`."""

from collections.abc import Iterator

from daemon import __version__
from daemon.cli.declare import Parameter, parameters
from daemon.cli.exit_codes import meanings
from daemon.cli.help import ABOUT, paragraphs, usage
from daemon.cli.main import SHARED
from daemon.cli.table import ROWS, Group

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
    yield f'.TH INTROEVAL 1 "" "introeval {__version__}" "User Commands"'
    yield from (".SH NAME", rf"introeval \- {_text(ABOUT[0].lower() + ABOUT[1:].rstrip('.'))}")
    yield from (".SH SYNOPSIS", r".B introeval", _text("[OPTIONS] COMMAND ..."))
    yield from (".SH OPTIONS", "These are taken before and after the command.")
    yield from _entries((_left(param), param.help) for param in SHARED)
    yield ".SH COMMANDS"
    for group in Group:
        yield f'.SS "{_text(group)}"'
        for row in ROWS.values():
            if row.group is group:
                yield from _command(row.name)
    yield ".SH EXIT STATUS"
    yield from _entries((str(code), text) for code, text, _ in meanings())
    yield from (".SH ENVIRONMENT", *_entries(iter(_VARIABLES)))
    yield from (".SH FILES", *_entries(iter(_FILES)))


def _command(name: str) -> Iterator[str]:
    row = ROWS[name]
    function = row.load()
    params = parameters(function)
    yield from (".TP", rf"\fB{_text(usage(row, params))}\fR")
    for at, paragraph in enumerate(paragraphs(function)):
        yield from (*([".IP"] if at else []), _text(paragraph))
    shown = [param for param in params if param.help]
    if shown:
        yield from (".RS", *_entries((_left(param), param.help) for param in shown), ".RE")


def _left(param: Parameter) -> str:
    return f"{param.flag} {param.metavar}".strip()


def _entries(found: "Iterator[tuple[str, str]]") -> Iterator[str]:
    for left, right in found:
        yield from (".TP", rf"\fB{_text(left)}\fR", _text(right))


def _text(said: str) -> str:
    """Text that troff takes as it is. A line that begins with a dot or an apostrophe would be a request."""
    plain = said.replace("\\", r"\e").replace("-", r"\-").replace("`", "").replace("~", r"\(ti")
    return rf"\&{plain}" if plain.startswith((".", "'")) else plain


if __name__ == "__main__":
    print("\n".join(page()))
