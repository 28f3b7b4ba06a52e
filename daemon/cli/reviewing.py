"""`introeval review`: the results of a class in the order of doubt, in the dashboard or as a list."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.common import configuration
from daemon.cli.declare import AsJson
from daemon.cli.exit_codes import ExitCode
from daemon.cli.lines import Line, say
from daemon.core.errors import NotRunning

if TYPE_CHECKING:
    from daemon.contracts.wire.review import ReviewLine, ReviewPage


def review(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A class, or a day; the open one, or today's.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Also what is decided or released.")] = False,
    as_list: Annotated[bool, typer.Option("--list", help="Print the list, and open nothing.")] = False,
    as_json: AsJson = False,
) -> int:
    """Review the results of a class that a person has to decide on, the most doubtful first.

    In a terminal it opens the review of the dashboard, where keys accept a result or change it. Into a pipe,
    and with --list, it prints the results with the reasons to look at them.
    """
    from daemon.cli.time_parsing import day_name
    from introeval_tui import start

    wanted = day_name(name, datetime.now().astimezone()) if name else "current"
    if not (as_json or as_list) and start.full_screen():
        from daemon.cli.tui import open_or_print

        return open_or_print(None, review=wanted, review_every=every)
    pages = list(_pages(wanted, every=every))
    lines = [line for page in pages for line in page.lines]
    if as_json:
        whole = pages[0].model_dump(mode="json", exclude={"lines"})
        print(json.dumps(whole | {"lines": [line.model_dump(mode="json") for line in lines]}, indent=2))
        return ExitCode.DONE
    for line in lines:
        say(_block(line))
    left = pages[0].left
    told = f"class {pages[0].class_name}: {left} to decide on" if left else "nothing is left to decide on"
    say([f"{told}; to decide, run: introeval review, or: introeval decide ID" if left else told], error=True)
    return ExitCode.DONE


def _pages(name: str, *, every: bool) -> Iterator["ReviewPage"]:
    """All pages; at least one. Raises UnknownClass."""
    from urllib.parse import quote

    from daemon.api import client
    from daemon.cli import stored
    from daemon.contracts.wire.review import MOST_LINES, ReviewPage

    config, offset = configuration(), 0
    try:
        while True:
            path = f"/classes/{quote(name, safe='')}/review"
            page = ReviewPage.model_validate(
                client.get(config.paths.socket, path, every=every, offset=offset)
            )
            yield page
            offset += MOST_LINES
            if offset >= page.total:
                return
    except NotRunning as exc:
        yield from stored.review_pages(config, exc, name, every=every)


def _block(line: "ReviewLine") -> Iterator[Line]:
    """One result: its task, student and rating, below them the reasons to look at it."""
    task = line.task
    rating = "no rating" if task.rating is None else f"{task.rating}/10"
    by = "" if task.decided_by is None else f"decided by {task.decided_by}"
    yield Line("  ".join(filter(None, (str(task.id), task.student, line.name, rating, by))), "bold", 4)
    for doubt in line.doubts or ["nothing in it is doubtful"]:
        yield Line(f"    {doubt}", indent=2)
