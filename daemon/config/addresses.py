"""The addresses of servers in the configuration."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

_USUAL = "must be as http://gpu.lab:8000"


def _server_url(text: str) -> str:
    """Raise ValueError for what is no address of a server, or has a secret in it: addresses are shown."""
    if not text:
        return text
    parts = urlsplit(text)
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError(f"{_USUAL}, without a password or a key: an address stands in every result")
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not text.isprintable()
        or " " in text
        or parts.port == 0
    ):
        raise ValueError(_USUAL)
    return text


ServerUrl = Annotated[str, AfterValidator(_server_url)]
"""The address of a server over HTTP, or nothing."""
