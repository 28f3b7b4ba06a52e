"""The claim: from a finished file in the inbox to a task, in groups, each step durable before the next.

1. The claims' rows stand in the database.
2. Each file is renamed, in its own folder, to a name that its claim alone has: one claimer wins.
3. It is checked to be the file that was seen, and copied to the spool (or moved to the refused ones).
4. It is probed.
5. The copies and their steps are durable, and the files leave the inbox.
6. The tasks are born, or the refusals recorded, in one transaction a group.

`take` does the first two for a group, `fetch` the next two for one file, which may take long, and `settle`
the rest for a group. A crash between any two steps is finished from the rows.
"""

import asyncio
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from daemon.contracts.ports import Media
from daemon.contracts.values import Birth, Born, Claim, ClaimStep
from daemon.core.errors import Blame, Fault, StoreError
from daemon.core.intake.naming import STUDENT_PATTERN, Named, Refusal, printable
from daemon.core.intake.ownership import Ownership
from daemon.core.intake.stability import SeenFile
from daemon.core.timestamps import to_iso
from daemon.intake import refusal
from daemon.intake.accounts import account_name
from daemon.intake.alarm import IntakeAlarm, reason_of, shown
from daemon.intake.files import Digest, Files, Halted
from daemon.intake.landed import (
    Landed,
    Settled,
    Taken,
    Tidied,
    away,
    not_moved,
    not_written,
    reason_to_refuse,
)
from daemon.intake.mover import Fetched, Mover, Where
from daemon.intake.places import ClaimPaths, claim_id_of, hidden
from daemon.intake.room import DiskRoom
from daemon.store import claims
from daemon.store.births import create_tasks
from daemon.store.session import Session
from daemon.system.folder import Entry, Folder

_TIDIED_AT_ONCE = 400


@dataclass(frozen=True, slots=True)
class Limits:
    """What a video may be, and how its student is read from its name."""

    max_duration_s: float = 900.0
    max_size_bytes: int = 4096 * 1024 * 1024
    student_pattern: str = STUDENT_PATTERN
    done_marker: str = ""
    ownership: Ownership = field(default_factory=Ownership)


