"""Deposits: what is handed in for several students. Packages of their recordings, and rosters."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from daemon.contracts.ports import Package, Packages
from daemon.contracts.values import Claim
from daemon.core.classes.roster import Roster
from daemon.core.classes.roster_file import read_roster
from daemon.core.errors import Blame, Fault, IllegalTransition, two_parts
from daemon.core.intake import package
from daemon.core.intake.kinds import is_package
from daemon.core.intake.naming import Refusal, Refused
from daemon.core.timestamps import to_iso
from daemon.intake import refusal
from daemon.intake.alarm import IntakeAlarm, shown
from daemon.intake.files import CopyInterrupted, Halted
from daemon.intake.landed import Landed, Opened, not_moved
from daemon.intake.limits import Limits
from daemon.intake.moves import Where
from daemon.intake.new_claims import NewClaims
from daemon.intake.places import ClaimPaths
from daemon.intake.room import DiskRoom
from daemon.store import claims, classes
from daemon.store.session import Session

_MOST_DEATHS = 3  # of the unpacker: each may have taken all the time that a member is allowed


@dataclass(slots=True)
class _Found:
    """What was found in a package so far, and what is still to be unpacked."""

    waiting: deque[tuple[package.Member, Claim]] = field(default_factory=deque)
    members: list[Claim] = field(default_factory=list)
    refused: list[tuple[Claim, str]] = field(default_factory=list)
    deaths: int = 0


class _NotNow(Exception):
    """A package cannot be opened now, through no fault of its own."""


class Deposits:
    """Opens deposits that lie in the state folder, durably. Whatever is repeated gives the same again."""

    def __init__(
        self,
        new: NewClaims,
        places: ClaimPaths,
        session: Session,
        packages: Packages,
        room: DiskRoom,
        limits: Limits,
        clock: Callable[[], float],
    ) -> None:
        self._new, self._places, self._session, self._packages = new, places, session, packages
        self._room, self._limits, self._clock = room, limits, clock

    async def open(self, claim: Claim, halted: Halted) -> Landed:
        """Unpack a package, or read a roster. Raises CopyInterrupted; an OSError becomes an alarm."""
        try:
            if is_package(claim.filename):
                return Landed(claim, Where.TAKEN, opened=await self._unpack(claim, halted))
            return Landed(claim, Where.TAKEN, opened=await asyncio.to_thread(self._read_roster, claim))
        except OSError as exc:
            return Landed(claim, Where.TAKEN, alarm=not_moved(claim, exc))
        except _NotNow as exc:
            alarm = IntakeAlarm("claim_waits", shown(claim.path), *two_parts(str(exc)), owner=claim.owner)
            return Landed(claim, Where.TAKEN, alarm=alarm)

    async def record(self, claim: Claim, opened: Opened) -> str | None:
        """Record what was found, in one transaction with the end of the deposit's claim. Gives why it is
        refused after all, if it is.
        """
        now = self._clock()
        if opened.entries:
            try:
                await self._session(classes.take_roster, claim, opened.entries, now)
            except IllegalTransition as exc:
                told = f"{claim.filename} is not taken: {exc}, and send it again"
                return str(Refusal(Refused.ROSTER, told))
            return None
        inbox, at = self._new.inbox, to_iso(now)
        reasons = [refusal.reason_document(one, inbox, reason, at) for one, reason in opened.refused]
        await self._session(claims.open_package, claim, opened.members, reasons)
        return None

    def _read_roster(self, claim: Claim) -> Opened:
        found = read_roster(self._places.kept(claim).read_bytes())
        if found.faults:
            told = f"{claim.filename} has faults: {'; '.join(found.faults)}"
            return Opened(reason=str(Refusal(Refused.ROSTER, f"{told}; correct them, and send it again")))
        told = f"{claim.filename} is the roster of the open class, with {len(found.entries)} students"
        return Opened(entries=found.entries, told=told)

    async def _unpack(self, claim: Claim, halted: Halted) -> Opened:
        """Unpack what may be taken. A child that dies leaves the rest to another. Raises _NotNow, OSError."""
        found: _Found | None = None
        while found is None or (found.waiting and found.deaths < _MOST_DEATHS):
            async with self._packages.open(self._places.kept(claim)) as opened:
                if isinstance(opened, Fault):
                    raise _NotNow(opened.message)
                if found is None:
                    listed = await opened.members()
                    why = self._refused_whole(claim, listed)
                    if why or isinstance(listed, Fault):
                        return _refused(claim, why)
                    roster = await self._session(classes.open_roster)
                    found = await asyncio.to_thread(self._sort, claim, listed, roster)
                await self._unpack_with(opened, claim, found, halted)
        if not (found.members or found.refused):
            return _refused(claim, "there is no file in it; pack the recordings, and send it again")
        if found.waiting:
            await asyncio.to_thread(self._drop, found.members)
            return _refused(claim, f"the unpacker broke off {_MOST_DEATHS} times; make the archive anew")
        told = f"{claim.filename} is opened: {len(found.members)} recordings"
        more = f", {len(found.refused)} files refused" if found.refused else ""
        return Opened(tuple(found.members), tuple(found.refused), told=told + more)

    async def _unpack_with(self, opened: Package, claim: Claim, found: _Found, halted: Halted) -> None:
        """Unpack what waits, until the child dies. Raises _NotNow, OSError, CopyInterrupted."""
        while found.waiting:
            if halted():
                raise CopyInterrupted
            member, made = found.waiting.popleft()
            with self._room.hold(member.size_bytes):
                fault = await opened.unpack(member, self._places.member(made))
            if fault is None:
                found.members.append(made)
            elif fault.blame is Blame.ENGINE:
                raise _NotNow(fault.message)
            else:
                told = f"{made.filename} in {claim.filename} is not taken: {fault.message}"
                found.refused.append((made, str(Refusal(Refused.ARCHIVE, told))))
                if fault.died:
                    found.deaths += 1
                    return

    def _refused_whole(self, claim: Claim, listed: Sequence[package.Member] | Fault) -> str:
        if isinstance(listed, Fault):
            return listed.message
        return package.refused_whole(listed, claim.size_bytes, self._limits.max_size_bytes)

    def _sort(self, claim: Claim, listed: Sequence[package.Member], roster: Roster) -> _Found:
        found = _Found()
        files = [member for member in listed if not package.ignored(member)]
        for member in files:
            made = self._new.of_member(claim, member, roster, alone=len(files) == 1)
            if made.reason is None:
                found.waiting.append((member, made))
            else:
                found.refused.append((made, made.reason))
        return found

    def _drop(self, members: Sequence[Claim]) -> None:
        for made in members:
            with contextlib.suppress(FileNotFoundError):
                self._places.member(made).unlink()


def _refused(claim: Claim, why: str) -> Opened:
    return Opened(reason=str(Refusal(Refused.ARCHIVE, f"{claim.filename} is not opened: {why}")))
