"""The commands that only read. Without a daemon they read its database, and say so."""

import contextlib
import json
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli import completing
from daemon.cli.common import configuration, span
from daemon.cli.declare import TASK, AsJson
from daemon.contracts.task_query import TaskQuery
from daemon.contracts.wire.words import LogSource, TaskOrder
from daemon.core.errors import UsageError
from daemon.core.tasks.task import Outcome
from daemon.core.tasks.task import Status as TaskStatus

if TYPE_CHECKING:
    from daemon.contracts.wire.base import EventLine
    from daemon.contracts.wire.status import DaemonStatus


def status(
    as_json: AsJson = False,
    as_plain: Annotated[
        bool, typer.Option("--plain", help="All facts as plain sentences, for screen readers.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Print it at every change, until ctrl+c.")] = False,
) -> None:
    """Show the daemon's status: the phase, the tasks, the class clock and the alarms."""
    from daemon.cli import reading, show

    settings = configuration()
    if not watch:
        _show_status(reading.status(settings), as_json=as_json, as_plain=as_plain)
        return
    from daemon.cli import watching
    from daemon.cli.console import ERR

    looks = watching.patiently(settings.paths.socket, ERR)
    try:
        if as_json or as_plain:
            last = None
            for answer in looks:
                said = _without_clock(answer)
                if said != last:
                    _show_status(answer, as_json=as_json, as_plain=as_plain, indent=None)
                last = said
        else:
            from rich.live import Live
            from rich.text import Text

            from daemon.cli.console import OUT

            with Live(console=OUT, auto_refresh=False) as live:
                for answer in looks:
                    lines = (Text(line.text, line.style) for line in show.status(answer))
                    live.update(Text("\n").join(lines), refresh=True)
    except KeyboardInterrupt:
        return


