"""Waiting for a condition, never for a time."""

import asyncio
import time
from collections.abc import Callable


async def until(condition: Callable[[], object], timeout_s: float = 20.0) -> None:
    """Wait for a condition, looking often. Raises TimeoutError after `timeout_s` seconds."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


def wait_until(
    condition: Callable[[], object],
    what: str | Callable[[], str] = "what was waited for",
    limit_s: float = 30.0,
) -> None:
    """The same where no event loop runs. Raises AssertionError with `what` after `limit_s` seconds."""
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(
                f"did not come within {limit_s:g} s: {what if isinstance(what, str) else what()}"
            )
        time.sleep(0.03)
