"""The claim: from a finished file in the inbox to a task, in groups, each step durable before the next.

1. The rows of the claims are added to the database.
2. Each file is renamed, in its own folder, to a name that only its claim has: one claimer wins.
3. It is verified to be the file that was seen, and copied to the spool (or moved to the refused files).
4. It is probed.
5. Copies and steps become durable, and the files leave the inbox.
6. The tasks are created, or the refusals recorded, in one transaction for the group.

`take` does steps 1 and 2 for a group, `fetch` steps 3 and 4 for one file, which may take long, and `settle`
the others for a group. After a crash between any two steps the rows tell how to finish.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from daemon.contracts.ports import Media, Packages
from daemon.contracts.values import Birth, Born, Claim, ClaimStep
from daemon.core.errors import Blame, Fault, StoreError, two_parts
from daemon.core.intake.stability import SeenFile
from daemon.core.timestamps import to_iso
from daemon.intake import refusal
from daemon.intake.alarm import IntakeAlarm, reason_of, shown
from daemon.intake.deposits import Deposits
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
from daemon.intake.limits import Limits
from daemon.intake.mover import Mover
from daemon.intake.moves import Fetched, Where
from daemon.intake.new_claims import NewClaims
from daemon.intake.newcomers import Newcomers
from daemon.intake.places import ClaimPaths, claim_id_of, hidden
from daemon.intake.room import DiskRoom
from daemon.store import claims, classes, users
from daemon.store.births import create_tasks
from daemon.store.session import Session
from daemon.system.folder import Entry, Folder

_TIDIED_AT_ONCE = 400


class Claimer:
    """Claims files of one inbox into one state folder. `on_born` is called with each group of new tasks,
    `on_refused` with claims and reasons, and `on_opened` with what was done with a package or a roster and
    whose it was, once they are durable. Every method may raise StoreError or OSError.
    An unfinished claim then stays open, and can be fetched and settled again.
    """

    def __init__(
        self,
        inbox: Path,
        places: ClaimPaths,
        *,
        session: Session,
        media: Media,
        on_born: Callable[[Sequence[Born]], None],
        on_refused: Callable[[Sequence[tuple[Claim, str]]], None] = lambda refused: None,
        on_opened: Callable[[str, str | None], None] = lambda told, account: None,
        packages: Packages,
        clock: Callable[[], float],
        limits: Limits,
        files: Files,
        room: DiskRoom,
    ) -> None:
        self._inbox, self._places, self._session, self._media = inbox, places, session, media
        self._on_born, self._on_refused, self._on_opened = on_born, on_refused, on_opened
        self._clock, self._limits, self._files = clock, limits, files
        self._new = NewClaims(inbox, limits, clock)
        self._deposits = Deposits(self._new, places, session, packages, room, limits, clock)
        self._mover = Mover(inbox, places, files, room, limits.max_size_bytes)
        self._newcomers = Newcomers()

    async def take(self, ready: Sequence[SeenFile]) -> Taken:
        """Steps 1 and 2, in this order of files. Afterwards a scan finds none of them by its own name."""
        roster = await self._session(classes.open_roster)
        new = await asyncio.to_thread(self._new.of_files, ready, roster)
        students = {claim.student for claim in new if claim.student is not None}
        self._newcomers.see(new, await self._session(users.known, students))
        await self._session(claims.add, new)
        hiding = await asyncio.to_thread(self._mover.hide, new)
        await self._step([*hiding.late, *(claim for claim, _ in hiding.denied)], ClaimStep.LOST)
        seen_as = {entry.path: entry for entry in ready}
        return Taken(hiding.won, tuple((seen_as[claim.path], error) for claim, error in hiding.denied))

    @property
    def alarms(self) -> list[IntakeAlarm]:
        """The alarms of names that may be no student's."""
        return self._newcomers.alarms(self._clock())

    async def open_claims(self) -> list[Claim]:
        """All open claims, oldest first: those that a crash left, and those in work."""
        return await asyncio.to_thread(self._mover.hide_again, await self._session(claims.still_open))

    async def tidy(self, hidden_files: Sequence[SeenFile]) -> Tidied:
        """Clean up claimed files whose folder was renamed while they waited. Raises StoreError.

        A file that was taken is removed. One that was lost by it gets its name back, to be claimed again.
        Anybody can make files with hidden names in closed folders, so a failure must not stop the others.
        """
        ours = frozenset(map(hidden, await self._session(claims.still_open)))
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
        """Steps 3 and 4, from wherever the file is. Raises CopyInterrupted; an OSError becomes an alarm."""
        try:
            fetched = await asyncio.to_thread(self._mover.fetch, claim, halted)
        except OSError as exc:
            return Landed(claim, Where.AWAY, alarm=not_moved(claim, exc))
        if fetched.where is Where.AWAY:
            return Landed(claim, Where.AWAY, alarm=away(claim))
        if claim.is_deposit and claim.step is ClaimStep.SPOOLED and fetched.where is Where.TAKEN:
            return await self._deposits.open(claim, halted)
        if claim.student is None or fetched.where not in (Where.TAKEN, Where.ASIDE):
            return Landed(claim, fetched.where)
        try:
            birth = await self._inspect(claim, fetched, halted)
        except OSError as exc:
            path = self._places.spooled(claim)
            fix = "give this user the right to, or check the disk"
            alarm = IntakeAlarm(
                "claim_waits", str(path), f"{path} cannot be read: {reason_of(exc)}", fix, owner=claim.owner
            )
            return Landed(claim, Where.TAKEN, alarm=alarm)
        if birth.fault is not None and birth.fault.blame is Blame.ENGINE:
            cause, fix = two_parts(birth.fault.message)
            told = f"{claim.filename} cannot be probed: {cause}"
            alarm = IntakeAlarm("claim_waits", shown(claim.path), told, fix, owner=claim.owner)
            return Landed(claim, Where.TAKEN, alarm=alarm)
        return Landed(claim, fetched.where, birth)

    async def settle(self, landed: Sequence[Landed]) -> Settled:
        """Steps 5 and 6, for a group. Tasks are created in the order in which their files were claimed."""
        landed = sorted(landed, key=lambda each: each.claim.id)
        waiting = {each.claim.id: each.alarm for each in landed if each.alarm is not None}
        done = [each for each in landed if each.alarm is None]
        await self._step([each.claim for each in done if each.where is Where.LOST], ClaimStep.LOST)
        durable, changed, stuck = await self._bring_in([each.claim for each in done if each.is_ours])
        done = [each for each in done if each.claim.id not in changed | stuck.keys()]
        reasons = [(each.claim, reason) for each in done if (reason := reason_to_refuse(each)) is not None]
        await self._refuse(reasons)
        opened, more = await self._open([each for each in done if each.claim.is_deposit and each.is_ours])
        births = [each.birth for each in done if each.birth is not None]
        born, duplicates, unborn = await self._create_tasks(births)
        if self._limits.done_marker:
            await asyncio.to_thread(self._mover.drop_markers, durable, self._limits.done_marker)
        return Settled(born, len(reasons) + duplicates + opened, waiting | stuck | unborn, more)

    async def _bring_in(self, taken: Sequence[Claim]) -> tuple[list[Claim], set[str], dict[str, IntakeAlarm]]:
        """Step 5. Gives the claims whose copy is durable, the ids of those whose file had changed since, and
        by id the alarms of claims that stay open.
        """
        if not taken:
            return [], set(), {}
        unwritten = await asyncio.to_thread(self._mover.sync, taken)
        stuck = {claim.id: not_moved(claim, exc) for claim, exc in unwritten}
        durable = [claim for claim in taken if claim.id not in stuck]
        await self._step([claim for claim in durable if claim.reason is None], ClaimStep.SPOOLED)
        leaving = await asyncio.to_thread(self._mover.leave, durable)
        await self._step(leaving.changed, ClaimStep.LOST)
        stuck |= {claim.id: not_moved(claim, exc) for claim, exc in leaving.failed}
        return durable, {claim.id for claim in leaving.changed}, stuck

    async def _open(self, deposits: Sequence[Landed]) -> tuple[int, tuple[Claim, ...]]:
        """Record what was found in packages and rosters. Gives the number of refusals, and the claims to
        fetch next: a deposit is opened once it has left the inbox.
        """
        more = [replace(each.claim, step=ClaimStep.SPOOLED) for each in deposits if each.opened is None]
        refused = 0
        for each in deposits:
            if each.opened is None:
                continue
            reason = each.opened.reason or await self._deposits.record(each.claim, each.opened)
            if reason is not None:
                await asyncio.to_thread(self._mover.refuse, [each.claim])
                await self._refuse([(each.claim, reason)])
                refused += 1
                continue
            self._on_refused(each.opened.refused)
            self._on_opened(each.opened.told, each.claim.account)
            more += each.opened.members
            refused += len(each.opened.refused)
        return refused, tuple(more)

    async def _create_tasks(self, births: Sequence[Birth]) -> tuple[int, int, dict[str, IntakeAlarm]]:
        """Step 6. Gives the number of new tasks, that of refused duplicates, and by id the alarms of claims
        that stay open.
        """
        births, others = await self._sort_out(births)
        if not births:
            return 0, others, {}
        every, error = await self._create_in_one_go(births)
        there = {each.claim.id for each in every}
        unborn = {}
        if error is not None:
            open_ = [birth.claim for birth in births if birth.claim.id not in there]
            unborn = {claim.id: not_written(claim, error) for claim in open_}
        tasks = [each for each in every if each.task is not None]
        if tasks:
            self._on_born(tasks)
        duplicates = [each for each in every if each.task is None]
        if duplicates:
            written = {birth.claim.id: birth.claim for birth in births}
            await asyncio.to_thread(self._mover.refuse, [written[each.claim.id] for each in duplicates])
            await self._refuse([(each.claim, str(refusal.again(each))) for each in duplicates])
        return len(tasks), others + len(duplicates), unborn

    async def _sort_out(self, births: Sequence[Birth]) -> tuple[list[Birth], int]:
        """Refuse what is no recording by suffix and content. Gives the rest, and the number of these."""
        others = [
            (birth.claim, reason) for birth in births if (reason := refusal.no_recording(birth)) is not None
        ]
        if others:
            await asyncio.to_thread(self._mover.refuse, [claim for claim, _ in others])
            await self._refuse([(claim, str(reason)) for claim, reason in others])
        gone = {claim.id for claim, _ in others}
        return [birth for birth in births if birth.claim.id not in gone], len(others)

    async def _create_in_one_go(self, births: Sequence[Birth]) -> tuple[list[Born], StoreError | None]:
        """Create tasks in one transaction, or each alone if that fails. Gives the last error, too."""
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
                    break  # the database is to blame, and not one birth
        return every, failed

    async def _inspect(self, claim: Claim, fetched: Fetched, halted: Halted) -> Birth:
        """Step 4. Raises OSError, CopyInterrupted."""
        path = self._places.spooled(claim)
        if claim.size_bytes > self._limits.max_size_bytes:
            # Not read at all: a sparse file of many terabytes costs its owner nothing, and us hours.
            is_aside = fetched.where is Where.ASIDE
            path = self._mover.aside(claim) if is_aside else path
            too_large = self._limits.too_large(claim)
            return Birth(claim, path, "", claim.size_bytes, 0.0, too_large, kept=not is_aside)
        digest = fetched.digest
        if digest is None:
            digest = await asyncio.to_thread(self._digest, path, halted)
        duration_s, fault = await self._judge(claim, path)
        shared = claim.student is not None and self._newcomers.shares_name(claim.student)
        flags = (refusal.SHARED,) if shared else ()
        groups, size = self._new.groups(claim), digest.found.st_size
        return Birth(claim, path, digest.sha256, size, duration_s, fault, flags, groups=groups)

    def _digest(self, path: Path, halted: Halted) -> Digest:
        with Folder.open(path.parent) as folder:
            return self._files.digest(Entry(folder, os.fsencode(path.name)), halted)

    async def _judge(self, claim: Claim, path: Path) -> tuple[float, Fault | None]:
        """The duration in seconds (0: unknown), and the fault of the video or None."""
        probe = await self._media.probe(path, claim.account or str(claim.owner))
        if isinstance(probe, Fault):
            return 0.0, probe
        return probe.duration_s, self._limits.too_long(claim, probe.duration_s)

    async def _refuse(self, reasons: Sequence[tuple[Claim, str]]) -> None:
        if reasons:
            at = to_iso(self._clock())
            refusals = [
                (claim, refusal.reason_document(claim, self._inbox, reason, at)) for claim, reason in reasons
            ]
            await self._session(claims.refuse, refusals)
            self._on_refused(reasons)

    async def _step(self, some: Sequence[Claim], step: ClaimStep) -> None:
        if some:
            await self._session(claims.step, [claim.id for claim in some], step)
