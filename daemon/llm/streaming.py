"""The one place where HTTP becomes answers and faults: a streamed answer, read under two time limits."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import httpx

from daemon.core.errors import Blame, Fault
from daemon.llm.client import Answer, AnswerFailed
from daemon.llm.limits import AnswerLimits
from daemon.system.http_client import excerpt, read_up_to, without_key

_MOST_LINE = 1024 * 1024  # bytes; a token with twenty alternatives takes some 3,000
_MOST_ANSWER = 64 * 1024 * 1024
_MOST_REFUSAL = 64 * 1024
_TOO_LONG = (b"exceed", b"maximum", b"longer")  # each server and version has its own words

Heartbeat = Callable[[], None]
ReadStream = Callable[[AsyncIterator[str], Heartbeat], Awaitable[Answer]]
"""Reads an answer from a stream's lines; calls the heartbeat at signs of life. Raises AnswerFailed."""


async def streamed(
    http: httpx.AsyncClient,
    path: str,
    body: Mapping[str, Any],
    read: ReadStream,
    limits: AnswerLimits,
    *,
    start: bool,
) -> Answer:
    """Post `body` and read the answer, under the `limits`, which learn from it. Raises AnswerFailed.

    `start`: the answer is part of an engine's start.
    """
    allowed = limits.of(start=start)
    loop = asyncio.get_running_loop()
    began = loop.time()
    pauses = _Pauses(loop.time)
    try:
        async with asyncio.timeout(allowed.whole_s):
            answer = await _alive(http, path, body, read, pauses, allowed.pause_s)
    except _Stalled as exc:
        limits.ran_out(allowed.pause_s, start=start, pause=True)
        raise AnswerFailed(died("stalled", f"no token for {allowed.pause_s:g} s")) from exc
    except TimeoutError as exc:
        limits.ran_out(allowed.whole_s, start=start, pause=False)
        message = f"no whole answer within {allowed.whole_s:g} s"
        raise AnswerFailed(died("answer_timeout", message)) from exc
    except httpx.HTTPError as exc:
        reason = str(exc) or type(exc).__name__
        raise AnswerFailed(died("connection_lost", f"the connection was lost: {reason}")) from exc
    limits.answered(pauses.longest_s(answer.load_s or 0.0), loop.time() - began, start=start)
    return answer


class _Stalled(Exception):
    """No sign of life for the longest pause that was allowed."""


class _Pauses:
    """Measures the pauses of one answer between its signs of life."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = clock()
        self._pauses: list[float] = []

    def beat(self) -> float:
        """Note a sign of life. Gives the time."""
        now = self._clock()
        self._pauses.append(now - self._last)
        self._last = now
        return now

    def longest_s(self, load_s: float) -> float:
        """The longest pause. The first one is counted without the loading of the model, `load_s`."""
        first, *later = self._pauses or [0.0]
        return max(first - load_s, *later, 0.0)


async def _alive(
    http: httpx.AsyncClient,
    path: str,
    body: Mapping[str, Any],
    read: ReadStream,
    pauses: _Pauses,
    limit_s: float,
) -> Answer:
    try:
        async with (
            asyncio.timeout(limit_s) as stall,
            http.stream("POST", path, json=body) as reply,
        ):
            if not reply.is_success:
                raise AnswerFailed(refusal(reply.status_code, await read_up_to(_MOST_REFUSAL, reply)))
            return await read(answer_lines(reply), lambda: stall.reschedule(pauses.beat() + limit_s))
    except TimeoutError as exc:
        raise _Stalled from exc


async def answer_lines(reply: httpx.Response, most: int = _MOST_ANSWER) -> AsyncIterator[str]:
    """The lines of a stream of at most so many bytes, without the key that the server was shown.

    Raises AnswerFailed.
    """
    rest, size = b"", 0
    async for piece in reply.aiter_raw():
        size += len(piece)
        *whole, rest = (rest + piece).split(b"\n")
        if len(rest) > _MOST_LINE or size > most:
            raise AnswerFailed(Fault(Blame.ENGINE, "answer_cut", "the answer is longer than any can be"))
        for line in whole:
            yield without_key(reply, line).decode(errors="replace").rstrip("\r")
    if rest:
        yield without_key(reply, rest).decode(errors="replace")


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
