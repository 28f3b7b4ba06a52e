"""What is in force, in the audit: program, settings and rubric, once at a start and whenever they change."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from daemon import __version__
from daemon.config.load import Config
from daemon.core.errors import StoreError
from daemon.store import audit
from daemon.store.session import Session
from daemon.system.waits import waking

_LEFT_OUT = frozenset({"paths", "alerts", "hooks"})
_SECRET = "url"
"""Addresses can have a password, which no entry can lose."""


class InForce:
    """Records what is in force. `rubric` gives the SHA-256 of each template in use, by its name."""

    def __init__(
        self,
        session: Session,
        config: Config,
        rubric: Callable[[], Mapping[str, str]],
        clock: Callable[[], float],
    ) -> None:
        self._session, self._clock = session, clock
        self._settings, self._rubric = settings_of(config), rubric
        self._hinted = asyncio.Event()
        self._hinted.set()  # at the start

    def look(self) -> None:
        """Look soon: something may have changed."""
        self._hinted.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Record each change until `stop` is set, and once more then."""
        async with waking(stop, self.look):
            while True:
                await self._hinted.wait()
                self._hinted.clear()
                rubric = {f"rubric.{name}": digest for name, digest in self._rubric().items()}
                now = {"program": __version__, **self._settings, **rubric}
                with contextlib.suppress(StoreError):  # only at a stop; the next start records it
                    await self._session.until_durable(audit.in_force, now, self._clock())
                if stop.is_set():
                    return


def settings_of(config: Config) -> dict[str, Any]:
    """The settings that bear on a result, by their keys as in the file."""
    found: dict[str, Any] = {}
    for section, value in config.model_dump(mode="json").items():
        if section in _LEFT_OUT:
            continue
        table = {f"{section}.{key}": each for key, each in value.items()} if isinstance(value, dict) else {}
        found |= table or {section: value}
    return {key: value for key, value in found.items() if not key.endswith(_SECRET)}
