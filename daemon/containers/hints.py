"""The Docker engine's events: one of our containers was started, or ended.

They are only hints. The stream ends with the engine, which does not repeat events, and a renamed container
is not recognised. So who waits here must also look at times.
"""

import asyncio
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from typing import Any, cast

import docker
import requests
from docker.errors import DockerException
from docker.types.daemon import CancellableStream
from urllib3.exceptions import HTTPError

from daemon.containers.engine import DockerEngine
from daemon.system.waits import happens

_TELLING = ["start", "die"]
_END_S = 2.0


class Hints:
    """Wakes whoever waits when one of the containers called `names` was started or ended."""

    def __init__(self, engine: DockerEngine, names: Collection[str]) -> None:
        self._engine = engine
        self._filters = {"type": "container", "event": _TELLING, "container": sorted(names)}
        self._since = time.time()
        self._told = asyncio.Event()
        self._thread: threading.Thread | None = None
        self._stream: CancellableStream[Any] | None = None
        self._closed = False

    async def wait(self, at_most_s: float) -> bool:
        """Wait for an event, at most `at_most_s` seconds. Whether there was one since the last wait."""
        if self._thread is None or not self._thread.is_alive():
            # A daemon thread: nothing ends one that waits for a hanging engine.
            self._thread = threading.Thread(
                target=self._listen, args=(asyncio.get_running_loop(),), name="docker events", daemon=True
            )
            self._thread.start()
        told = await happens(self._told, at_most_s)
        self._told.clear()
        return told

    async def aclose(self) -> None:
        """Stop listening."""
        self._closed = True
        if self._stream is not None:
            _end(self._stream)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, _END_S)

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        # The next wait listens again, and the next look reports what is wrong.
        with suppress(DockerException, requests.RequestException, HTTPError, OSError):
            api = self._engine.connect()
            try:
                self._heed(api, loop)
            finally:
                api.close()

    def _heed(self, api: docker.APIClient, loop: asyncio.AbstractEventLoop) -> None:
        events = self._stream = api.events(since=cast(int, self._since), filters=self._filters)
        if self._closed:
            _end(events)
        for _ in events:
            self._since = time.time()
            if not self._closed:
                loop.call_soon_threadsafe(self._told.set)


def _end(stream: "CancellableStream[Any]") -> None:
    with suppress(DockerException, OSError, AttributeError):  # it ended by itself, or can't be ended
        stream.close()
