"""Puts right, at a start, what lies on the disk and the database does not know.

A database can be lost, or an older copy of it put back. Then its ids would begin again, and other videos get
names that are in use; and what was claimed since would belong to nobody. So new ids begin above all that lie
on the disk, and a video in the spool that has no claim is claimed anew: its name tells whose it is.
"""

import asyncio
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.contracts.values import Claim, ClaimStep
from daemon.core.intake.naming import printable, read_spool_name
from daemon.monitoring.alarms import Alarms
from daemon.store import claims, remains
from daemon.store.database import Database
from daemon.store.session import Session
from daemon.system.folder import Folder

_ID = re.compile(rb"(\d{4,15})-")
_PARTIAL = b".partial"
_CLAIM_ID = 20  # characters at the beginning of a name in the spool


@dataclass(frozen=True, slots=True)
class Remains:
    """The highest id of a task in a name of the outbox or the archive, and the names in the spool."""

    highest_id: int
    spooled: tuple[str, ...]


class Reconciliation:
    """Brings the database to what lies in the outbox and the state folder. Before anything is claimed."""

    def __init__(self, session: Session, alarms: Alarms, inbox: Path, outbox: Path, state: Path) -> None:
        self._session, self._alarms = session, alarms
        self._inbox, self._outbox, self._state = inbox, outbox, state

    async def __call__(self, now: float) -> None:
        """Do it. What was not as it should be is an alarm until the next start. Raises StoreError."""
        found = await asyncio.to_thread(look, self._outbox, self._state)
        last = await self._session(remains.last_id)
        if found.highest_id > last:
            await self._session(remains.begin_ids_above, found.highest_id)
            self._alarms.set(
                "older_database",
                f"results or videos lie here up to task {found.highest_id}, and the database knows none "
                f"after {last}: it is an older copy, or a new one. Nothing is overwritten, and new tasks "
                f"begin with {found.highest_id + 1}; put the right database back, or go on with this one",
            )
        adopted, unknown = await self._session(self._sort, found.spooled, now)
        if adopted:
            await self._session(claims.add, adopted)
            students = ", ".join(sorted({claim.student or "" for claim in adopted}))
            self._alarms.set(
                "spool_adopted",
                f"{len(adopted)} videos in the spool were in no database, of {students}: they are taken "
                "in anew, and may be evaluated a second time",
            )
        if unknown:
            names = ", ".join(map(printable, unknown))
            self._alarms.set(
                "spool_unknown",
                f"{self._state / 'spool'} holds files that belong to no task: {names}; move them into the "
                "inbox as <student>_<name>, or delete them",
            )

    def _sort(self, db: Database, names: Sequence[str], now: float) -> tuple[list[Claim], list[str]]:
        """Of the names in the spool: claims for those that have none, and what can't be told whose it is."""
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
    """Read the names that lie on the disk, and remove copies that were never finished.

    An outbox or archive that can't be read now counts as empty: what stands in it is never overwritten.
    """
    highest = 0
    for root in (outbox, state / "archive"):
        for name in _names_below(root):
            match = _ID.match(name)
            highest = max(highest, int(match[1]) if match else 0)
    with Folder.open(state / "spool") as spool:
        names = spool.names()
        for name in names:
            if name.endswith(_PARTIAL):
                spool.unlink(name)
    return Remains(highest, tuple(os.fsdecode(name) for name in names if not name.endswith(_PARTIAL)))


def _names_below(root: Path) -> Iterator[bytes]:
    """The names of all that lies in the folders of a folder."""
    try:
        with Folder.open(root) as folder:
            for name in folder.names():
                try:
                    with folder.inner(name) as inner:
                        yield from inner.names()
                except OSError:
                    continue  # no folder, or gone
    except OSError:
        return
