"""Waiting for work on the inbox, with an alarm while the inbox does not answer."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from daemon.intake.alarm import IntakeAlarm, IntakeAlarms, shown

_SLOW_S = 10.0

T = TypeVar("T")


async def answered(work: Coroutine[Any, Any, T], where: Callable[[], Path], alarms: IntakeAlarms) -> T:
    """Wait for `work` on the inbox. While it takes longer than 10 s, an alarm names its path `where()`."""
    working, is_slow = asyncio.create_task(work), False
    try:
        while not (await asyncio.wait({working}, timeout=_SLOW_S))[0]:
            path, is_slow = shown(where()), True
            told = f"the inbox has not answered for more than {_SLOW_S:.0f} s, now at {path}"
            alarms.put("slow", [IntakeAlarm("inbox_slow", path, told)])
        return working.result()
    finally:
        working.cancel()
        if is_slow:
            alarms.put("slow", [])
