"""The test server with SmolLM2 behind it: `python -m tests.docker.docker_smollm GGUF [FLAG...]`.

The flags are the test server's. Both are one container's: they come and go together, and with the memory.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from daemon.system.child import Child
from tests.ollama_server.manner import read
from tests.ollama_server.server import serving


async def main(model: str, flags: list[str]) -> None:
    """Serve until told to end."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    arguments = [f"--model={model}", "--parallel=1", "--ctx=4096", "--lock=/tmp/backend.lock"]
    backend = await Child.spawn("backend", "daemon.llm.server", arguments, log=Path("/tmp/backend.log"))
    ready = await backend.receive()
    manner = read(flags)
    manner.backend, manner.backend_key = ready["url"], ready["key"]
    async with serving(manner):
        await told.wait()
        os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
