"""What a test server says of a pull, line by line, as `tests/data/ollama_pull.json` has it of real ones."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from tests.ollama_server.manner import Manner

WEIGHTS = "sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_SMALL = {
    "sha256:e3b2721cec511e3a627ae0993753abbf5c72cdf4cfcdbc8f5c33ce15c4c4e04b": 102,
    "sha256:f02dd72bb2423204352eabc5637b44d79d17f109fdb510a7c51455892aa2d216": 59,
    "sha256:220cbc2497764cc846cb46a7ed370dcd65d11018866d851aa5b6ff14279989ec": 414,
}
_NOWHERE = 'pull model manifest: Get "https://registry.invalid/{}/manifests/latest": dial tcp: no such host'
_BEAT_S = 0.06


async def pull(manner: Manner, name: str) -> AsyncIterator[dict[str, Any]]:
    """Pull `name`, a model with its tag; at the end it is one of the manner's names.

    How far the weights are is said again and again while nothing comes. The newer generation says of layers
    that take less than a beat nothing, nor that the weights are whole.
    """
    yield {"status": "pulling manifest"}
    here = name in manner.names
    if not here and name not in manner.offered:
        yield {"error": _NOWHERE.format(name.partition(":")[0])}
        return
    size = manner.size - sum(_SMALL.values())
    if here:
        yield _layer(WEIGHTS, size, size)
    else:
        if manner.old:
            yield _layer(WEIGHTS, size, 0)
        yield _layer(WEIGHTS, size, size // 2)
        for _ in range(round(manner.pull_s / _BEAT_S)):
            await asyncio.sleep(_BEAT_S)
            yield _layer(WEIGHTS, size, size // 2)
        yield _layer(WEIGHTS, size, size if manner.old else size // 100 * 98)
    if here or manner.old:
        for digest, small in _SMALL.items():
            yield _layer(digest, small, small)
    yield {"status": "verifying sha256 digest"}
    yield {"status": "writing manifest"}
    if not here:
        manner.keep(name)
    yield {"status": "success"}


def _layer(digest: str, total: int, completed: int) -> dict[str, Any]:
    line = {"status": f"pulling {digest.removeprefix('sha256:')[:12]}", "digest": digest, "total": total}
    return {**line, "completed": completed} if completed else line
