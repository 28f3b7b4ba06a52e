"""What wants a person, and that a person has seen it: `introeval attention` and `introeval acknowledge`."""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli import completing
from daemon.cli.common import configuration
from daemon.cli.declare import AsJson
from daemon.cli.lines import Line, say
from daemon.contracts.task_query import AttentionQuery
from daemon.contracts.wire.words import AttentionKind
from daemon.core.errors import IllegalTransition, IntroEvalError, NotRunning, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.contracts.wire.attention import AttentionLine

_PAGE = 500
_INDENT = "    "


def attention(
    kind: Annotated[
        list[AttentionKind] | None,
        typer.Option(metavar="KIND", help=f"Only this kind: {', '.join(AttentionKind)}."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="The most to show.")] = 100,
    offset: Annotated[int, typer.Option(min=0, max=10_000, help="Skip so many.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show what wants a person, the most urgent first: who, why, and what to do next."""
    from daemon.cli import reading

    page = reading.wanting(configuration(), AttentionQuery(frozenset(kind or ()), offset, limit))
    if as_json:
        print(page.model_dump_json(indent=2))
        return
    for line in page.lines:
        say(block(line))
    told = f"wants a person: {counted(page.counts)}" if page.counts else "nothing wants a person"
    if page.lines:
        told += "; once it is dealt with, run: introeval acknowledge ID or KEY"
    say([told], error=True)
    if offset + len(page.lines) < page.total:
        more = f"to see more, add: --offset {offset + len(page.lines)}"
        say([f"{len(page.lines)} of {page.total}; {more}"], error=True)


def acknowledge(
    keys: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ID or KEY",
            help="Of `introeval attention`: a task, or another key.",
            autocompletion=completing.tasks,
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All that wants a person now.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say that you have seen what wants a person, so that it is no longer listed."""
    from daemon.api import client

    if bool(keys) == every:
        raise UsageError("give either task ids or keys, or --all")
    socket = configuration().paths.socket
    done, errors = [], []
    for key in _every(socket) if every else keys or ():
        try:
            client.acknowledge(socket, f"task:{key}" if key.isdecimal() else key)
            done.append(key)
        except NotRunning:
            raise
        except IntroEvalError as exc:
            if not (every and isinstance(exc, IllegalTransition)):  # it is over since it was listed
                errors.append(exc)
    if as_json:
        print(json.dumps(done, indent=2))
    elif done or not errors:
        print(f"acknowledged: {len(done)}")
    for error in errors[1:]:
        print(f"introeval: {error}", file=sys.stderr)
    if errors:
        raise errors[0]


def block(line: "AttentionLine") -> Iterator[Line]:
    """One thing: kind, key and owner, below them the reason, and what to do."""
    key = str(line.task_id) if line.task_id is not None else line.key
    kind = line.kind.replace("_", " ")
    head = ["" if key.startswith(f"{kind}:") else kind, key, line.who, line.what]
    yield Line("  ".join(filter(None, head)), "bold", len(_INDENT))
    yield Line(_INDENT + line.reason, indent=0)
    command = f"; run: introeval {line.verb} {line.task_id}" if line.verb and line.task_id else ""
    yield Line(f"{_INDENT}next: {line.next}{command}", indent=0)


def counted(counts: Mapping[str, int]) -> str:
    """`2 failed, 1 needs review`, for counts by kind."""
    return ", ".join(f"{n} {kind.replace('_', ' ')}" for kind, n in counts.items())


def _every(socket: "Path") -> list[str]:
    """The keys of all that wants a person."""
    from daemon.api import client

    keys: list[str] = []
    while lines := client.get(socket, "/attention", limit=_PAGE, offset=len(keys))["lines"]:
        keys += [line["key"] for line in lines]
    return keys
