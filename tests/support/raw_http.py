"""A server on loopback that answers each connection with given bytes, whatever they are."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Raw:
    """The bytes of an answer, and those that follow again and again; what was sent and asked."""

    answer: bytes
    again: bytes = b""
    sent: int = 0
    asked: list[bytes] = field(default_factory=list)


def endless(answer: bytes, again: bytes) -> Raw:
    """An answer that goes on until the other end hangs up."""
    return Raw(answer, again)


@asynccontextmanager
async def raw_server(raw: Raw) -> AsyncIterator[str]:
    """A server for as long as the context lasts. Gives its address."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):  # TLS has no such head
            head = await reader.readuntil(b"\r\n\r\n")
            raw.asked.append(head)
            await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split()[0]))
            writer.write(raw.answer)
            while raw.again:
                writer.write(raw.again)
                raw.sent += len(raw.again)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
