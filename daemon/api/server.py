"""The server of the control socket: bound with mode 0660, with peers identified by the kernel."""

import asyncio
import contextlib
import functools
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from daemon.api.connection_limits import ConnectionRefusal, ReservedFor, refusal
from daemon.contracts.wire.base import Problem
from daemon.core.errors import AlreadyRunning, ConfigError

_MODE = 0o660
_SILENT_S = 10.0  # a connection without a request by then is closed
_MOST_HEAD = 64 * 1024  # bytes of a request's head
_MOST_BYTES = 4 * 1024 * 1024  # of its body: the roster of ten thousand students


class PeerProtocol(H11Protocol):
    """HTTP whose client is a user id, taken from the kernel (SO_PEERCRED) and not from the request."""

    uid = -1
    refusal: ConnectionRefusal | None = None

    def __init__(self, *arguments: Any, kept: ReservedFor, **named: Any) -> None:
        """Called by uvicorn with `arguments` and `named`; `kept` are the users with kept connections."""
        super().__init__(*arguments, **named)
        self._kept = kept

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Read the peer's user id, and refuse the connection when it is beyond a limit."""
        others = [peer for peer in self.connections if isinstance(peer, PeerProtocol)]
        super().connection_made(transport)
        peer = transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        _, self.uid, _ = struct.unpack("iII", peer)  # domain users have ids above 2^31
        self.client = (str(self.uid), 0)
        self.refusal = refusal(self.uid, others, self._kept)
        if self.refusal is not None and self.refusal.mute:
            transport.abort()
        else:
            self.timeout_keep_alive_task = self.loop.call_later(_SILENT_S, self.timeout_keep_alive_handler)
        # `abort` ends a connection whose peer reads nothing; closing it would wait for the peer.
        self.app_state = {**self.app_state, "abort": transport.abort, "refusal": self.refusal}


class Bounded:
    """ASGI middleware that refuses connections beyond a limit, and bodies that are too long or unsized."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on."""
        app: ASGIApp = self._app
        headers = dict(scope.get("headers", ()))
        refused: ConnectionRefusal | None = scope.get("state", {}).get("refusal")
        if refused is not None:
            app = _answer(refused.status, refused.problem)
        elif b"transfer-encoding" in headers:
            app = _wrong(411, "the length of the body is unknown; send Content-Length")
        elif int(headers.get(b"content-length", 0)) > _MOST_BYTES:
            app = _wrong(413, f"the body is longer than {_MOST_BYTES} bytes; send a shorter one")
        await app(scope, receive, send)


def _wrong(status: int, message: str) -> ASGIApp:
    return _answer(status, Problem(error="WrongRequest", message=message))


def _answer(status: int, problem: Problem) -> ASGIApp:
    return JSONResponse(problem.model_dump(), status_code=status, headers={"connection": "close"})


class ControlServer(uvicorn.Server):
    """uvicorn without its signal handlers, which would replace the daemon's own, and without its tick ten
    times a second, which was half of what an idle daemon cost.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ended = asyncio.Event()

    def end(self) -> None:
        """Let `serve` return, after its last answers. To be called in its loop's thread."""
        self.should_exit = True
        self._ended.set()

    async def main_loop(self) -> None:
        """Wait until `end`."""
        await self.on_tick(0)  # makes the headers of all answers
        await self._ended.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no handlers."""
        yield


def make_server(api: FastAPI, kept: ReservedFor) -> ControlServer:
    """Make the server of `api`. Its `serve` takes the socket from `bind`."""
    return ControlServer(
        uvicorn.Config(
            Bounded(api),
            http=cast(Any, functools.partial(PeerProtocol, kept=kept)),
            log_config=None,
            access_log=False,
            proxy_headers=False,  # else a header could replace the kernel's user id
            date_header=False,  # a tick would have to renew it
            lifespan="off",
            h11_max_incomplete_event_size=_MOST_HEAD,
            timeout_graceful_shutdown=1,
        )
    )


def bind(path: Path) -> socket.socket:
    """Make the listening socket, open to its owner and group only. The caller owns the state folder.

    A socket on which nobody answers is left from a crash and is replaced.
    Raises AlreadyRunning when a daemon answers, and ConfigError when the socket cannot be bound.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"the control socket {path} cannot be made: {exc}; set paths.socket") from exc
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            pass
        except OSError as exc:
            raise ConfigError(f"the control socket {path} cannot be used: {exc}; set paths.socket") from exc
        else:
            raise AlreadyRunning(f"another daemon answers on {path}; set paths.socket to another path")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.unlink(missing_ok=True)
        listener.bind(str(fresh))
        fresh.chmod(_MODE)
        listener.listen(64)
        fresh.rename(path)  # it appears with its right mode, or not at all
    except OSError as exc:
        listener.close()
        raise ConfigError(f"the control socket {path} cannot be made: {exc}; set paths.socket") from exc
    return listener
