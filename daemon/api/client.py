"""The command line's client of the daemon: HTTP over its control socket.

With the standard library alone: httpx would take longer to import than all else that a command needs.
"""

import http.client
import json
import os
import socket as sockets
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from daemon.contracts.wire.base import EventLine, Problem
from daemon.core.errors import IntroEvalError, NotAllowed, NotRunning

_ERRORS = {each.__name__: each for each in IntroEvalError.__subclasses__()}
_PATIENCE_S = 30.0  # `pause --now` is answered once the running attempts have ended
_SEARCH_S = 900.0  # `forget` searches all that the daemon has written
_SILENCE_S = 40.0  # more than two heartbeats of the event stream


def get(socket: Path, path: str, *, patience_s: float = _PATIENCE_S, **params: Any) -> Any:
    """Send a GET, and return the JSON answer. Raises NotRunning, NotAllowed and the daemon's errors."""
    return _request("GET", socket, path, params, patience_s=patience_s)


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
    with closing(_Connection(socket, _SILENCE_S)) as connection:
        try:
            answer = connection.asked("GET", "/events", headers=headers)
            if answer.status != http.HTTPStatus.OK:
                raise _refused(socket, answer.status, answer.read())
            yield from _events(line.decode().rstrip("\r\n") for line in answer)
        except (OSError, http.client.HTTPException) as exc:
            raise _unreached(socket, exc) from exc


def _events(lines: Iterable[str]) -> Iterator[EventLine | None]:
    for line in lines:
        if line == "event: reset":
            yield None
        elif line.startswith("data: {") and line != "data: {}":
            yield EventLine.model_validate_json(line.removeprefix("data: "))


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("introeval", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = sockets.socket(sockets.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))

    def asked(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> http.client.HTTPResponse:
        self.request(method, path, body, headers or {})
        return self.getresponse()


def _unreached(socket: Path, exc: Exception) -> IntroEvalError:
    """The error for a daemon that does not answer: NotAllowed or NotRunning."""
    if not _reachable(socket):
        return NotAllowed(f"you may not use {socket}; join its group, and log in again")
    why = (exc.strerror if isinstance(exc, OSError) else None) or str(exc)
    return NotRunning(f"no daemon answers on {socket} ({why.lower()}); to start one, run: introeval run")


def _request(
    method: str,
    socket: Path,
    path: str,
    params: dict[str, Any],
    body: dict[str, Any] | None = None,
    *,
    patience_s: float = _PATIENCE_S,
) -> Any:
    given = {name: _said(value) for name, value in params.items() if value is not None}
    address = f"{path}?{urlencode(given, doseq=True)}" if given else path
    sent = None if body is None else json.dumps(body).encode()
    headers = {} if body is None else {"content-type": "application/json"}
    with closing(_Connection(socket, patience_s)) as connection:
        try:
            answer = connection.asked(method, address, sent, headers)
            content = answer.read()
        except (OSError, http.client.HTTPException) as exc:
            raise _unreached(socket, exc) from exc
    if answer.status == http.HTTPStatus.OK:
        return json.loads(content)
    raise _refused(socket, answer.status, content)


def _said(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _refused(socket: Path, status: int, content: bytes) -> IntroEvalError:
    """The daemon's error, by its type. Raises NotRunning when the answer is not a Problem."""
    try:
        problem = Problem.model_validate_json(content)
    except ValueError as exc:
        raise NotRunning(f"{socket} answers {status}, which no IntroEval daemon does") from exc
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
