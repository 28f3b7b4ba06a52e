"""The server as a process, `python -m tests.ollama_server --port 11434`. SIGTERM ends it with exit code 0."""

import asyncio
import os
import signal
import sys

from tests.ollama_server.manner import read
from tests.ollama_server.server import serving


async def main() -> None:
    """Serve until told to end; answers in hand are dropped, as a real server does."""
    manner = read(sys.argv[1:])
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    async with serving(manner) as server:
        print(f"serving {manner.models} as {manner.generation} at {server.url}", flush=True)
        await told.wait()
        await asyncio.sleep(manner.stop_s)
        os._exit(0)  # at once: an orderly end would wait for the answers in hand


if __name__ == "__main__":
    asyncio.run(main())
