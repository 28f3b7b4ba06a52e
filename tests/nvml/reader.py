"""Reads the GPU in a process of its own, as often as it is told to: a line of JSON for each line it gets.

`reader.py guard NEED TIMEOUT` waits for room instead, and tells each alarm and the ledger as it comes.
"""

import asyncio
import json
import sys
from dataclasses import asdict

from daemon.core.alarms import Trouble
from daemon.core.tasks.task import Stage
from daemon.gpu.guard import VramGuard
from daemon.gpu.nvml import NvmlGpu


def tell(what: str, value: object) -> None:
    print(json.dumps([what, value]), flush=True)


def read() -> None:
    gpu = NvmlGpu()
    for _ in sys.stdin:
        tell("reading", gpu.read().model_dump())


async def guard(need_mb: float, timeout_s: float) -> None:
    def on_alarm(code: str, trouble: Trouble | None) -> None:
        tell("alarm", [code, str(trouble) if trouble else None])

    gate = VramGuard(NvmlGpu().reading, lambda _: need_mb, list, on_alarm, timeout_s=timeout_s)
    await gate.measure()
    tell("measured", None)
    tell("ledger", asdict(await gate.clear(frozenset({Stage.RATE}))))


if __name__ == "__main__":
    if sys.argv[1:2] == ["guard"]:
        asyncio.run(guard(float(sys.argv[2]), float(sys.argv[3])))
    else:
        read()