def tasks(
    as_json: AsJson = False,
    status: Annotated[
        list[TaskStatus] | None,
        typer.Option(metavar="STATUS", help=f"Only tasks of this status: {', '.join(TaskStatus)}."),
    ] = None,
    outcome: Annotated[
        list[Outcome] | None,
        typer.Option(metavar="OUTCOME", help=f"Only tasks with this outcome: {', '.join(Outcome)}."),
    ] = None,
    flag: Annotated[list[str] | None, typer.Option(help="Only tasks with this flag, of the newest.")] = None,
    student: Annotated[
        str | None, typer.Option(help="Only tasks of this student.", autocompletion=completing.students)
    ] = None,
    find: Annotated[str, typer.Option("--find", help="Only tasks whose student or file has this text.")] = "",
    only_open: Annotated[bool, typer.Option("--open", help="Only tasks that are not done.")] = False,
    refused: Annotated[
        bool, typer.Option("--refused", help="The last refused files with the reasons, and no tasks.")
    ] = False,
    order: Annotated[TaskOrder, typer.Option(help="The order; age: the newest first.")] = TaskOrder.AGE,
    descending: Annotated[bool, typer.Option("--descending", help="Reverse the order.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=500, help="The most tasks to show.")] = 100,
    offset: Annotated[int, typer.Option(min=0, max=10_000, help="Skip so many tasks.")] = 0,
    before: Annotated[int | None, typer.Option(help="Only tasks with a smaller id: the next page.")] = None,
) -> None:
    """List tasks, by default the newest first."""
    from daemon.cli import reading, show
    from daemon.cli.lines import say

    if refused:
        lines = reading.refused(configuration(), limit)
        if as_json:
            print(json.dumps([line.model_dump() for line in lines], indent=2))
        else:
            say(show.refused(lines))
        return
    for code in flag or ():
        _check_flag(code)
    wanted = TaskQuery(
        statuses=frozenset(status or ()),
        outcomes=frozenset(outcome or ()),
        flags=frozenset(flag or ()),
        student=student,
        text=find,
        only_open=only_open,
        order=order,
        descending=descending,
        offset=offset,
        limit=limit,
        before=before,
    )
    page = reading.tasks(configuration(), wanted)
    if as_json:
        print(page.model_dump_json(indent=2))
    else:
        say(show.tasks(page))
        say(show.more_tasks(page, offset), error=True)


def task(task_id: Annotated[int, TASK], as_json: AsJson = False) -> None:
    """Show one task with its history, its files and its last rating."""
    from daemon.cli import reading, show
    from daemon.cli.lines import say
    from daemon.cli.show_answers import answers

    settings = configuration()
    detail = reading.task(settings, task_id)
    if as_json:
        print(detail.model_dump_json(indent=2))
        return
    say(show.task(detail))
    for result in reading.results(settings, task_id)[-1:]:
        say(answers(result, demo=detail.demo))


def wait(as_json: AsJson = False) -> int:
    """Wait until every video is claimed, worked on and delivered.

    Held tasks are not waited for. The exit code is 0, 3 when one of those that were open failed, or 2 when
    files in the inbox are not claimed.
    """
    from daemon.cli import watching
    from daemon.cli.console import ERR

    settings = configuration()
    code = watching.wait(settings.paths.socket, settings.intake.settle_s, ERR)
    if as_json:
        print(watching.ask_status(settings.paths.socket).model_dump_json(indent=2))
    return code


def events(
    as_json: AsJson = False,
    follow: Annotated[bool, typer.Option("--follow", help="Show new events, until ctrl+c.")] = False,
    day: Annotated[
        str | None, typer.Option(metavar="DAY", help="All events of today, yesterday, or 2026-11-27.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="HH:MM", help="Only from this time of the day; alone: of today.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The most events to show.")] = 100,
) -> None:
    """Show the last events, or those of a day; with --json one object a line."""
    from daemon.cli import reading, show
    from daemon.cli.lines import say

    settings = configuration()

    def show_one(event: "EventLine") -> None:
        if as_json:
            print(event.model_dump_json())
        else:
            say([show.event(event)])

    if follow:
        from daemon.cli import watching
        from daemon.cli.console import ERR

        with contextlib.suppress(KeyboardInterrupt):
            watching.follow(settings.paths.socket, ERR, show_one)
    elif day or since:
        for line in reading.kept_events(settings, *span(day or "today", since, None)):
            show_one(line)
    else:
        for line in reading.events(settings, limit):
            show_one(line)


def logs(
    source: Annotated[LogSource, typer.Argument(help="Whose log.")] = LogSource.DAEMON,
    task_id: Annotated[int | None, typer.Option("--task", help="Only lines that name this task.")] = None,
    lines: Annotated[int, typer.Option(min=1, max=2000, help="The most lines to show.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Show the last lines of a log."""
    from daemon.cli import reading
    from daemon.cli.lines import say
    from daemon.cli.plain import local

    found = reading.logs(configuration(), source, task_id, lines)
    if as_json:
        print(json.dumps([line.model_dump() for line in found], indent=2))
        return
    say(f"{local(line.at)} {line.text}" if line.at else line.text for line in found)


def _check_flag(code: str) -> None:
    """Raise UsageError for a flag that no result can have."""
    import difflib

    from daemon.core.content.reasons import IN_WORDS

    if code not in IN_WORDS:
        (near,) = difflib.get_close_matches(code, IN_WORDS, n=1, cutoff=0.0)
        raise UsageError(f"there is no flag {code!r}; did you mean {near}?")


def _show_status(answer: "DaemonStatus", *, as_json: bool, as_plain: bool, indent: int | None = 2) -> None:
    from daemon.cli import show
    from daemon.cli.lines import say
    from daemon.cli.plain import plain

    if as_json:
        print(answer.model_dump_json(indent=indent))
    elif as_plain:
        for line in plain(answer):
            print(line)
    else:
        say(show.status(answer))


def _without_clock(answer: "DaemonStatus") -> "DaemonStatus":
    """The answer without the fields that change although nothing happens."""
    return answer.model_copy(update={"now": "", "seq": 0, "disk": None})
