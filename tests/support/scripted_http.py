"""A model's server on loopback whose answers are scripted, to the bytes and the end of the connection."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]

_STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class ScriptedServer:
    """Answers the n-th request with the n-th script, and the last one again after that."""

    def __init__(self, scripts: Iterable[Script]) -> None:
        self.requests: list[dict[str, Any]] = []
        self.asked = asyncio.Event()
        self.hung_up = asyncio.Event()
        self.url = ""
        self._scripts = list(scripts)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, which carries one request."""
        try:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            except asyncio.IncompleteReadError:  # a client that was cancelled before it asked
                return
            lengths = [line.split(":")[1] for line in head.split("\r\n") if line.startswith("content-length")]
            body = await reader.readexactly(int(lengths[0]) if lengths else 0)
            self.requests.append(json.loads(body or b"{}"))
            script = self._scripts[min(len(self.requests), len(self._scripts)) - 1]
            self.asked.set()
            await script(writer)
            await writer.drain()
            if script is hang:
                await reader.read()
                self.hung_up.set()
        finally:
            writer.close()


@asynccontextmanager
async def scripted(*scripts: Script) -> AsyncIterator[ScriptedServer]:
    """A server for the time of the block."""
    server = ScriptedServer(scripts)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def token(text: str) -> bytes:
    """The event for one piece of the answer."""
    return event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})


def event(content: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return chunk(b"data: " + json.dumps(content).encode() + b"\n\n")


def answers(text: str, finish: str = "stop") -> Script:
    """A whole stream that says `text`, a word at a time."""

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(_STREAM)
        for piece in text.split(" "):
            writer.write(token(piece + " "))
        writer.write(event({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}))
        writer.write(
            event(
                {
                    "choices": [],
                    "usage": {"prompt_tokens": 50, "completion_tokens": 7},
                    "timings": {"cache_n": 40, "prompt_ms": 1500.0, "predicted_ms": 700.0},
                }
            )
        )
        writer.write(chunk(b"data: [DONE]\n\n") + chunk(b""))

    return script


def slowly(text: str, first_s: float, pause_s: float = 0.0, finish: str = "stop") -> Script:
    """A whole stream whose first word comes after `first_s` seconds, and each other one `pause_s` later."""

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(_STREAM)
        wait_s = first_s
        for piece in text.split(" "):
            await asyncio.sleep(wait_s)
            writer.write(token(piece + " "))
            await writer.drain()
            wait_s = pause_s
        writer.write(event({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}) + chunk(b""))

    return script


def says(*parts: bytes) -> Script:
    """A stream of exactly these bytes, and then the connection is closed."""

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(_STREAM + b"".join(parts))

    return script


def refuses(status: int, body: bytes = b"") -> Script:
    """An error with this body."""

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} No\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)

    return script


async def hang(writer: asyncio.StreamWriter) -> None:
    """Two tokens and a comment, and then nothing until the client hangs up."""
    writer.write(_STREAM + token("{") + token('"name"') + chunk(b": still here\n\n"))


async def close(writer: asyncio.StreamWriter) -> None:
    """No answer at all."""
