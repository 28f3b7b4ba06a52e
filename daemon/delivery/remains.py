"""Reconciliation, at a start, of the database with files on the disk that it does not know.

A database can be lost, or an older copy restored. Its ids would then begin again, so that new videos get
names that are in use, and videos claimed since would have no claim. So new ids begin above every id on the
disk, and a video in the spool without a claim is claimed again: its name says whose it is.
"""

import asyncio
import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.contracts.values import Claim, ClaimStep
from daemon.core.alarms import trouble
from daemon.core.intake.naming import printable, read_spool_name
from daemon.monitoring.alarms import Alarms
from daemon.store import claims, remains
from daemon.store.database import Database
from daemon.store.session import Session
from daemon.system.folder import Folder

_ID = re.compile(rb"(\d{4,15})-")
_HALF = re.compile(rb"\.introeval-[^/]+\.tmp")
_PARTIAL = b".partial"
_CLAIM_ID = 20  # a name in the spool begins with a claim's id, of so many characters


@dataclass(frozen=True, slots=True)
class Remains:
    """The highest task id in a name of the outbox or the archive, and the names in the spool."""

    highest_id: int
    spooled: tuple[str, ...]


class Reconciliation:
    """Adapts the database to the outbox and the state folder. Call it before anything is claimed."""

    def __init__(self, session: Session, alarms: Alarms, inbox: Path, outbox: Path, state: Path) -> None:
        self._session, self._alarms = session, alarms
        self._inbox, self._outbox, self._state = inbox, outbox, state

    async def __call__(self, now: float) -> None:
        """Reconcile. What was found is an alarm until the next start. Raises StoreError."""
        found = await asyncio.to_thread(look, self._outbox, self._state)
        last = await self._session(remains.last_id)
        if found.highest_id > last:
            await self._session(remains.begin_ids_above, found.highest_id)
            told = f"there are results or videos up to task {found.highest_id}, and the database knows none"
            self._alarms.set(
                trouble("older_database", f"{told} after {last}: it is an older copy, or a new one")
            )
        adopted, unknown = await self._session(self._sort, found.spooled, now)
        if adopted:
            await self._session(claims.add, adopted)
            students = ", ".join(sorted({claim.student or "" for claim in adopted}))
            told = f"{len(adopted)} videos in the spool were not in the database, and are claimed again"
            affects = f"{students}, who may be evaluated twice"
            self._alarms.set(trouble("spool_adopted", told, affects=affects))
        if unknown:
            names = ", ".join(map(printable, unknown))
            told = f"{self._state / 'spool'} holds files that belong to no task: {names}"
            self._alarms.set(trouble("spool_unknown", told))

    def _sort(self, db: Database, names: Sequence[str], now: float) -> tuple[list[Claim], list[str]]:
        """New claims for names in the spool that have none, and the names that belong to nobody."""
        of_tasks = remains.claims_with_video(db, [name[:_CLAIM_ID] for name in names])
        loose = [name for name in names if name[:_CLAIM_ID] not in of_tasks]
        read = {name: read_spool_name(name) for name in loose}
        known = remains.known_claims(db, [parts[0] for parts in read.values() if parts])
        open_ = {claim.id for claim in claims.still_open(db)}
        adopted = [self._claim(*parts, now) for parts in read.values() if parts and parts[0] not in known]
        unknown = [name for name, parts in read.items() if parts is None or parts[0] in known - open_]
        return adopted, unknown

    def _claim(self, claim_id: str, student: str, suffix: str, now: float) -> Claim:
        filename = f"{student}{suffix}"
        path = os.fsencode(self._inbox.absolute() / student / filename)
        return Claim(claim_id, path, filename, student, 0, 0, 0, 0, now, step=ClaimStep.SPOOLED)


def look(outbox: Path, state: Path) -> Remains:
    """Read the names on the disk, and remove what is unfinished in the spool and the outbox. Raises OSError.

    An outbox or archive that can't be read counts as empty: nothing in it is ever overwritten.
    """
    highest = 0
    for root in (outbox, state / "archive"):
        for folder, name in _entries_below(root):
            if _HALF.fullmatch(name):  # a lost database would never deliver what a crash has left of it
                with contextlib.suppress(OSError):
                    folder.unlink(name)
            match = _ID.match(name)
            highest = max(highest, int(match[1]) if match else 0)
    with Folder.open(state / "spool") as spool:
        names = spool.names()
        for name in names:
            if name.endswith(_PARTIAL):
                spool.unlink(name)
    return Remains(highest, tuple(os.fsdecode(name) for name in names if not name.endswith(_PARTIAL)))


def _entries_below(root: Path) -> Iterator[tuple[Folder, bytes]]:
    """The entries in the folders of `root`. A folder that a crash has left half made is removed."""
    try:
        with Folder.open(root) as folder:
            for name in folder.names():
                try:
                    with folder.inner(name) as inner:
                        yield from ((inner, each) for each in inner.names())
                    if _HALF.fullmatch(name):
                        folder.rmdir(name)
                except OSError:
                    continue  # not a folder, or gone
    except OSError:
        return
