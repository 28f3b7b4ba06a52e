"""The store as coroutines use it: each call on the one database thread, each write until it is durable.

A database that can't be used now (its disk is full, another program locks it) is told to `on_trouble`, and
the same write is tried again: until it is durable, nothing that depends on it happens.
"""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Concatenate, ParamSpec, TypeVar

from daemon.core.errors import StoreError
from daemon.store.database import Database, hurry

P = ParamSpec("P")
R = TypeVar("R")

_AGAIN_S = 2.0
_READ_S = 3.0


class Session:
    """The way to the database thread. `on_trouble` gets the reason, and None when writing works again."""

    def __init__(self, db: Database, executor: Executor, on_trouble: Callable[[str | None], None]) -> None:
        self.db = db
        self._executor, self._on_trouble = executor, on_trouble
        self._ends_at: float | None = None
        self.tries = 0  # so that a wait for the database is told from a standstill

    async def __call__(
        self, function: Callable[Concatenate[Database, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Call a function of the open database on the database thread. Raises what it raises."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: function(self.db, *args, **kwargs))

    async def read(
        self, function: Callable[Concatenate[Database, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Call what only reads, for somebody who waits for the answer.

        The one thread may be busy with a write, which has the patience to wait for another program's lock.
        Raises StoreError after a few seconds, and what the function raises.
        """
        try:
            async with asyncio.timeout(_READ_S):
                return await self(function, *args, **kwargs)
        except TimeoutError as exc:
            told = f"the database does not answer within {_READ_S:g} s"
            raise StoreError(
                f"{told}: another program has locked it, or its disk is slow; end that program, or ask again"
            ) from exc

    async def until_durable(
        self, function: Callable[Concatenate[Database, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Call a function of the open database again and again while it raises StoreError.

        Raises StoreError itself once the daemon is to stop: see `end_by`.
        """
        while True:
            self.tries += 1
            try:
                value = await self(function, *args, **kwargs)
            except StoreError as exc:
                self._on_trouble(str(exc))
                if self._ends_at is not None and asyncio.get_running_loop().time() >= self._ends_at:
                    raise
                await asyncio.sleep(_AGAIN_S)
            else:
                self._on_trouble(None)
                return value

    @property
    def is_ending(self) -> bool:
        """Whether the daemon stops, and what can't be written is left for its next start."""
        return self._ends_at is not None

    def end_by(self, grace_s: float) -> None:
        """Try nothing again after `grace_s` seconds: the daemon stops. What was not written is done again
        after its next start, from what the database holds then.
        """
        self._ends_at = asyncio.get_running_loop().time() + grace_s
        self._hurrying = asyncio.create_task(self._hurry())

    async def _hurry(self) -> None:
        with contextlib.suppress(StoreError):  # closed already, or told of where it is written to
            await self(hurry)
