"""Reads for the commands: from the daemon or, when none runs, from its database (`stored.py`)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from daemon.api import client
from daemon.contracts.wire.attention import AttentionPage
from daemon.contracts.wire.base import EventLine, LogLine
from daemon.contracts.wire.canary import CanaryLine
from daemon.contracts.wire.status import DaemonStatus, GpuHistory, PhaseSpan
from daemon.contracts.wire.tasks import RefusedLine, TaskDetail, TaskPage
from daemon.core.errors import NotRunning

if TYPE_CHECKING:
    from daemon.config.load import Config
    from daemon.contracts.task_query import AttentionQuery, TaskQuery
    from daemon.contracts.wire.words import LogSource


def status(config: "Config") -> DaemonStatus:
    """The daemon's status. Raises NotRunning when there is neither a daemon nor a database."""
    try:
        return DaemonStatus.model_validate(client.get(config.paths.socket, "/status"))
    except NotRunning as exc:
        from daemon.cli import stored

        return stored.status(config, exc)


def tasks(config: "Config", wanted: "TaskQuery") -> TaskPage:
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
        from daemon.cli import stored

        return stored.tasks(config, exc, wanted)


def wanting(config: "Config", wanted: "AttentionQuery") -> AttentionPage:
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
        from daemon.cli import stored

        return stored.wanting(config, exc, wanted)


def refused(config: "Config", limit: int) -> list[RefusedLine]:
    """The last refused files, the newest first. Raises NotRunning."""
    try:
        lines = client.get(config.paths.socket, "/refused", limit=limit)
        return [RefusedLine.model_validate(line) for line in lines]
    except NotRunning as exc:
        from daemon.cli import stored

        return stored.refused(config, exc, limit)


def events(config: "Config", limit: int) -> list[EventLine]:
    """The last events, oldest first. Raises NotRunning."""
    try:
        lines = client.get(config.paths.socket, "/events/recent", limit=limit)
        return [EventLine.model_validate(line) for line in lines]
    except NotRunning as exc:
        from daemon.cli import stored

        return stored.events(config, exc, limit)


def kept_events(config: "Config", since: float, until: float) -> Iterator[EventLine]:
    """The events from `since` to before `until`, oldest first. Raises NotRunning."""
    last = 0
    try:
        while lines := client.get(config.paths.socket, "/events/kept", since=since, until=until, after=last):
            page = [EventLine.model_validate(line) for line in lines]
            yield from page
            last = page[-1].id
    except NotRunning as exc:
        from daemon.cli import stored

        yield from stored.kept_events(config, exc, since, until, after=last)


def switches(config: "Config") -> list[PhaseSpan]:
    """The last phases with the ledger of each switch, the newest first. Raises NotRunning."""
    try:
        return GpuHistory.model_validate(client.get(config.paths.socket, "/gpu")).phases
    except NotRunning as exc:
        from daemon.cli import stored

        return stored.switches(config, exc)


def canaries(config: "Config") -> list[CanaryLine]:
    """What is recorded of the canary. Raises NotRunning."""
    try:
        return [CanaryLine.model_validate(line) for line in client.get(config.paths.socket, "/canary")]
    except NotRunning as exc:
        from daemon.cli import stored

        return stored.canaries(config, exc)


def logs(config: "Config", source: "LogSource", task_id: int | None, lines: int) -> list[LogLine]:
    """The last `lines` lines of a log, oldest first. Raises LogUnreadable."""
    try:
        found = client.get(config.paths.socket, "/logs", source=source.value, task_id=task_id, lines=lines)
        return [LogLine.model_validate(line) for line in found]
    except NotRunning:
        from daemon.cli import stored

        return stored.logs(config, source, task_id, lines)


def task(config: "Config", task_id: int) -> TaskDetail:
    """One task with its history and files. Raises UnknownTask, NotRunning."""
    try:
        return TaskDetail.model_validate(client.get(config.paths.socket, f"/tasks/{task_id}"))
    except NotRunning as exc:
        from daemon.cli import stored

        return stored.task(config, exc, task_id)


def results(config: "Config", task_id: int) -> list[dict[str, Any]]:
    """The results of a task, one for each revision that ended, oldest first.

    Raises UnknownTask, NotRunning.
    """
    try:
        found: list[dict[str, Any]] = client.get(config.paths.socket, f"/tasks/{task_id}/results")
        return found
    except NotRunning as exc:
        from daemon.cli import stored

        return stored.results(config, exc, task_id)
