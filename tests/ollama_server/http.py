"""As much of HTTP as a test server needs: one request a connection, JSON or a chunked stream back."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed"}
JSON = "application/json; charset=utf-8"
TEXT = "text/plain"


@dataclass
class Incoming:
    """One request, and the way back to who sent it."""

    method: str
    path: str
    body: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, status: int, body: Any, kind: str = JSON) -> None:
        """A whole answer; what is no bytes is sent as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.writer.write(_head(status, kind, f"content-length: {len(content)}") + content)

    def open(self) -> None:
        """The head of a stream of JSON lines."""
        self.writer.write(_head(200, "application/x-ndjson", "transfer-encoding: chunked"))

    async def line(self, content: dict[str, Any]) -> None:
        """One line of the stream. Raises ConnectionError when nobody listens any more."""
        data = json.dumps(content).encode() + b"\n"
        self.writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await self.writer.drain()

    def end(self) -> None:
        """The whole end of a stream."""
        self.writer.write(b"0\r\n\r\n")

    async def hung_up(self) -> None:
        """Wait until the client is gone."""
        while await self.reader.read(1024):
            pass


def _head(status: int, kind: str, length: str) -> bytes:
    first = f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}"
    return "\r\n".join((first, f"content-type: {kind}", length, "connection: close", "", "")).encode()


async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Incoming:
    """Read one request."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *fields = head.split("\r\n")
    method, path, _ = first.split(" ", 2)
    named = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in fields)}
    body = await reader.readexactly(int(named.get("content-length", 0)))
    return Incoming(method, path.partition("?")[0], body, reader, writer)
