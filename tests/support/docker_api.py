"""The few routes of a Docker engine's API that looking at a container takes, without an engine."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextmanager
def docker_api(containers: Mapping[str, Mapping[str, str]], output: bytes = b"") -> Iterator[str]:
    """The address of an engine with these stopped containers, by name with their environment.

    Each says `output`, in one frame, and ends.
    """

    class Routes(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _, *parts = self.path.partition("?")[0].split("/")
            if parts[-1] == "version":
                self._answer({"ApiVersion": "1.45", "MinAPIVersion": "1.24"})
            elif parts[-2] not in containers:
                self._answer({"message": "No such container"}, 404)
            elif parts[-1] == "logs":
                self._send(b"\x01\0\0\0" + len(output).to_bytes(4, "big") + output)
            else:
                self._answer(_inspected(parts[-2], containers[parts[-2]]))

        def _answer(self, content: Mapping[str, Any], status: int = 200) -> None:
            self._send(json.dumps(content).encode(), status)

        def _send(self, body: bytes, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Routes)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"tcp://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _inspected(name: str, environment: Mapping[str, str]) -> dict[str, Any]:
    return {
        "Id": name,
        "Name": f"/{name}",
        "State": {"Status": "exited", "Running": False},
        "HostConfig": {},
        "Config": {"Env": [f"{key}={value}" for key, value in environment.items()], "Tty": False},
    }