class Claimer:
    """Claims files of one inbox into one state folder, and tells `on_born` of each group of new tasks as
    soon as they stand. Every method may raise StoreError or OSError; what is then half done stays an open
    claim, and is finished by fetching and settling it again.
    """

    def __init__(
        self,
        inbox: Path,
        places: ClaimPaths,
        *,
        session: Session,
        media: Media,
        on_born: Callable[[Sequence[Born]], None],
        clock: Callable[[], float],
        limits: Limits,
        files: Files,
        room: DiskRoom,
    ) -> None:
        self._inbox = inbox
        self._places = places
        self._session = session
        self._media = media
        self._on_born = on_born
        self._clock = clock
        self._limits = limits
        self._files = files
        self._mover = Mover(inbox, places, files, room, limits.max_size_bytes)
        self._last_us = 0

    async def take(self, ready: Sequence[SeenFile]) -> Taken:
        """Steps 1 and 2, in this order of files. Nothing of them is in the inbox's sight afterwards."""
        new = await asyncio.to_thread(self._claims, ready)
        await self._session(claims.add, new)
        hiding = await asyncio.to_thread(self._mover.hide, new)
        await self._step([*hiding.late, *(claim for claim, _ in hiding.denied)], ClaimStep.LOST)
        seen_as = {entry.path: entry for entry in ready}
        return Taken(hiding.won, tuple((seen_as[claim.path], error) for claim, error in hiding.denied))

    async def open_claims(self) -> list[Claim]:
        """Every claim that stands open, oldest first: what a crash left, and what is in work."""
        return await self._session(claims.still_open)

    async def tidy(self, hidden_files: Sequence[SeenFile]) -> Tidied:
        """Put right claimed files whose folder was renamed while they waited. Raises StoreError.

        What was taken is removed; what was lost by it gets its name back, and is claimed anew. Anybody can
        make files with hidden names, and shut their folders: none of them keeps another from being put right.
        """
        ours = frozenset(map(hidden, await self.open_claims()))
        loose = {claim_id_of(entry.path): entry for entry in hidden_files if entry.path not in ours}
        failed: list[tuple[SeenFile, OSError]] = []
        ids = list(loose)
        for first in range(0, len(ids), _TIDIED_AT_ONCE):
            some = ids[first : first + _TIDIED_AT_ONCE]
            for claim in await self._session(claims.closed, some):
                entry = loose.pop(claim.id)
                path = os.path.join(os.path.dirname(entry.path), os.path.basename(claim.path))
                try:
                    await asyncio.to_thread(self._mover.tidy, replace(claim, path=path))
                except OSError as exc:
                    failed.append((entry, exc))
        return Tidied(tuple(loose.values()), tuple(failed))

    async def fetch(self, claim: Claim, halted: Halted) -> Landed:
        """Steps 3 and 4, from wherever the file is. Raises Interrupted, and no OSError."""
        try:
            fetched = await asyncio.to_thread(self._mover.fetch, claim, halted)
        except OSError as exc:
            return Landed(claim, Where.AWAY, alarm=not_moved(claim, exc))
        if fetched.where is Where.AWAY:
            return Landed(claim, Where.AWAY, alarm=away(claim))
        if claim.student is None or fetched.where not in (Where.TAKEN, Where.ASIDE):
            return Landed(claim, fetched.where)
        try:
            birth = await self._inspect(claim, fetched, halted)
        except OSError as exc:
            path = self._places.spooled(claim)
            fix = "give this user the right to, or check the disk"
            alarm = IntakeAlarm(
                "claim_waits", str(path), f"{path} cannot be read: {reason_of(exc)}; {fix}", owner=claim.owner
            )
            return Landed(claim, Where.TAKEN, alarm=alarm)
        if birth.fault is not None and birth.fault.blame is Blame.ENGINE:
            told = f"{claim.filename} cannot be looked at: {birth.fault.message}"
            return Landed(
                claim,
                Where.TAKEN,
                alarm=IntakeAlarm("claim_waits", shown(claim.path), told, owner=claim.owner),
            )
        return Landed(claim, fetched.where, birth)

    async def settle(self, landed: Sequence[Landed]) -> Settled:
        """Steps 5 and 6, for a group. Tasks are born in the order in which their files were claimed."""
        landed = sorted(landed, key=lambda each: each.claim.id)
        delayed = {each.claim.id: each.alarm for each in landed if each.alarm is not None}
        done = [each for each in landed if each.alarm is None]
        await self._step([each.claim for each in done if each.where is Where.LOST], ClaimStep.LOST)
        taken = [each.claim for each in done if each.where in (Where.TAKEN, Where.ASIDE)]
        if taken:
            unwritten = await asyncio.to_thread(self._mover.sync, taken)
            delayed |= {claim.id: not_moved(claim, exc) for claim, exc in unwritten}
            taken = [claim for claim in taken if claim.id not in delayed]
            await self._step([claim for claim in taken if claim.student is not None], ClaimStep.SPOOLED)
            leaving = await asyncio.to_thread(self._mover.leave, taken)
            await self._step(leaving.changed, ClaimStep.LOST)
            delayed |= {claim.id: not_moved(claim, exc) for claim, exc in leaving.failed}
            gone = {claim.id for claim in leaving.changed} | delayed.keys()
            done = [each for each in done if each.claim.id not in gone]
        reasons = [(each.claim, reason) for each in done if (reason := reason_to_refuse(each)) is not None]
        await self._refuse(reasons)
        births = [each.birth for each in done if each.birth is not None]
        every, error = await self._born(births)
        if error is not None:
            there = {each.claim.id for each in every}
            unborn = [birth.claim for birth in births if birth.claim.id not in there]
            delayed |= {claim.id: not_written(claim, error) for claim in unborn}
        born, duplicates = await self._sort_out(every)
        if self._limits.done_marker:
            await asyncio.to_thread(self._mover.drop_markers, taken, self._limits.done_marker)
        return Settled(born, len(reasons) + duplicates, delayed)

    async def _born(self, births: Sequence[Birth]) -> tuple[list[Born], StoreError | None]:
        """Have tasks born in one transaction, or each alone where that fails; and what failed last."""
        if not births:
            return [], None
        try:
            return await self._session(create_tasks, births, self._clock()), None
        except StoreError as exc:
            failed = exc
        every: list[Born] = []
        failures = 0
        for birth in births if len(births) > 1 else ():
            try:
                every += await self._session(create_tasks, [birth], self._clock())
            except StoreError as exc:
                failed, failures = exc, failures + 1
                if failures > 1:
                    break  # no birth is to blame, but the database
        return every, failed

    async def _sort_out(self, every: Sequence[Born]) -> tuple[int, int]:
        """How many of these became tasks, and how many were refused: videos that were handed in before."""
        if tasks := [each for each in every if each.task is not None]:
            self._on_born(tasks)
        if refused := [each for each in every if each.task is None]:
            await asyncio.to_thread(self._mover.refuse, [each.claim for each in refused])
            await self._refuse([(each.claim, str(refusal.again(each))) for each in refused])
        return len(tasks), len(refused)

    async def _inspect(self, claim: Claim, fetched: Fetched, halted: Halted) -> Birth:
        """Step 4. Raises OSError, Interrupted."""
        path = self._places.spooled(claim)
        if claim.size_bytes > self._limits.max_size_bytes:
            # Not even read: a sparse file of many terabytes costs its owner nothing.
            is_aside = fetched.where is Where.ASIDE
            path = self._mover.aside(claim) if is_aside else path
            too_large = self._too_large(claim)
            return Birth(claim, path, "", claim.size_bytes, 0.0, too_large, kept=not is_aside)
        digest = fetched.digest
        if digest is None:
            digest = await asyncio.to_thread(self._digest, path, halted)
        duration_s, fault = await self._judge(claim, path)
        return Birth(claim, path, digest.sha256, digest.found.st_size, duration_s, fault)

    def _digest(self, path: Path, halted: Halted) -> Digest:
        with Folder.open(path.parent) as folder:
            return self._files.digest(Entry(folder, os.fsencode(path.name)), halted)

    def _too_large(self, claim: Claim) -> Fault:
        size, most = claim.size_bytes / 1e6, self._limits.max_size_bytes / 1e6
        told = f"{claim.filename} has {size:.1f} MB, and {most:.1f} are allowed; send a smaller one"
        return Fault(Blame.PERMANENT, "too_large", told)

    async def _judge(self, claim: Claim, path: Path) -> tuple[float, Fault | None]:
        """The duration in seconds, 0 when unknown, and what is wrong with the video."""
        probe = await self._media.probe(path, claim.account or str(claim.owner))
        if isinstance(probe, Fault):
            return 0.0, probe
        longest_s = self._limits.max_duration_s
        if probe.duration_s > longest_s:
            told = f"{claim.filename} lasts {probe.duration_s:.0f} s, and {longest_s:.0f} are allowed"
            return probe.duration_s, Fault(Blame.PERMANENT, "too_long", f"{told}; send a shorter one")
        return probe.duration_s, None

    async def _refuse(self, reasons: Sequence[tuple[Claim, str]]) -> None:
        if reasons:
            at = to_iso(self._clock())
            refusals = [(claim, refusal.reason_document(claim, reason, at)) for claim, reason in reasons]
            await self._session(claims.refuse, refusals)

    async def _step(self, some: Sequence[Claim], step: ClaimStep) -> None:
        if some:
            await self._session(claims.step, [claim.id for claim in some], step)

    def _claims(self, ready: Sequence[SeenFile]) -> list[Claim]:
        now = self._clock()
        return [self._claim(entry, now) for entry in ready]

    def _claim(self, entry: SeenFile, now: float) -> Claim:
        relative = PurePath(os.fsdecode(entry.path)).relative_to(self._inbox)
        ownership, account = self._limits.ownership, account_name(entry.owner)
        judged = refusal.judge(entry, relative, self._limits.student_pattern, ownership, account)
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
            claimed_at=self._last_us / 1_000_000,  # the order of a group stands, whoever is read first
            reason=str(judged) if isinstance(judged, Refusal) else None,
            owner=entry.owner,
            account=None if ownership.rule == "ignore" else account,
        )

    def _next_id(self, now: float) -> str:
        """20 hex digits that sort by time: 13 of microseconds (till the year 2112), 7 of chance."""
        self._last_us = max(int(now * 1_000_000), self._last_us + 1)
        return f"{self._last_us:013x}{secrets.randbits(28):07x}"
