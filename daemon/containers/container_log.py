"""A container's output, copied into the engine's log for as long as the container is in use."""

import threading
import time
from contextlib import suppress
from pathlib import Path

import docker
import requests
from docker.errors import DockerException
from urllib3.exceptions import HTTPError

from daemon.containers.engine import DockerEngine

_MOST_BYTES = 1_000_000  # of the file; as much of the older output stays in a second one


class ContainerLog:
    """Copies the output of one container at a time to `file`. The stream ends with the container."""

    def __init__(self, engine: DockerEngine, file: Path) -> None:
        self._engine = engine
        self._file = file
        self._thread: threading.Thread | None = None
        self._read_until = 0.0

    def follow(self, container: str) -> None:
        """Copy what the container with this id says from now on, unless that is done already."""
        if self._thread is None:
            self._read_until = time.time()
        if self._thread is None or not self._thread.is_alive():
            # A daemon thread: nothing ends one that waits for a hanging engine.
            self._thread = threading.Thread(
                target=self._copy, args=(container,), name=f"docker logs {self._file.stem}", daemon=True
            )
            self._thread.start()

    def _copy(self, container: str) -> None:
        # The next look follows again, and reports what is wrong with the engine.
        with suppress(DockerException, requests.RequestException, HTTPError, OSError):
            api = self._engine.connect()
            try:
                self._write(api, container)
            finally:
                api.close()

    def _write(self, api: docker.APIClient, container: str) -> None:
        for piece in api.logs(container, stream=True, follow=True, since=self._read_until):
            self._read_until = time.time()
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("ab") as file:
                file.write(piece)
                size = file.tell()
            if size > _MOST_BYTES:
                self._file.replace(self._file.with_name(f"{self._file.name}.1"))
