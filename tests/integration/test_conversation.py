"""A worker that talks nonsense is dead to all who wait for it, at once."""

import asyncio
import sys
from pathlib import Path

import pytest

from daemon.stt.worker_session import WorkerLost, WorkerSession
from daemon.system.child import Child

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "said",
    ['{"id": 1, "heard": {"segments": 7}}', '{"heard": {}}', '{"id": 1}', '{"id": []}', "[1]", "Traceback"],
)
async def test_nonsense_is_told_to_whoever_waits(tmp_path: Path, said: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        f"input(); print({said!r}, flush=True); input()",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    child = Child("worker", process)
    talk = WorkerSession(child)
    async with asyncio.timeout(20):
        with pytest.raises(WorkerLost):
            await talk.ask(tmp_path / "a.pcm", lambda done: None, [1.0])
    await talk.aclose()
    child.kill()
    await child.stop()
