"""Connections to model servers over HTTP, which may be broken, or somebody else's."""

import ssl
import stat
from pathlib import Path
from typing import Any

import httpx

from daemon.core.errors import EngineError

_CONNECT_S = 5.0
_FOR_OTHERS = 0o077
_LONGEST_KEY = 8192  # bytes; more is another file
_BEARER = "Bearer "
_SHOWN = 200  # characters of what a server said


def connection(url: str, key: str = "") -> httpx.AsyncClient:
    """A client for the server at `url`, without time limits once it is connected: callers set these.

    A `key` is shown with each request, and to no other server: redirects are not followed.
    """
    return httpx.AsyncClient(
        base_url=url,
        verify=url.startswith("https:") and _trusted(),  # to load them takes 30 ms
        trust_env=False,  # a proxy of the environment would get the requests to 127.0.0.1
        timeout=httpx.Timeout(None, connect=_CONNECT_S),
        # Compressed, a few bytes could become more than the memory holds.
        headers={"Accept-Encoding": "identity", **({"Authorization": _BEARER + key} if key else {})},
    )


def _trusted() -> ssl.SSLContext:
    """The usual certificates, and those of this machine: a lab may sign its servers' itself."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context


async def asked(
    http: httpx.AsyncClient, method: str, path: str, body: Any = None, *, most: int
) -> tuple[int, bytes]:
    """The status of an answer, and its body as `read_up_to` gives it. Raises httpx.HTTPError."""
    async with http.stream(method, path, json=body) as answer:
        return answer.status_code, await read_up_to(most, answer)


async def read_up_to(most: int, answer: httpx.Response) -> bytes:
    """The body of an answer as it was sent, or its first `most` bytes and one more. Raises httpx.HTTPError.

    The key that the server was shown is not in it.
    """
    parts, size = [], 0
    async for part in answer.aiter_raw():
        parts.append(part)
        size += len(part)
        if size > most:
            break
    return without_key(answer, b"".join(parts)[: most + 1])


def without_key(answer: httpx.Response, said: bytes) -> bytes:
    """What a server said, without the key that it was shown: some repeat what they refuse."""
    key = answer.request.headers.get("Authorization", "").removeprefix(_BEARER)
    return said.replace(key.encode(), b"***") if key else said


def excerpt(body: bytes) -> str:
    """One printable line, of at most 200 characters, of what a server said."""
    text = " ".join(body[: 2 * _SHOWN].decode(errors="replace").split())
    return "".join(c for c in text if c.isprintable())[:_SHOWN] or "(nothing said)"


def key_in(file: Path | None) -> str:
    """The key in a file; empty without a file.

    Raises EngineError for a file without a key, or one that others can read.
    """
    if file is None:
        return ""
    try:
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode):  # to read a pipe could take for ever
            raise EngineError(f"{file} is no plain file; check api_key_file")
        with file.open() as opened:
            key = opened.read(_LONGEST_KEY).strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise EngineError(f"the key in {file} cannot be read ({exc}); check api_key_file") from exc
    if mode & _FOR_OTHERS:
        raise EngineError(f"others can read the key in {file}; run: chmod 600 {file}")
    if not key or not key.isascii() or not key.isprintable():
        raise EngineError(f"{file} has no key; make it one line of ASCII characters")
    return key
