"""What wants a person, and that a person has seen it: `introeval attention` and `introeval acknowledge`."""

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.common import ERR, OUT, AsJson, configuration
from daemon.contracts.wire.words import AttentionKind
from daemon.core.errors import IntroEvalError, NotRunning

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.contracts.wire.attention import AttentionLine

_PAGE = 500
_INDENT = "    "


def attention(
    kind: Annotated[list[AttentionKind] | None, typer.Option(help="Only this kind.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="The most to show.")] = 100,
    offset: Annotated[int, typer.Option(min=0, max=10_000, help="Skip so many.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show what wants a person, the most urgent first: who, why, and what to do next."""
    from daemon.cli import reading
    from daemon.monitoring.attention import AttentionQuery

    page = reading.wanting(configuration(), AttentionQuery(frozenset(kind or ()), offset, limit))
    if as_json:
        print(page.model_dump_json(indent=2))
        return
    for line in page.lines:
        for text in block(line, OUT.width):
            OUT.print(text, markup=False, highlight=False, soft_wrap=True)
    told = f"wants a person: {counted(page.counts)}" if page.counts else "nothing wants a person"
    if page.lines:
        told += "; once it is dealt with, run: introeval acknowledge ID or KEY"
    ERR.print(told, markup=False, highlight=False, soft_wrap=True)
    if len(page.lines) < page.total:
        ERR.print(f"{len(page.lines)} of {page.total}; for the next page use --offset", highlight=False)


def acknowledge(
    keys: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID or KEY...]", help="Of `introeval attention`: a task, or another key."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All that wants a person now.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say that you have seen what wants a person, so that it is no longer listed."""
    from daemon.api import client

    if bool(keys) == every:
        raise typer.BadParameter("give either task ids or keys, or --all")
    socket = configuration().paths.socket
    done, errors = [], []
    for key in _every(socket) if every else keys or ():
        try:
            client.acknowledge(socket, f"task:{key}" if key.isdecimal() else key)
            done.append(key)
        except NotRunning:
            raise
        except IntroEvalError as exc:
            errors.append(exc)
    if as_json:
        print(json.dumps(done, indent=2))
    elif done or not errors:
        OUT.print(f"acknowledged: {len(done)}", highlight=False)
    for error in errors[1:]:
        ERR.print(f"introeval: {error}", markup=False, highlight=False, soft_wrap=True)
    if errors:
        raise errors[0]


def block(line: "AttentionLine", width: int) -> Iterator[str]:
    """One thing in lines of at most `width` characters: kind, key and owner, the reason, and what to do."""
    key = str(line.task_id) if line.task_id is not None else line.key
    kind = line.kind.replace("_", " ")
    head = ["" if key.startswith(f"{kind}:") else kind, key, line.who, line.what]
    yield from textwrap.wrap("  ".join(filter(None, head)), width, subsequent_indent=_INDENT)
    yield from _indented(line.reason, width)
    command = f"; run: introeval {line.verb} {line.task_id}" if line.verb and line.task_id else ""
    yield from _indented(f"next: {line.next}{command}", width)


def counted(counts: Mapping[str, int]) -> str:
    """`2 failed, 1 needs review`, for counts by kind."""
    return ", ".join(f"{n} {kind.replace('_', ' ')}" for kind, n in counts.items())


def _indented(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=_INDENT, subsequent_indent=_INDENT)


def _every(socket: "Path") -> list[str]:
    """The keys of all that wants a person."""
    from daemon.api import client

    keys: list[str] = []
    while lines := client.get(socket, "/attention", limit=_PAGE, offset=len(keys))["lines"]:
        keys += [line["key"] for line in lines]
    return keys
