"""New claims: of files of the inbox, and of the members of packages."""

import hashlib
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath

from daemon.contracts.values import Claim, ClaimStep
from daemon.core.classes.roster import Roster
from daemon.core.intake import package
from daemon.core.intake.kinds import is_package
from daemon.core.intake.naming import Named, Refusal, Refused, printable
from daemon.core.intake.stability import SeenFile
from daemon.intake import refusal
from daemon.intake.accounts import account_name
from daemon.intake.limits import Limits

_RANDOM_DIGITS = 7


class NewClaims:
    """Makes claims, each with the student that its name gives, or why it is refused."""

    def __init__(self, inbox: Path, limits: Limits, clock: Callable[[], float]) -> None:
        self.inbox, self._limits, self._clock = inbox, limits, clock
        self._last_us = 0

    def of_files(self, ready: Sequence[SeenFile], roster: Roster) -> list[Claim]:
        """The claims of files of the inbox, in their order."""
        now = self._clock()
        return [self._of_file(entry, roster, now) for entry in ready]

    def of_member(self, whole: Claim, member: package.Member, roster: Roster, *, alone: bool) -> Claim:
        """The claim of a member of a package, the same each time that the package is opened. One that is
        `alone` there may be named by the package: `s001_intro.zip`.
        """
        below, why = package.path_or_refusal(member, self._limits.max_size_bytes)
        inside = PurePath(os.fsdecode(whole.path)).relative_to(self.inbox)
        judged = self._limits.names.read(inside.parent / below, roster)
        if alone and isinstance(judged, Refusal) and judged.code is Refused.NO_STUDENT:
            judged = self._limits.names.read(inside.with_name(f"{inside.stem}_{below.name}"), roster)
        account = account_name(whole.owner)
        judged = refusal.owned(judged, roster, self._limits.ownership, account)
        if why:
            told = f"{printable(below.name)} in {whole.filename} is not taken: {why}"
            judged = Refusal(Refused.ARCHIVE, told)
        named = isinstance(judged, Named)
        return Claim(
            id=_member_id(whole, member.at),
            path=whole.path + b"/" + str(below).encode("utf-8", "replace"),
            filename=printable(below.name),
            student=judged.student if isinstance(judged, Named) else None,
            device=0,
            inode=0,
            size_bytes=member.size_bytes,
            mtime_ns=0,
            claimed_at=whole.claimed_at + (1 + member.at) / 1_000_000,
            reason=None if named else str(judged),
            step=ClaimStep.SPOOLED,
            owner=whole.owner,
            account=whole.account,
        )

    def groups(self, claim: Claim) -> dict[str, str]:
        """What the lab's pattern says of a claim's path; a member's goes on where its package lies."""
        relative = PurePath(os.fsdecode(claim.path))
        if not relative.is_relative_to(self.inbox):
            return {}
        parts = relative.relative_to(self.inbox).parts
        if claim.is_member:
            at = next((at for at, part in enumerate(parts) if is_package(part)), len(parts))
            parts = (*parts[:at], *parts[at + 1 :])
        return self._limits.names.groups(PurePath(*parts))

    def _of_file(self, entry: SeenFile, roster: Roster, now: float) -> Claim:
        relative = PurePath(os.fsdecode(entry.path)).relative_to(self.inbox)
        account = account_name(entry.owner)
        judged = refusal.judge(entry, relative, self._limits, roster, account)
        claim_id = self._next_id(now)
        return Claim(
            id=claim_id,
            path=entry.path,
            filename=printable(relative.name),
            student=judged.student if isinstance(judged, Named) else None,
            device=entry.device,
            inode=entry.inode,
            size_bytes=entry.size_bytes,
            mtime_ns=entry.mtime_ns,
            claimed_at=self._last_us / 1_000_000,  # ascending within a group, whichever file is read first
            reason=str(judged) if isinstance(judged, Refusal) else None,
            owner=entry.owner,
            account=None if self._limits.ownership.rule == "ignore" else account,
        )

    def _next_id(self, now: float) -> str:
        """20 hex digits that sort by time: 13 of microseconds (until the year 2112), 7 random ones."""
        self._last_us = max(int(now * 1_000_000), self._last_us + 1)
        return f"{self._last_us:013x}{secrets.randbits(4 * _RANDOM_DIGITS):07x}"


def _member_id(whole: Claim, at: int) -> str:
    digest = hashlib.sha256(f"{whole.id}/{at}".encode()).hexdigest()
    return f"{int(whole.id[:-_RANDOM_DIGITS], 16) + 1 + at:013x}{digest[:_RANDOM_DIGITS]}"
