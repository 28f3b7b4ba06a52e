"""The command line's client of the daemon: HTTP over its control socket."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from daemon.contracts.wire.base import EventLine, Problem
from daemon.core.errors import (
    ConfigError,
    Crowded,
    IllegalTransition,
    IntroEvalError,
    NotAllowed,
    NotRunning,
    PlaceError,
    Stopping,
    StoreError,
    UnknownStudent,
    UnknownTask,
)

_ERRORS: dict[str, type[IntroEvalError]] = {
    e.__name__: e
    for e in (
        *(ConfigError, Crowded, IllegalTransition, NotAllowed, PlaceError, Stopping, StoreError),
        *(UnknownStudent, UnknownTask),
    )
}
_PATIENCE_S = 30.0  # `pause --now` is answered once the running attempts have ended
_SEARCH_S = 900.0  # `forget` searches all that the daemon has written
_SILENCE_S = 40.0  # more than two heartbeats of the event stream


def get(socket: Path, path: str, **params: Any) -> Any:
    """Send a GET, and return the JSON answer. Raises NotRunning, NotAllowed and the daemon's errors."""
    return _request("GET", socket, path, params)


def post(socket: Path, path: str, body: dict[str, Any] | None = None, **params: Any) -> Any:
    """Send a POST, and return the JSON answer. Raises NotRunning, NotAllowed and the daemon's errors."""
    return _request("POST", socket, path, params, body)


def forget(socket: Path, student: str) -> Any:
    """Delete a student, and return the JSON answer. Takes up to 900 s. Raises as `post`."""
    return _request("POST", socket, f"/forget/{quote(student, safe='')}", {}, patience_s=_SEARCH_S)


def acknowledge(socket: Path, key: str) -> Any:
    """Acknowledge what wants a person, and return the JSON answer. Raises as `post`."""
    return _request("POST", socket, f"/attention/{quote(key, safe='')}/acknowledge", {})


def follow(socket: Path, after: int | None) -> Iterator[EventLine | None]:
    """Yield each event after the id `after`, as it happens; None when events in between are lost.

    Ends when the daemon ends. Raises NotRunning, NotAllowed and the daemon's errors.
    """
    headers = {} if after is None else {"last-event-id": str(after)}
    with _client(socket, timeout=_SILENCE_S) as client:
        try:
            with client.stream("GET", "/events", headers=headers) as answer:
                if not answer.is_success:
                    answer.read()
                    raise _refused(socket, answer)
                yield from _events(answer.iter_lines())
        except httpx.TransportError as exc:
            raise _unreached(socket, exc) from exc


def _events(lines: Iterable[str]) -> Iterator[EventLine | None]:
    for line in lines:
        if line == "event: reset":
            yield None
        elif line.startswith("data: {") and line != "data: {}":
            yield EventLine.model_validate_json(line.removeprefix("data: "))


def _client(socket: Path, timeout: float) -> httpx.Client:
    transport = httpx.HTTPTransport(uds=str(socket))
    return httpx.Client(transport=transport, base_url="http://introeval", trust_env=False, timeout=timeout)


def _unreached(socket: Path, exc: httpx.TransportError) -> IntroEvalError:
    """The error for a daemon that does not answer: NotAllowed or NotRunning."""
    if not _reachable(socket):
        return NotAllowed(f"you may not use {socket}; join its group, and log in again")
    return NotRunning(f"no daemon answers on {socket} ({exc}); start one with: introeval run")


def _request(
    method: str,
    socket: Path,
    path: str,
    params: dict[str, Any],
    body: dict[str, Any] | None = None,
    *,
    patience_s: float = _PATIENCE_S,
) -> Any:
    given = {name: value for name, value in params.items() if value is not None}
    with _client(socket, timeout=patience_s) as client:
        try:
            answer = client.request(method, path, params=given, json=body)
        except httpx.TransportError as exc:
            raise _unreached(socket, exc) from exc
    if answer.is_success:
        return answer.json()
    raise _refused(socket, answer)


def _refused(socket: Path, answer: httpx.Response) -> IntroEvalError:
    """The daemon's error, by its type. Raises NotRunning when the answer is not a Problem."""
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValueError as exc:
        raise NotRunning(f"{socket} answers {answer.status_code}, which no IntroEval daemon does") from exc
    return _ERRORS.get(problem.error, IntroEvalError)(problem.message)


def _reachable(socket: Path) -> bool:
    """Whether this user has the right to use the socket, if it exists."""
    try:
        socket.stat()
    except PermissionError:
        return False
    except OSError:
        return True
    return os.access(socket, os.R_OK | os.W_OK)
