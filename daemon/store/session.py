"""The store for coroutines: all calls run on one thread, and writes are repeated until they are durable.

When the database can't be used now (its disk is full, another program locks it), there is an alarm, and the
same write is attempted again. Nothing that depends on a write happens before it is durable.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Concatenate, ParamSpec, TypeVar

from daemon.contracts.values import OnAlarm
from daemon.core.alarms import trouble_of
from daemon.core.errors import StoreError
from daemon.store.database import Database

P = ParamSpec("P")
R = TypeVar("R")

_ALARM = "store"
_AGAIN_S = 2.0  # after a lock: BUSY_TIMEOUT_S has passed in the call before
_READ_S = 3.0  # a person waits for the answer


class Session:
    """The way to the database thread. Its alarm lasts while a write fails."""

    def __init__(self, db: Database, executor: Executor, on_alarm: OnAlarm) -> None:
        self.db = db
        self._executor, self._on_alarm = executor, on_alarm
        self._ends_at: float | None = None
        self.tries = 0  # grows while a write waits for the database, so that the watchdog sees no standstill

    async def __call__(
        self, function: Callable[Concatenate[Database, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Call a function of the store on the database thread. Raises what it raises."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: function(self.db, *args, **kwargs))

    async def read(
        self, function: Callable[Concatenate[Database, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Call a function that only reads, for a caller who waits for the answer.

        Raises StoreError after 3 s, since the thread may be busy with a write that waits for another
        program's lock, and what the function raises.
        """
        try:
            async with asyncio.timeout(_READ_S):
                return await self(function, *args, **kwargs)
        except TimeoutError as exc:
            told = f"the database does not answer within {_READ_S:g} s: its disk is slow, or it is locked"
            raise StoreError(f"{told} by another program; end that program, or ask again") from exc

    async def until_durable(
        self, function: Callable[Concatenate[Database, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Call a function of the store, and repeat it while it raises StoreError.

        Raises StoreError only after the deadline of a stop: see `end_by`.
        """
        while True:
            self.tries += 1
            try:
                value = await self(function, *args, **kwargs)
            except StoreError as exc:
                self._on_alarm(_ALARM, trouble_of(_ALARM, str(exc)))
                if self._ends_at is not None and asyncio.get_running_loop().time() >= self._ends_at:
                    raise
                await asyncio.sleep(_AGAIN_S)
            else:
                self._on_alarm(_ALARM, None)
                return value

    @property
    def is_ending(self) -> bool:
        """Whether the daemon stops: a write that fails is then left to its next start."""
        return self._ends_at is not None

    def end_by(self, grace_s: float) -> None:
        """Repeat no write after `grace_s` seconds, since the daemon stops. Its next start recovers from what
        the database holds then.
        """
        self._ends_at = asyncio.get_running_loop().time() + grace_s
        self.db.hurried = True
