"""What the reading commands show: from the daemon or, when none runs, from its database."""

from daemon import __version__, client, report
from daemon.app import DATABASE
from daemon.config import Config
from daemon.core.errors import NotRunning, StoreError
from daemon.core.task import Phase
from daemon.core.task import Status as TaskStatus
from daemon.store.reader import Reader
from daemon.wire import Status, TaskDetail, TaskLine


def status(config: Config) -> Status:
    """What the system is doing now. Raises NotRunning when there is neither daemon nor database."""
    try:
        return Status.model_validate(client.get(config.paths.socket, "/status"))
    except NotRunning as exc:
        with _database(config, exc) as reader:
            return Status(
                version=__version__,
                pid=None,
                running=False,
                runtime=config.runtime,
                phase=Phase.STT.value,
                group=[],
                phase_since=None,
                why="no daemon runs",
                counts=report.counts(reader),
                undelivered=report.undelivered(reader),
            )


def tasks(
    config: Config, statuses: list[TaskStatus] | None, student: str | None, limit: int, before: int | None
) -> list[TaskLine]:
    """A page of tasks, the newest first. Raises NotRunning."""
    try:
        answer = client.get(
            config.paths.socket,
            "/tasks",
            status=[s.value for s in statuses] if statuses else None,
            student=student,
            limit=limit,
            before=before,
        )
        return [TaskLine.model_validate(line) for line in answer]
    except NotRunning as exc:
        with _database(config, exc) as reader:
            return report.task_lines(reader, statuses, student, limit, before)


def task(config: Config, task_id: int) -> TaskDetail:
    """One task. Raises UnknownTask, NotRunning."""
    try:
        return TaskDetail.model_validate(client.get(config.paths.socket, f"/tasks/{task_id}"))
    except NotRunning as exc:
        with _database(config, exc) as reader:
            return report.task_detail(reader, task_id)


def _database(config: Config, unreached: NotRunning) -> Reader:
    try:
        return Reader(config.paths.state / DATABASE)
    except StoreError as exc:
        raise unreached from exc
