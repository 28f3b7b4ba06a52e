"""Connections to model servers over HTTP."""

from pathlib import Path

import httpx

from daemon.core.errors import EngineError

_CONNECT_S = 5.0
_FOR_OTHERS = 0o077


def connection(url: str, key: str = "") -> httpx.AsyncClient:
    """A client for the server at `url`, without time limits once it is connected: callers set these.

    A `key` is shown with each request.
    """
    return httpx.AsyncClient(
        base_url=url,
        verify=url.startswith("https:"),  # loading the certificates takes 30 ms, also where TLS is not used
        trust_env=False,  # a proxy of the environment would get the requests to 127.0.0.1
        timeout=httpx.Timeout(None, connect=_CONNECT_S),
        headers={"Authorization": f"Bearer {key}"} if key else {},
    )


def key_in(file: Path | None) -> str:
    """The key in a file; empty without a file.

    Raises EngineError for a file without a key, or one that others can read.
    """
    if file is None:
        return ""
    try:
        key, mode = file.read_text().strip(), file.stat().st_mode
    except (OSError, UnicodeDecodeError) as exc:
        raise EngineError(f"the key in {file} cannot be read ({exc}); check api_key_file") from exc
    if mode & _FOR_OTHERS:
        raise EngineError(f"others can read the key in {file}; run: chmod 600 {file}")
    if not key or not key.isascii() or not key.isprintable():
        raise EngineError(f"{file} has no key; make it one line of ASCII characters")
    return key
