"""The node alone, on scripted engines."""

import asyncio

import pytest

from daemon.contracts.values import ExtractWork, Ticket
from daemon.core.tasks.task import Stage
from daemon.node import LocalNode
from tests.support.scripted import TRANSCRIPT, Log, ScriptedEngine

pytestmark = pytest.mark.anyio


async def test_work_that_is_cancelled_at_any_step_does_not_count_as_running() -> None:
    log = Log()
    stt, extract, rate = (ScriptedEngine(stage, log) for stage in Stage)
    node = LocalNode(stt, extract, rate, lambda ticket, done: None)
    work = ExtractWork(Ticket(1, 1, 1), TRANSCRIPT)

    async def ask() -> None:
        async for _ in node.extract([work]):
            pass

    for steps in range(12):
        await node.ensure(frozenset({Stage.EXTRACT}))
        asking = asyncio.create_task(ask())
        for _ in range(steps):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await node.ensure(None)
