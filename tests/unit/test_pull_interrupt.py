"""A pull of an image that is interrupted just as it is told of."""

import asyncio
from typing import Any

import pytest

from daemon.containers.setup import _next

pytestmark = pytest.mark.anyio


async def test_an_interrupt_that_comes_together_with_an_event_is_not_lost() -> None:
    events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def read() -> None:
        while True:
            await _next(events)

    for turns in range(6):  # of the loop, between the event and the interrupt
        reading = asyncio.create_task(read())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        events.put_nowait({})
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        ended, _ = await asyncio.wait([reading], timeout=1)
        assert ended, f"the interrupt was lost {turns} turns after the event"
