"""Tasks that another program inserted into the database: their files are claimed from the inbox like all
others, and the task gets the claim. One whose file can't come is ended, with the reason.
"""

import asyncio
import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from daemon.contracts.values import OnAlarm
from daemon.core.alarms import Trouble, trouble
from daemon.core.errors import StoreError
from daemon.core.intake.naming import is_safe, printable
from daemon.store import claims, registered
from daemon.store.registered import Registered
from daemon.store.session import Session
from daemon.system.waits import happens

_ALARM = "registered"
_EVERY_S = 30.0
PATIENCE_S = 60.0  # for a program that inserts the row before it copies the file


class Registrations:
    """Watches the tasks without a claim. `available` says whether the inbox can be read; `ended` is called
    when one of them failed, so that its result is delivered.
    """

    def __init__(
        self,
        session: Session,
        inbox: Path,
        available: Callable[[], bool],
        ended: Callable[[], None],
        on_alarm: OnAlarm,
        clock: Callable[[], float],
    ) -> None:
        self._session, self._inbox, self._available = session, inbox.absolute(), available
        self._ended, self._on_alarm, self._clock = ended, on_alarm, clock
        self._missing: dict[Registered, float] = {}  # and when each was first looked for in vain

    async def run(self, stop: asyncio.Event) -> None:
        """Look every 30 s, until `stop`."""
        while not stop.is_set():
            with contextlib.suppress(StoreError):  # reported by the work, which needs the database, too
                await self.look()
            await happens(stop, _EVERY_S)

    async def look(self) -> None:
        """Look at each once. Raises StoreError."""
        found = await self._session(registered.unclaimed)
        nameless = [one for one in found if not is_safe(one.student)]
        self._on_alarm(_ALARM, _nameless(nameless) if nameless else None)
        missing = {}
        for one in found:
            if one in nameless or not self._available():
                continue
            if not Path(os.fsdecode(one.path)).is_relative_to(self._inbox):
                told = (
                    f"its file is not below the inbox {self._inbox}; copy it there and insert the task again"
                )
                await self._end(one, "not_in_inbox", told)
            elif not await asyncio.to_thread(_is_file, one.path):
                since = missing[one] = self._missing.get(one, self._clock())
                if not 0 <= self._clock() - since < PATIENCE_S:
                    await self._end_missing(one)
        self._missing = missing

    async def _end_missing(self, one: Registered) -> None:
        if any(claim.path == one.path for claim in await self._session(claims.still_open)):
            return
        task_id = await self._session(registered.taken_as, one)
        if task_id is None:
            told = "its file is not there, or was refused; see: introeval tasks --refused"
            await self._end(one, "no_file", told)
        else:
            told = f"its file was claimed before it was inserted, as task {task_id}; nothing needs to be done"
            await self._end(one, "claimed_before", told)

    async def _end(self, one: Registered, code: str, told: str) -> None:
        name = printable(os.fsdecode(one.path))
        await self._session(registered.fail, one, code, f"{name}: {told}", self._clock())
        self._ended()


def _nameless(some: list[Registered]) -> Trouble:
    ids = ", ".join(str(one.id) for one in some)
    return trouble(_ALARM, f"no student can have the user_id of the inserted tasks {ids}")


def _is_file(path: bytes) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return False
