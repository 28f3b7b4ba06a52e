"""A lab's own program behind a webhook: an HTTP server that verifies notices as the page on hooks does."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.checkout import REPOSITORY

SECRET = "c2VjcmV0LW9mLXRoZS1sYWItMjQtYnl0ZXM="


def example() -> Callable[..., bool]:
    """The function of the page."""
    page = (REPOSITORY / "docs" / "hooks.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)
    verify: Callable[..., bool] = names["is_ours"]
    return verify


class Receiver(ThreadingHTTPServer):
    """Keeps what it is told. `answer` is called with each notice and gives the status; it may be set."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Request)
        self.answer: Callable[[dict[str, Any]], int] = lambda _: 200
        self.told: list[dict[str, Any]] = []
        self.taken: list[dict[str, Any]] = []
        self.bodies: dict[str, set[bytes]] = {}
        self.forged = 0
        self.is_ours = example()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/notices"

    def kinds_of(self, task: int) -> list[str]:
        """The kinds of a task's notices that were taken, each once, in the order in which they first came."""
        mine = {each["id"]: each["kind"] for each in self.taken if each["task_id"] == task}
        return list(mine.values())


class _Request(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        said = json.loads(body)
        if not self.server.is_ours(self.headers, body, SECRET) or self.headers["webhook-id"] != said["id"]:
            self.server.forged += 1
        self.server.bodies.setdefault(said["id"], set()).add(body)
        self.server.told.append(said)
        status = self.server.answer(said)
        if status < 300:
            self.server.taken.append(said)
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    """A receiver for the time of the block."""
    with Receiver(port) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
