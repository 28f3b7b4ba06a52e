"""Waits of the daemon's loops: for an event or a time, and ended by a stop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable


async def happens(event: asyncio.Event, within_s: float | None) -> bool:
    """Wait for an event, at most `within_s` seconds (None: for ever). Returns whether it is set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await event.wait()
    return event.is_set()


@contextlib.asynccontextmanager
async def waking(stop: asyncio.Event, wake: Callable[[], None]) -> AsyncIterator[None]:
    """Call `wake` when `stop` is set during the block, so that a wait in it ends and sees `stop`."""

    async def wait() -> None:
        await stop.wait()
        wake()

    waiting = asyncio.create_task(wait())
    try:
        yield
    finally:
        waiting.cancel()
