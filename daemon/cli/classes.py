"""`introeval class`: opens and closes a class, and shows who has handed in."""

import csv
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.common import configuration, deadline_of
from daemon.cli.declare import AsJson
from daemon.cli.lines import Line, say, table, width
from daemon.core.classes.standing import Standing
from daemon.core.errors import NotRunning

if TYPE_CHECKING:
    from daemon.contracts.wire.classes import ClassLine, ClassList, ClassShown, StudentLine

ClassArgument = Annotated[
    str | None, typer.Argument(metavar="NAME", help="A class, or a day: today, 2026-11-27. The open one.")
]
_STYLES = {
    "released": "green",
    "needs_review": "yellow",
    "held": "yellow",
    "unreadable": "red",
    "missing": "red",
}


def open_class(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name.")],
    roster: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Who should hand in: CSV, or an export of an LMS.")
    ] = None,
    deadline: Annotated[
        str | None, typer.Option(metavar="TIME", help="Until when: 10:45, '2026-11-27 10:45'.")
    ] = None,
    rubric: Annotated[Path | None, typer.Option(metavar="FOLDER", help="The folder of its rubric.")] = None,
    archive_days: Annotated[
        float | None, typer.Option(metavar="DAYS", help="How long its videos are kept.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Open a class: what is claimed from now on belongs to it.

    Without one, videos belong to the class of their day. One that was closed is opened again by its name. The
    roster says who should hand in; it can also be dropped into the inbox as roster.csv.
    """
    from daemon.cli.rosters import entries

    body: dict[str, Any] = {"name": name, "archive_days": archive_days}
    body["deadline"] = None if deadline is None else deadline_of(deadline)
    body["rubric"] = None if rubric is None else str(rubric.absolute())
    body["roster"] = None if roster is None else [each.model_dump() for each in entries(roster)]
    _tell(_posted("/classes", body), as_json=as_json)


def close(as_json: AsJson = False) -> None:
    """Close the open class: what comes later belongs to the class of its day."""
    _tell(_posted("/classes/close", None), as_json=as_json)


def roster(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, or an export of an LMS.")],
    name: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="A class; the open one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Replace the roster of a class: who should hand in."""
    from daemon.cli.rosters import entries

    body = {"roster": [each.model_dump() for each in entries(file)]}
    _tell(_posted(f"/classes/{_in_path(name)}/roster", body), as_json=as_json)


def release(
    name: ClassArgument = None,
    as_json: AsJson = False,
) -> None:
    """Accept every result of a class that is not flagged, so that it may leave for a grade book.

    Flagged ones stay held back: each wants a decision of its own, see introeval review.
    """
    _tell(_posted(f"/classes/{_in_path(name)}/release", None), as_json=as_json)


def listed(as_json: AsJson = False) -> None:
    """List the classes that were opened, the newest first."""
    from daemon.cli.plain import local

    found = _list()
    if as_json:
        print(found.model_dump_json(indent=2))
        return
    if not found.classes:
        say(["no class was opened; videos belong to the class of their day, see: introeval class show"])
    for one in found.classes:
        state = f"closed {local(one.closed_at)}" if one.closed_at else "open"
        say([f"{one.name}: {state}, opened {local(one.opened_at or '')}, {_students(one)}"])


def show(
    name: ClassArgument = None,
    standing: Annotated[
        Standing | None, typer.Option(metavar="STANDING", help="Only these: missing, needs_review, held, ...")
    ] = None,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="A table for other programs.")] = False,
) -> None:
    """Show who of a class has handed in, who is missing, and what has to be looked at."""
    shown = fetched(name)
    lines = [line for line in shown.lines if standing in (None, line.standing)]
    if as_json:
        print(shown.model_copy(update={"lines": lines}).model_dump_json(indent=2))
    elif as_csv:
        _write_csv(lines)
    else:
        say(_of_class(shown))
        rows = [_row(line) for line in lines]
        for text, line in zip(table(rows, width(), right=()) if rows else (), lines, strict=True):
            say([Line(text, _STYLES.get(line.standing, ""))])


def fetched(name: str | None) -> "ClassShown":
    """A class of the daemon, or of its database. Raises UnknownClass."""
    from urllib.parse import unquote

    from daemon.api import client
    from daemon.cli import stored
    from daemon.contracts.wire.classes import ClassShown

    config, wanted = configuration(), _in_path(name)
    try:
        return ClassShown.model_validate(client.get(config.paths.socket, f"/classes/{wanted}"))
    except NotRunning as exc:
        return stored.class_shown(config, exc, unquote(wanted))


def _in_path(name: str | None) -> str:
    """A class or a day in the path of a route; the current one without a name."""
    from urllib.parse import quote

    from daemon.cli.time_parsing import day_name

    return quote(day_name(name, datetime.now().astimezone()) if name else "current", safe="")


def _list() -> "ClassList":
    from daemon.api import client
    from daemon.cli import stored
    from daemon.contracts.wire.classes import ClassList

    config = configuration()
    try:
        return ClassList.model_validate(client.get(config.paths.socket, "/classes"))
    except NotRunning as exc:
        return stored.class_list(config, exc)


def _posted(path: str, body: dict[str, Any] | None) -> "ClassShown":
    from daemon.api import client
    from daemon.contracts.wire.classes import ClassShown

    return ClassShown.model_validate(client.post(configuration().paths.socket, path, body))


def _tell(shown: "ClassShown", *, as_json: bool) -> None:
    if as_json:
        print(shown.model_dump_json(indent=2))
    else:
        say(_of_class(shown))


def _of_class(shown: "ClassShown") -> Iterator[Line | str]:
    from daemon.cli.plain import local

    state = "" if shown.opened_at is None else ", closed" if shown.closed_at else ", open"
    until = f", until {local(shown.deadline)}" if shown.deadline else ""
    yield Line(f"class {shown.name}{state}{until}", "bold")
    counts = shown.counts
    of = f" of {shown.students}" if shown.students else ""
    told = [f"{counts['handed_in']}{of} handed in"]
    words = {"missing": "missing", "unreadable": "unreadable", "needs_review": "need review"}
    words |= {"held": "held back", "released": "released", "in_work": "in work"}
    words |= {"doubled": "more than once", "late": "late"}
    words |= {"unknown": "not on the roster"} if shown.students else {}
    told += [f"{counts[key]} {said}" for key, said in words.items() if counts[key]]
    yield ", ".join(told)


def _students(one: "ClassLine") -> str:
    return f"{one.students} on the roster" if one.students else "no roster"


def _row(line: "StudentLine") -> tuple[str, ...]:
    tasks = " ".join(map(str, line.tasks))
    rating = "" if line.rating is None else f"{line.rating}/10"
    notes = [line.held] if line.standing != "released" else []
    notes += ["late"] * line.late + ["not on the roster"] * line.unknown
    notes += [f"decided by {line.decided_by}"] if line.decided_by else []
    return (
        line.student,
        line.name,
        line.standing.replace("_", " "),
        rating,
        tasks,
        "; ".join(filter(None, notes)),
    )


def _write_csv(lines: "list[StudentLine]") -> None:
    from daemon.contracts.wire.classes import StudentLine
    from daemon.core.classes.cells import cell

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(StudentLine.model_fields)
    for line in lines:
        values = line.model_dump(mode="json").values()
        writer.writerow([cell(" ".join(map(str, v)) if isinstance(v, list) else v) for v in values])
