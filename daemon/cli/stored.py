"""Reads for the commands where no daemon runs: from its database and its logs, and said so on stderr.

Each raises `unreached`, the daemon's own error, when there is no database either.
"""

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from daemon import __version__
from daemon.config.load import Config
from daemon.config.terms import terms_of
from daemon.contracts.task_query import AttentionQuery, TaskQuery
from daemon.contracts.wire.attention import AttentionPage
from daemon.contracts.wire.base import EventLine, LogLine
from daemon.contracts.wire.canary import CanaryLine
from daemon.contracts.wire.status import DaemonStatus, PhaseSpan
from daemon.contracts.wire.tasks import RefusedLine, TaskDetail, TaskLine, TaskPage
from daemon.contracts.wire.words import LogSource
from daemon.core.errors import NotRunning, StoreError
from daemon.monitoring import attention, queries
from daemon.monitoring.attention import Live
from daemon.store import Database, open_reader
from daemon.store.found import open_tasks
from daemon.system.state_folder import DATABASE

if TYPE_CHECKING:
    from daemon.contracts.wire.classes import ClassList, ClassShown
    from daemon.contracts.wire.review import ReviewPage

L = TypeVar("L", bound=TaskLine)

_AT_ONCE = 1000  # events of a page


def status(config: Config, unreached: NotRunning) -> DaemonStatus:
    """The status, which says itself that no daemon runs."""
    from daemon.store import phases
    from daemon.store.calibration import number_in_use

    with _database(config, unreached) as db:
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
            calibration=number_in_use(db),
        )


def switches(config: Config, unreached: NotRunning) -> list[PhaseSpan]:
    """The last phases, the newest first."""
    with _told(config, unreached) as db:
        return queries.phases(db, queries.PHASES)


def tasks(config: Config, unreached: NotRunning, wanted: TaskQuery) -> TaskPage:
    """A page of tasks."""
    with _told(config, unreached) as db:
        page = queries.task_page(db, wanted, queries.queue(open_tasks(db), config.batch.order), time.time())
        return page.model_copy(update={"tasks": [_unaskable(line) for line in page.tasks]})


def task(config: Config, unreached: NotRunning, task_id: int) -> TaskDetail:
    """One task. Raises UnknownTask."""
    with _told(config, unreached) as db:
        return _unaskable(queries.task_detail(db, task_id, time.time()))


def results(config: Config, unreached: NotRunning, task_id: int) -> list[dict[str, Any]]:
    """The results of a task. Raises UnknownTask."""
    with _told(config, unreached) as db:
        return queries.results(db, task_id)


def wanting(config: Config, unreached: NotRunning, wanted: AttentionQuery) -> AttentionPage:
    """A page of what wants a person."""
    with _told(config, unreached) as db:
        return attention.page(db, wanted, _live(config, db), time.time())


def refused(config: Config, unreached: NotRunning, limit: int) -> list[RefusedLine]:
    """The last refused files, the newest first."""
    with _told(config, unreached) as db:
        return queries.refused(db, limit)


def events(config: Config, unreached: NotRunning, limit: int) -> list[EventLine]:
    """The last events, oldest first."""
    from daemon.store import recording

    with _told(config, unreached) as db:
        return recording.last_events(db, limit)


def kept_events(
    config: Config, unreached: NotRunning, since: float, until: float, *, after: int
) -> Iterator[EventLine]:
    """The events from `since` to before `until` with a greater id than `after`, oldest first."""
    from daemon.store import recording

    with _told(config, unreached) as db:
        while lines := recording.events_between(db, since, until, after, _AT_ONCE):
            yield from lines
            after = lines[-1].id


def canaries(config: Config, unreached: NotRunning) -> list[CanaryLine]:
    """What is recorded of the canary."""
    from daemon.app.configured import canary_keys
    from daemon.store import canaries as canary_store

    with _told(config, unreached) as db:
        return canary_store.lines(db, canary_keys(config))


def class_list(config: Config, unreached: NotRunning) -> "ClassList":
    """The classes that were opened."""
    from daemon.classes import shown

    with _told(config, unreached) as db:
        return shown.class_list(db)


def class_shown(config: Config, unreached: NotRunning, name: str) -> "ClassShown":
    """A class with its students. Raises UnknownClass."""
    from daemon.classes import shown

    with _told(config, unreached) as db:
        return shown.class_shown(db, name, config.review, time.time())


def review_pages(config: Config, unreached: NotRunning, name: str, *, every: bool) -> "Iterator[ReviewPage]":
    """The results of a class in the order of doubt. Raises UnknownClass."""
    from daemon.classes import review
    from daemon.contracts.wire.review import MOST_LINES

    with _told(config, unreached) as db:
        offset, now = 0, time.time()
        while True:
            span = slice(offset, offset + MOST_LINES)
            page = review.review_page(db, name, config.review, now, span, every=every)
            lines = [line.model_copy(update={"task": _unaskable(line.task)}) for line in page.lines]
            yield page.model_copy(update={"lines": lines})
            offset += MOST_LINES
            if offset >= page.total:
                return


def logs(config: Config, source: LogSource, task_id: int | None, lines: int) -> list[LogLine]:
    """The last lines of a log, oldest first. Raises LogUnreadable."""
    from daemon.monitoring.logs import last_lines

    found = last_lines(config.paths.state / "log", source, task_id, lines)
    print("no daemon runs; these are the logs of the last one", file=sys.stderr)
    return found


def _told(config: Config, unreached: NotRunning) -> Database:
    db = _database(config, unreached)
    print("no daemon runs; this is read from its database", file=sys.stderr)
    return db


def _database(config: Config, unreached: NotRunning) -> Database:
    try:
        db = open_reader(config.paths.state / DATABASE)
    except StoreError as exc:
        raise unreached from exc
    db.terms = terms_of(config)
    return db


def _live(config: Config, db: Database) -> Live:
    return Live.of((), open_tasks(db), terms_of(config), time.time())


def _unaskable(line: L) -> L:
    """The line where no daemon runs, and so nothing can be asked for."""
    return line.model_copy(update={"can": []})
