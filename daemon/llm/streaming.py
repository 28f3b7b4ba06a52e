"""The one place where HTTP becomes answers and faults: a streamed answer, read under two time limits."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import httpx

from daemon.core.errors import Blame, Fault
from daemon.llm.client import Answer, AnswerFailed

_CONNECT_S = 5.0
_TOO_LONG = (b"exceed", b"maximum", b"longer")  # each server and version has its own words

Heartbeat = Callable[[], None]
ReadStream = Callable[[AsyncIterator[str], Heartbeat], Awaitable[Answer]]
"""Reads an answer from a stream's lines; calls the heartbeat at signs of life. Raises AnswerFailed."""


def connection(url: str, headers: Mapping[str, str] | None = None) -> httpx.AsyncClient:
    """A client for the server at `url`; `streamed` sets the time limits of an answer."""
    return httpx.AsyncClient(
        base_url=url,
        verify=url.startswith("https:"),  # loading the certificates takes 30 ms, also where TLS is not used
        trust_env=False,  # a proxy of the environment would get the requests to 127.0.0.1
        timeout=httpx.Timeout(None, connect=_CONNECT_S),  # `streamed` sets them: a byte is no sign of life
        headers=headers,
    )


async def streamed(
    http: httpx.AsyncClient,
    path: str,
    body: Mapping[str, Any],
    read: ReadStream,
    *,
    stall_s: float,
    timeout_s: float,
) -> Answer:
    """Post `body` and read the answer. Raises AnswerFailed.

    `stall_s` is the longest wait for a sign of life and `timeout_s` for the whole answer, in seconds.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await _alive(http, path, body, read, stall_s)
    except TimeoutError as exc:
        raise AnswerFailed(died("answer_timeout", f"no whole answer within {timeout_s:g} s")) from exc
    except httpx.HTTPError as exc:
        reason = str(exc) or type(exc).__name__
        raise AnswerFailed(died("connection_lost", f"the connection was lost: {reason}")) from exc


async def _alive(
    http: httpx.AsyncClient, path: str, body: Mapping[str, Any], read: ReadStream, stall_s: float
) -> Answer:
    loop = asyncio.get_running_loop()
    try:
        async with (
            asyncio.timeout(stall_s) as stall,
            http.stream("POST", path, json=body) as reply,
        ):
            if not reply.is_success:
                raise AnswerFailed(refusal(reply.status_code, await reply.aread()))

            def heartbeat() -> None:
                stall.reschedule(loop.time() + stall_s)

            return await read(reply.aiter_lines(), heartbeat)
    except TimeoutError as exc:
        raise AnswerFailed(died("stalled", f"no token for {stall_s:g} s")) from exc


def refusal(status: int, body: bytes) -> Fault:
    """The fault of a reply that is no 2xx. Its body may be empty, text or JSON."""
    if status == 400 and b"context" in body and any(word in body for word in _TOO_LONG):
        return Fault(
            Blame.PERMANENT, "transcript_too_long", "the transcript does not fit the model's context"
        )
    if status == 503:
        return Fault(Blame.ENGINE, "server_busy", f"the server is busy or still loading: {excerpt(body)}")
    if status < 500:
        return Fault(Blame.ENGINE, "request_refused", f"the server answered {status}: {excerpt(body)}")
    return server_error(status, body)


def server_error(status: int, body: bytes) -> Fault:
    """The fault of an error answer; with status 200 it was in the stream."""
    where = "in the stream" if status == 200 else str(status)
    return Fault(Blame.ENGINE, "server_error", f"the server answered an error ({where}): {excerpt(body)}")


def died(code: str, message: str) -> Fault:
    """The fault of a server that hangs or is gone."""
    return Fault(Blame.ENGINE, code, message, died=True)


def excerpt(body: bytes) -> str:
    """One printable line, of at most 200 characters, of an error's body."""
    text = " ".join(body[:400].decode(errors="replace").split())
    return "".join(c for c in text if c.isprintable())[:200] or "(nothing said)"
