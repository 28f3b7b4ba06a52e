"""Reads for the commands: from the daemon or, when none runs, from its database."""

import time
from collections.abc import Iterator
from typing import Any, TypeVar

from daemon import __version__
from daemon.api import client
from daemon.cli.common import ERR
from daemon.config.load import Config
from daemon.contracts.wire.attention import AttentionPage
from daemon.contracts.wire.base import EventLine, LogLine
from daemon.contracts.wire.status import DaemonStatus
from daemon.contracts.wire.tasks import RefusedLine, TaskDetail, TaskLine, TaskPage
from daemon.contracts.wire.words import LogSource
from daemon.core.errors import NotRunning, StoreError
from daemon.monitoring import attention, queries
from daemon.monitoring.attention import AttentionQuery, Live
from daemon.monitoring.events import RING
from daemon.monitoring.logs import last_lines
from daemon.monitoring.queries import TaskQuery
from daemon.store import Database, open_reader, phases, recording
from daemon.store.recovery import open_tasks
from daemon.system.state_folder import DATABASE


def status(config: Config) -> DaemonStatus:
    """The daemon's status. Raises NotRunning when there is neither a daemon nor a database."""
    try:
        return DaemonStatus.model_validate(client.get(config.paths.socket, "/status"))
    except NotRunning as exc:
        with _database(config, exc, told=False) as db:
            return DaemonStatus(
                version=__version__,
                pid=None,
                running=False,
                runtime=config.runtime,
                phase=phases.system_state(db).current_phase,
                group=[],
                phase_since=None,
                why="no daemon runs",
                counts=queries.counts(db),
                refused=queries.refused_lately(db, time.time()),
                undelivered=queries.undelivered(db),
                attention=attention.counts(db, _live(config, db)),
            )


def tasks(config: Config, wanted: TaskQuery) -> TaskPage:
    """A page of tasks. Raises NotRunning."""
    try:
        answer = client.get(
            config.paths.socket,
            "/tasks",
            status=[status.value for status in wanted.statuses] or None,
            outcome=[outcome.value for outcome in wanted.outcomes] or None,
            flag=sorted(wanted.flags) or None,
            student=wanted.student,
            q=wanted.text or None,
            open=wanted.only_open or None,
            order=wanted.order.value,
            descending=wanted.descending or None,
            offset=wanted.offset,
            limit=wanted.limit,
            before=wanted.before,
        )
        return TaskPage.model_validate(answer)
    except NotRunning as exc:
        with _database(config, exc) as db:
            page = queries.task_page(db, wanted, queries.queue(open_tasks(db)), time.time())
            return page.model_copy(update={"tasks": [_unaskable(line) for line in page.tasks]})


def wanting(config: Config, wanted: AttentionQuery) -> AttentionPage:
    """A page of what wants a person. Raises NotRunning."""
    try:
        answer = client.get(
            config.paths.socket,
            "/attention",
            kind=[kind.value for kind in wanted.kinds] or None,
            offset=wanted.offset,
            limit=wanted.limit,
        )
        return AttentionPage.model_validate(answer)
    except NotRunning as exc:
        with _database(config, exc) as db:
            return attention.page(db, wanted, _live(config, db), time.time())


def refused(config: Config, limit: int) -> list[RefusedLine]:
    """The last refused files, the newest first. Raises NotRunning."""
    try:
        lines = client.get(config.paths.socket, "/refused", limit=limit)
        return [RefusedLine.model_validate(line) for line in lines]
    except NotRunning as exc:
        with _database(config, exc) as db:
            return queries.refused(db, limit)


def kept_events(config: Config, since: float, until: float) -> Iterator[EventLine]:
    """The events from `since` to before `until`, oldest first. Raises NotRunning."""
    last = 0
    while lines := _kept_events(config, since, until, last):
        yield from lines
        last = lines[-1].id


def _kept_events(config: Config, since: float, until: float, after: int) -> list[EventLine]:
    try:
        lines = client.get(config.paths.socket, "/events/kept", since=since, until=until, after=after)
        return [EventLine.model_validate(line) for line in lines]
    except NotRunning as exc:
        with _database(config, exc) as db:
            return recording.events_between(db, since, until, after, RING)


def logs(config: Config, source: LogSource, task_id: int | None, lines: int) -> list[LogLine]:
    """The last `lines` lines of a log, oldest first. Raises LogUnreadable."""
    try:
        params = {"source": source.value, "task_id": task_id, "lines": lines}
        return [LogLine.model_validate(line) for line in client.get(config.paths.socket, "/logs", **params)]
    except NotRunning:
        _tell("its logs")
        return last_lines(config.paths.state / "log", source, task_id, lines)


def task(config: Config, task_id: int) -> TaskDetail:
    """One task with its history and files. Raises UnknownTask, NotRunning."""
    try:
        return TaskDetail.model_validate(client.get(config.paths.socket, f"/tasks/{task_id}"))
    except NotRunning as exc:
        with _database(config, exc) as db:
            return _unaskable(queries.task_detail(db, task_id, time.time()))


def _live(config: Config, db: Database) -> Live:
    return Live.of((), open_tasks(db), attention.terms_of(config), time.time())


L = TypeVar("L", bound=TaskLine)


def _unaskable(line: L) -> L:
    """The line where no daemon runs, and so nothing can be asked for."""
    return line.model_copy(update={"can": []})


def results(config: Config, task_id: int) -> list[dict[str, Any]]:
    """The results of a task, one for each revision that ended, oldest first.

    Raises UnknownTask, NotRunning.
    """
    try:
        found: list[dict[str, Any]] = client.get(config.paths.socket, f"/tasks/{task_id}/results")
        return found
    except NotRunning as exc:
        with _database(config, exc) as db:
            return queries.results(db, task_id)


def _database(config: Config, unreached: NotRunning, *, told: bool = True) -> Database:
    try:
        db = open_reader(config.paths.state / DATABASE)
    except StoreError as exc:
        raise unreached from exc
    db.terms = attention.terms_of(config)
    if told:
        _tell("its database")
    return db


def _tell(source: str) -> None:
    """Say that no daemon runs, where the answer itself does not."""
    ERR.print(f"no daemon runs; this is read from {source}", style="yellow", highlight=False)
