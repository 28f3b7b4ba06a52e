"""Server-sent events to any number of readers.

A reader costs one connection and the id of the last event that it got. One that reads nothing for
`PATIENCE_S` is disconnected; it continues from its last id when it connects again.
"""

import asyncio
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from daemon.contracts.wire.base import EventLine
from daemon.monitoring.events import Events

HEARTBEAT_S = 15.0  # below the 40 s after which the command line takes a silent stream for dead
PATIENCE_S = 10.0  # a reader that hangs holds one of the limited connections

_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]


class Stream(Response):
    """A response that ends when the reader disconnects or the events end. `after` is its last event's id."""

    def __init__(
        self,
        events: Events,
        after: int | None,
        *,
        heartbeat_s: float = HEARTBEAT_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        super().__init__()
        self._events, self._after = events, after
        self._heartbeat_s, self._patience_s = heartbeat_s, patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events (ASGI)."""
        gone = asyncio.create_task(_gone(receive))
        telling = asyncio.create_task(self._tell(send))
        try:
            await asyncio.wait([gone, telling], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (gone, telling):
                each.cancel()
            ended = (await asyncio.gather(gone, telling, return_exceptions=True))[1]
        if isinstance(ended, TimeoutError):
            abort: Callable[[], None] | None = scope.get("state", {}).get("abort")
            if abort is not None:
                abort()
                await _gone(receive)
        elif isinstance(ended, Exception):
            raise ended

    async def _tell(self, send: Send) -> None:
        await self._send(send, {"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await self._write(send, ": IntroEval\n\n")
        events = self._events
        last = events.last_id if self._after is None else self._after
        while True:
            newer = events.after(last)
            if newer is None:
                last = events.last_id
                await self._write(send, f"event: reset\nid: {last}\ndata: {{}}\n\n")
            elif newer:
                last = newer[-1].id
                await self._write(send, "".join(map(_written, newer)))
            elif events.closed:
                break
            else:
                await self._wait(send, last)
        await self._send(send, {"type": "http.response.body", "body": b""})

    async def _wait(self, send: Send, last: int) -> None:
        try:
            async with asyncio.timeout(self._heartbeat_s):
                await self._events.wait(last)
        except TimeoutError:
            await self._write(send, ": \n\n")

    async def _write(self, send: Send, text: str) -> None:
        await self._send(send, {"type": "http.response.body", "body": text.encode(), "more_body": True})

    async def _send(self, send: Send, message: Message) -> None:
        """Send a message. Raises TimeoutError when the reader reads nothing for `patience_s`."""
        async with asyncio.timeout(self._patience_s):
            await send(message)


def _written(event: EventLine) -> str:
    return f"id: {event.id}\nevent: {event.kind}\ndata: {event.model_dump_json()}\n\n"


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
