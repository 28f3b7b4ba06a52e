"""A server with OpenAI's transcriptions on loopback, whose answers are given by a function."""

import io
import threading
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, bytes] | None
"""A status and a body; None hangs up."""


@dataclass(frozen=True)
class Asked:
    """One request: its fields, its sound as 16 kHz mono s16le, and the key that it showed."""

    fields: dict[str, str]
    sound: bytes
    key: str | None

    @property
    def seconds(self) -> float:
        """The length of the sound."""
        return len(self.sound) / 32_000


@dataclass
class Transcriptions:
    """What was asked so far, and where."""

    url: str
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def transcriptions(reply: Callable[[Asked], Reply]) -> Iterator[Transcriptions]:
    """A server for as long as the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path != "/v1/audio/transcriptions":
                self._send(404, b"no such route")
                return
            asked = _parsed(self.headers["Content-Type"], body, self.headers.get("Authorization"))
            served.asked.append(asked)
            said = reply(asked)
            if said is None:
                self.close_connection = True
                return
            self._send(*said)

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on the terminal of the tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Transcriptions(f"http://127.0.0.1:{server.server_address[1]}")
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


def _parsed(content_type: str, body: bytes, key: str | None) -> Asked:
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message: Any = BytesParser(policy=HTTP).parsebytes(head + body)
    fields, sound = {}, b""
    for part in message.iter_parts():
        name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        if part.get_filename():
            with wave.open(io.BytesIO(content)) as clip:
                assert clip.getparams()[:3] == (1, 2, 16_000)
                sound = clip.readframes(clip.getnframes())
        else:
            fields[name] = content.decode()
    return Asked(fields, sound, key)
