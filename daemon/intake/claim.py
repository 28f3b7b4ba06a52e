"""The claim: from a finished file in the inbox to a task, in groups, each step durable before the next.

1. The claims' rows stand in the database.
2. Each file is renamed, in its own folder, to a name that its claim alone has: one claimer wins.
3. It is checked to be the file that was seen, and moved to the spool (or the refused ones).
4. It is hashed and probed.
5. The tasks are born, or the refusals recorded, in one transaction a group.

A crash between any two steps is finished by `recover`, from the rows.
"""

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import ParamSpec, Protocol, TypeVar

from daemon.core.errors import Blame, Fault
from daemon.core.instant import to_iso
from daemon.core.naming import STUDENT_PATTERN, Named, Refusal, printable
from daemon.core.stability import Seen
from daemon.intake import refusal
from daemon.intake.alarm import Alarm, reason_of, shown
from daemon.intake.files import Files
from daemon.intake.mover import Mover, Where, has_changed
from daemon.intake.places import Places, hidden
from daemon.ports import Media, Store
from daemon.values import Birth, Born, Claim, ClaimStep

P = ParamSpec("P")
T = TypeVar("T")


class OnDatabase(Protocol):
    """Runs a method of the store on the one database thread."""

    def __call__(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Await what `call` returns; raises what it raises."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What a video may be, and how its student is read from its name."""

    max_duration_s: float = 900.0
    max_size_bytes: int = 4096 * 1024 * 1024
    student_pattern: str = STUDENT_PATTERN
    done_marker: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """Of a group: the claims that hold their file, and the files that we have no right to take."""

    claims: tuple[Claim, ...]
    denied: tuple[tuple[Seen, OSError], ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """What became of claims: how many tasks and refusals, and what keeps the rest (`alarms`) open."""

    born: int = 0
    refused: int = 0
    alarms: tuple[Alarm, ...] = ()


@dataclass(frozen=True, slots=True)
class _Changed:
    claim: Claim


class Claimer:
    """Claims files of one inbox into one state folder, and tells `on_born` of each group of new tasks as
    soon as they stand. Every method may raise StoreError or OSError; what is then half done is finished
    by `recover`.
    """

    def __init__(
        self,
        inbox: Path,
        places: Places,
        *,
        store: Store,
        on_database: OnDatabase,
        media: Media,
        on_born: Callable[[Sequence[Born]], None],
        clock: Callable[[], float],
        limits: Limits,
        files: Files,
        concurrency: int = 4,
    ) -> None:
        self._inbox = inbox
        self._places = places
        self._store = store
        self._db = on_database
        self._media = media
        self._on_born = on_born
        self._clock = clock
        self._limits = limits
        self._files = files
        self._mover = Mover(places, files)
        self._slots = asyncio.Semaphore(concurrency)
        self._last_us = 0

    async def take(self, ready: Sequence[Seen]) -> Taken:
        """Steps 1 and 2, in this order of files. Nothing of them is in the inbox's sight afterwards."""
        claims = self._claims(ready)
        await self._db(self._store.add_claims, claims)
        hiding = await asyncio.to_thread(self._mover.hide, claims)
        await self._step([*hiding.late, *(claim for claim, _ in hiding.denied)], ClaimStep.LOST)
        seen_as = {entry.path: entry for entry in ready}
        return Taken(hiding.won, tuple((seen_as[claim.path], error) for claim, error in hiding.denied))

    async def open_names(self) -> frozenset[bytes]:
        """The hidden names of every claim that stands open."""
        return frozenset(map(hidden, await self._db(self._store.open_claims)))

    async def recover(self) -> Finished:
        """Finish every claim that stands open in the database. None of them may be in work."""
        return await self.finish(await self._db(self._store.open_claims))

    async def finish(self, claims: Sequence[Claim]) -> Finished:
        """Steps 3 to 5, from wherever each file is."""
        brought = await asyncio.to_thread(self._mover.bring, claims)
        taken = brought.claims[Where.TAKEN]
        await self._step(brought.claims[Where.LOST], ClaimStep.LOST)
        await self._step([claim for claim in taken if claim.student is not None], ClaimStep.SPOOLED)
        reasons = [(claim, claim.reason or "") for claim in taken if claim.student is None]
        reasons += [(claim, str(refusal.vanished(claim))) for claim in brought.claims[Where.VANISHED]]
        await self._refuse(reasons)
        born, duplicates, alarms = await self._bear([claim for claim in taken if claim.student is not None])
        if self._limits.done_marker:
            await asyncio.to_thread(self._mover.drop_markers, taken, self._limits.done_marker)
        alarms += [*brought.alarms, *map(_away, brought.claims[Where.AWAY])]
        return Finished(born, len(reasons) + duplicates, tuple(alarms))

    async def _bear(self, claims: Sequence[Claim]) -> tuple[int, int, list[Alarm]]:
        inspected = await asyncio.gather(*map(self._inspect, claims))
        changed = [each.claim for each in inspected if isinstance(each, _Changed)]
        births = [each for each in inspected if isinstance(each, Birth)]
        alarms = [each for each in inspected if isinstance(each, Alarm)]
        if changed:
            await asyncio.to_thread(self._mover.put_back, changed)
            await self._step(changed, ClaimStep.LOST)
        every = await self._db(self._store.bear, births, self._clock()) if births else []
        if tasks := [each for each in every if each.task is not None]:
            self._on_born(tasks)
        refused = [each for each in every if each.task is None]
        if refused:
            await asyncio.to_thread(self._mover.refuse, [each.claim for each in refused])
            await self._refuse([(each.claim, str(refusal.again(each))) for each in refused])
        return len(tasks), len(refused), alarms

    async def _inspect(self, claim: Claim) -> Birth | _Changed | Alarm:
        """Step 4 for one file. An Alarm when it is not the file's fault: the claim stays open."""
        path = self._places.spooled(claim)
        async with self._slots:
            try:
                digest = await asyncio.to_thread(self._files.digest, os.fsencode(path))
            except OSError as exc:
                message = (
                    f"{path} cannot be read: {reason_of(exc)}; give this user the right to, or check the disk"
                )
                return Alarm("claim_waits", str(path), message)
            if has_changed(claim, digest.found):
                return _Changed(claim)
            size = digest.found.st_size
            duration_s, fault = await self._judge(claim, path, size)
        if fault is not None and fault.blame is Blame.ENGINE:
            return Alarm("claim_waits", str(path), f"{claim.filename} cannot be looked at: {fault.message}")
        return Birth(claim, path, digest.sha256, size, duration_s, fault)

    async def _judge(self, claim: Claim, path: Path, size_bytes: int) -> tuple[float, Fault | None]:
        """The duration in seconds, 0 when unknown, and what is wrong with the video."""
        most, longest_s = self._limits.max_size_bytes, self._limits.max_duration_s
        if size_bytes > most:
            told = f"{claim.filename} has {size_bytes / 1e6:.1f} MB, and {most / 1e6:.1f} are allowed"
            return 0.0, Fault(Blame.PERMANENT, "too_large", f"{told}; send a smaller one")
        probe = await self._media.probe(path)
        if isinstance(probe, Fault):
            return 0.0, probe
        if probe.duration_s > longest_s:
            told = f"{claim.filename} lasts {probe.duration_s:.0f} s, and {longest_s:.0f} are allowed"
            return probe.duration_s, Fault(Blame.PERMANENT, "too_long", f"{told}; send a shorter one")
        return probe.duration_s, None

    async def _refuse(self, reasons: Sequence[tuple[Claim, str]]) -> None:
        if reasons:
            at = to_iso(self._clock())
            refusals = [(claim, refusal.reason_document(claim, reason, at)) for claim, reason in reasons]
            await self._db(self._store.refuse, refusals)

    async def _step(self, claims: Sequence[Claim], step: ClaimStep) -> None:
        if claims:
            await self._db(self._store.step_claims, [claim.id for claim in claims], step)

    def _claims(self, ready: Sequence[Seen]) -> list[Claim]:
        now = self._clock()
        return [self._claim(entry, now) for entry in ready]

    def _claim(self, entry: Seen, now: float) -> Claim:
        relative = PurePath(os.fsdecode(entry.path)).relative_to(self._inbox)
        judged: Named | Refusal = refusal.judge(entry, relative, self._limits.student_pattern)
        return Claim(
            id=self._next_id(now),
            path=entry.path,
            filename=printable(relative.name),
            student=judged.student if isinstance(judged, Named) else None,
            device=entry.device,
            inode=entry.inode,
            size_bytes=entry.size_bytes,
            mtime_ns=entry.mtime_ns,
            claimed_at=now,
            reason=str(judged) if isinstance(judged, Refusal) else None,
        )

    def _next_id(self, now: float) -> str:
        """20 hex digits that sort by time: 13 of microseconds (till the year 2112), 7 of chance."""
        self._last_us = max(int(now * 1_000_000), self._last_us + 1)
        return f"{self._last_us:013x}{secrets.randbits(28):07x}"


def _away(claim: Claim) -> Alarm:
    path = shown(claim.path)
    return Alarm("claim_waits", path, f"{path} was claimed and is out of reach; mount its file system again")
