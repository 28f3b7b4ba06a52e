"""Requests to a scripted Whisper worker: whom its death suspects, how long it is silent, what it drops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from daemon.stt.protocol import HeardSpeech
from daemon.stt.worker_session import WorkerLost, WorkerSession
from daemon.system.child import Child, ChildDied

pytestmark = pytest.mark.anyio
PCM = Path("a.pcm")
HEARD = HeardSpeech().model_dump()


class Worker:
    """A scripted child: `say` is what it sends next, None its death."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self._said: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    def say(self, *messages: dict[str, Any] | None) -> None:
        for message in messages:
            self._said.put_nowait(message)

    async def send(self, message: dict[str, Any]) -> None:
        self.asked.append(message)

    async def receive(self) -> dict[str, Any]:
        if (message := await self._said.get()) is None:
            raise ChildDied("it ended by SIGKILL")
        return message


@asynccontextmanager
async def session(worker: Worker) -> AsyncIterator[WorkerSession]:
    made = WorkerSession(cast(Child, worker))
    try:
        yield made
    finally:
        await made.aclose()


async def asked(ours: WorkerSession, worker: Worker, count: int, limit_s: float = 60.0) -> list[Any]:
    """So many open requests, numbered from 1."""
    tasks = [asyncio.create_task(ours.ask(PCM, lambda done: None, [1.0], limit_s)) for _ in range(count)]
    while len(worker.asked) < count:
        await asyncio.sleep(0)
    return tasks


async def lost(tasks: list[Any]) -> list[tuple[str, bool]]:
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    return [(each.code, each.in_work) for each in ended if isinstance(each, WorkerLost)]


async def test_a_death_suspects_the_recordings_in_work_and_no_others() -> None:
    worker = Worker()
    async with session(worker) as ours:
        tasks = await asked(ours, worker, 4)
        worker.say({"in_work": [1, 2, 3]}, {"in_work": [2, 3]}, None)
        assert await lost(tasks) == [
            ("worker_died", False),
            ("worker_died", True),
            ("worker_died", True),
            ("worker_died", False),
        ]


async def test_a_death_with_nothing_in_work_suspects_all() -> None:
    worker = Worker()
    async with session(worker) as ours:
        tasks = await asked(ours, worker, 2)
        worker.say(None)
        assert await lost(tasks) == [("worker_died", True)] * 2


async def test_a_silent_worker_is_hung_for_all_and_suspects_what_is_in_work() -> None:
    worker = Worker()
    async with session(worker) as ours:
        tasks = await asked(ours, worker, 1) + await asked(ours, worker, 2, limit_s=0.05)
        worker.say({"in_work": [1]})
        assert await lost(tasks) == [("worker_hung", True), ("worker_hung", False), ("worker_hung", False)]


async def test_a_worker_at_work_on_others_may_keep_a_recording_waiting_for_ever() -> None:
    worker = Worker()
    async with session(worker) as ours:
        [task] = await asked(ours, worker, 1, limit_s=0.2)
        for _ in range(10):
            await asyncio.sleep(0.05)
            worker.say({"in_work": [7]})
        worker.say({"id": 1, "heard": HEARD})
        _, silent_s = await task
        assert silent_s < 0.2


async def test_a_cancelled_request_is_dropped_and_its_neighbour_answered() -> None:
    worker = Worker()
    async with session(worker) as ours:
        gone, kept = await asked(ours, worker, 2)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert worker.asked[-1] == {"drop": 1}
        worker.say({"id": 1, "heard": HEARD}, {"id": 2, "heard": HEARD})
        answer, _ = await kept
        assert isinstance(answer, HeardSpeech)


async def test_a_worker_that_is_lost_takes_no_more_requests() -> None:
    worker = Worker()
    async with session(worker) as ours:
        tasks = await asked(ours, worker, 1)
        worker.say(None)
        await lost(tasks)
        with pytest.raises(WorkerLost) as caught:
            await ours.ask(PCM, lambda done: None, [1.0], 60.0)
        assert not caught.value.in_work
