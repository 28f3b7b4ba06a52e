"""The dashboard's client of the daemon: HTTP/1.1 over a Unix socket, with asyncio only.

A library would take a quarter of the time to the first paint. One `Client` is one connection that is kept
open; its requests are sent one after the other.

    DaemonSilent          no answer, or none that can be used
      Unreachable         no connection, it broke, or no answer in time
      Garbled             the answer is not an IntroEval daemon's, or cannot be read
    RequestRefused        the daemon refused the request, and says why
"""

import asyncio
import contextlib
import grp
import json
import os
from pathlib import Path
from urllib.parse import urlencode

from introeval_tui.rows.cells import clean

_HEAD_BYTES = 65_536
_BODY_BYTES = 64_000_000
_SAID_CHARS = 300


class DaemonSilent(Exception):
    """There is no usable answer. `fix` says what to do, and may be empty."""

    def __init__(self, reason: str, fix: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.fix = fix


class Unreachable(DaemonSilent):
    """No connection, it broke, or no answer came in time."""


class Garbled(DaemonSilent):
    """The answer is not an IntroEval daemon's, or cannot be read."""


class RequestRefused(Exception):
    """The daemon refused the request; the message says why, `code` is the HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Client:
    """One connection to the socket at `path`, opened when it is needed and kept open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._turn = asyncio.Lock()

    async def get(
        self, path: str, params: list[tuple[str, str]] | None = None, timeout: float = 10.0
    ) -> bytes:
        """Send a GET, and return the body of the answer. Raises DaemonSilent, RequestRefused."""
        target = f"{path}?{urlencode(params)}" if params else path
        async with self._turn:
            reused = self._streams is not None
            try:
                return await self._ask("GET", target, b"", timeout)
            except Unreachable:
                if not reused:
                    raise
                return await self._ask("GET", target, b"", timeout)  # it had closed the idle connection

    async def post(self, path: str, body: bytes = b"", timeout: float = 30.0) -> bytes:
        """Send a POST, and return the body of the answer. Raises DaemonSilent, RequestRefused.

        It uses a new connection: one that the daemon has closed meanwhile would lose the request, and a
        request must not be sent twice.
        """
        async with self._turn:
            self.close()
            return await self._ask("POST", path, body, timeout)

    def close(self) -> None:
        """Drop the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _ask(self, method: str, target: str, body: bytes, timeout: float) -> bytes:
        whole = False
        try:
            async with asyncio.timeout(timeout):
                code, answer = await self._exchange(method, target, body)
            whole = True
        except TimeoutError as exc:
            raise Unreachable(f"no answer in {timeout:g} s") from exc
        except PermissionError as exc:
            raise Unreachable("permission denied", _who_may(self.path)) from exc
        except FileNotFoundError as exc:
            raise Unreachable("the socket does not exist: no daemon runs", _START) from exc
        except ConnectionRefusedError as exc:
            raise Unreachable("no process listens on the socket: the daemon has ended", _START) from exc
        except (OSError, asyncio.IncompleteReadError) as exc:
            raise Unreachable("the connection broke") from exc
        except (ValueError, LookupError, asyncio.LimitOverrunError) as exc:
            raise Garbled("the process on the socket is not an IntroEval daemon", WHOSE) from exc
        finally:
            if not whole:
                self.close()  # the rest of a broken answer must not be read as the start of the next
        if code >= 400:
            raise RequestRefused(code, _said(code, answer))
        return answer

    async def _exchange(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_unix_connection(str(self.path), limit=_HEAD_BYTES)
        reader, writer = self._streams
        head = f"{method} {target} HTTP/1.1\r\nHost: introeval\r\nContent-Length: {len(body)}\r\n"
        if body:
            head += "Content-Type: application/json\r\n"
        writer.write(head.encode() + b"\r\n" + body)
        await writer.drain()
        code, fields = _parse_head(await reader.readuntil(b"\r\n\r\n"))
        if fields.get("transfer-encoding", "").lower() == "chunked":
            answer = await _chunks(reader)
        else:
            answer = await reader.readexactly(_length(fields["content-length"]))
        if fields.get("connection", "").lower() == "close":
            self.close()
        return code, answer


def _parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    version, code, *_ = first.split(" ", 2)
    if not version.startswith("HTTP/1."):
        raise ValueError(version)
    fields = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            fields[name.strip().lower()] = value.strip()
    return int(code), fields


def _length(said: str, base: int = 10) -> int:
    length = int(said, base)
    if not 0 <= length <= _BODY_BYTES:
        raise ValueError(said)
    return length


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := _length((await reader.readuntil(b"\r\n")).split(b";")[0].decode("latin-1").strip(), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
        if len(body) > _BODY_BYTES:
            raise ValueError("too long")
    await reader.readuntil(b"\r\n")
    return bytes(body)


WHOSE = "run: introeval doctor, or name the right socket with --socket"
_START = "run: sudo systemctl start introeval; or, in a folder of your own, run: introeval run"


def _who_may(socket: Path) -> str:
    """How a user who may not open the socket gets the right: which group to join."""
    for place in (socket, socket.parent):
        with contextlib.suppress(OSError, KeyError):
            name = grp.getgrgid(place.stat().st_gid).gr_name
            user = os.environ.get("USER", "$USER")
            return f"to join its group, run: sudo usermod -aG {name} {user}   and log in again"
    return f"ask for the right to open {socket}"


def _said(code: int, answer: bytes) -> str:
    """The message of a Problem; for another body, the status code."""
    try:
        message = json.loads(answer)["message"]
    except (ValueError, LookupError, TypeError):
        return f"the daemon answered with error {code}"
    return clean(str(message)[:_SAID_CHARS])
