"""What the recording keeps of a task that is evaluated again."""

from collections.abc import Sequence
from typing import Any

import pytest

from daemon.contracts.task_query import AttentionQuery
from daemon.contracts.wire.attention import AttentionPage
from daemon.contracts.wire.status import DaemonStatus
from daemon.contracts.wire.tasks import TaskLine
from daemon.core.tasks.task import Status, Task
from daemon.monitoring.camera import Camera
from daemon.monitoring.events import Events
from tests.tui import fake_daemon
from tests.unit.scheduling import task

pytestmark = pytest.mark.anyio


class Daemon:
    """A daemon with one task, whose line is what the database holds of it."""

    def __init__(self, line: TaskLine) -> None:
        self.events = Events(lambda: 0.0)
        self.line = line
        self.open = [task(line.id, Status.LLAMA_PROCESSING)]

    async def status(self) -> DaemonStatus:
        return fake_daemon.a_status(attention={})

    def queued(self) -> list[Task]:
        return self.open

    async def lines(self, ids: Sequence[int]) -> list[TaskLine]:
        return [self.line] if self.line.id in ids else []

    def live(self, task_id: int, *, held: bool) -> dict[str, Any]:
        return {}


async def no_one(wanted: AttentionQuery) -> AttentionPage:
    return AttentionPage(total=0, counts={}, lines=[])


async def test_the_end_of_a_new_rating_is_recorded_though_the_earlier_result_was_delivered() -> None:
    line = fake_daemon.task(2, status="llama_processing", delivered_at="2026-11-27T10:00:00Z")
    daemon = Daemon(line)
    camera = Camera(daemon, no_one)
    daemon.events.add("task", "starts rate", task_id=2)
    await camera.look()
    daemon.open = []  # it has ended, and that is not committed yet
    daemon.events.add("task", "is done", task_id=2)
    await camera.look()
    daemon.line = line.model_copy(update={"status": "completed"})
    state = await camera.look()
    assert state["tasks"]["2"]["status"] == "completed"
    assert camera.idle
