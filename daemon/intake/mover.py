"""Brings claimed files where they belong, from wherever a crash may have left them.

Every step looks before it acts, so that doing it again finishes what was begun: a claim that is new and
one that a crash left open take the same way. All of it blocks, and runs in a thread.
"""

import contextlib
import errno
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from daemon.intake.alarm import Alarm, reason_of, shown
from daemon.intake.files import Files
from daemon.intake.places import Places, hidden, put_back_names
from daemon.values import Claim, ClaimStep


class Where(Enum):
    """What became of a claim's file."""

    TAKEN = auto()  # in the spool, or refused
    LOST = auto()  # gone, or back in the inbox: nothing of it is ours
    VANISHED = auto()  # it was ours, and somebody removed it from the spool
    AWAY = auto()  # its file system is not mounted now: nothing can be said


@dataclass(slots=True)
class Brought:
    """What became of a group's files. Those in `alarms` stay open claims, to be brought again."""

    claims: dict[Where, list[Claim]] = field(default_factory=lambda: {where: [] for where in Where})
    alarms: list[Alarm] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Hiding:
    """Which claims won their file, which came too late, and which may not have it."""

    won: tuple[Claim, ...]
    late: tuple[Claim, ...]
    denied: tuple[tuple[Claim, OSError], ...]


class Mover:
    """Moves the files of claims between the inbox and the state folder."""

    def __init__(self, places: Places, files: Files) -> None:
        self._places = places
        self._files = files

    def hide(self, claims: Sequence[Claim]) -> Hiding:
        """Rename each file, in its own folder, to a name that is its claim's alone."""
        won: list[Claim] = []
        late: list[Claim] = []
        denied: list[tuple[Claim, OSError]] = []
        for claim in claims:
            try:
                self._files.rename(claim.path, hidden(claim))
            except (FileNotFoundError, NotADirectoryError):
                late.append(claim)
            except OSError as exc:
                denied.append((claim, exc))
            else:
                won.append(claim)
        return Hiding(tuple(won), tuple(late), tuple(denied))

    def bring(self, claims: Sequence[Claim]) -> Brought:
        """Bring the files of open claims to their places, durably. Raises OSError for the state folder."""
        brought = Brought()
        for claim in claims:
            try:
                brought.claims[self._bring(claim)].append(claim)
            except OSError as exc:
                brought.alarms.append(_not_moved(claim, exc))
        self._sync([claim for where in (Where.TAKEN, Where.LOST) for claim in brought.claims[where]])
        return brought

    def put_back(self, claims: Sequence[Claim]) -> None:
        """Put spooled files back into the inbox: they are not what was seen. Raises OSError."""
        for claim in claims:
            self._put_back(claim, self._places.target(claim))
        self._sync(claims)

    def refuse(self, claims: Sequence[Claim]) -> None:
        """Move spooled files to the rejected ones, durably. Raises OSError."""
        for claim in claims:
            self._files.rename(self._places.target(claim), os.fsencode(self._places.refused(claim)))
        self._sync(())

    def drop_markers(self, claims: Iterable[Claim], marker: str) -> None:
        """Remove the done-markers of files that were taken, unless a new file of the name is there."""
        for claim in claims:
            if self._files.lstat(claim.path) is None:
                with contextlib.suppress(OSError):  # a marker alone does nothing
                    self._files.unlink(claim.path + os.fsencode(marker))

    def _bring(self, claim: Claim) -> Where:
        target, source = self._places.target(claim), hidden(claim)
        found = self._files.lstat(source)
        if found is not None and not _is_the_one(found, claim):
            # Another file had taken the name, or this one has changed: it is to be seen anew. A copy of it
            # that a crash left in the spool is not it any more.
            self._files.unlink(target)
            self._put_back(claim, source)
            return Where.LOST
        if self._files.lstat(target) is not None:
            self._files.unlink(source)  # copied from another file system, and then the crash
            return Where.TAKEN
        if found is not None:
            self._move(source, target)
            return Where.TAKEN
        refused = os.fsencode(self._places.refused(claim))
        if self._files.lstat(refused) is not None:
            self._files.rename(refused, target)  # a duplicate, and then the crash: it is judged again
            return Where.TAKEN
        return self._missing(claim)

    def _move(self, source: bytes, target: bytes) -> None:
        try:
            self._files.rename(source, target)
        except OSError as exc:
            if exc.errno != errno.EXDEV:
                raise
            self._files.copy(source, target)
            self._files.sync([os.path.dirname(target)])
            self._files.unlink(source)

    def _missing(self, claim: Claim) -> Where:
        if self._files.lstat(claim.path) is not None:
            return Where.LOST
        if claim.step is ClaimStep.SPOOLED:
            return Where.VANISHED
        # A share that is not mounted looks empty. Its device, which the claim knows, is then not there.
        return Where.LOST if self._device_above(claim.path) == claim.device else Where.AWAY

    def _device_above(self, path: bytes) -> int:
        while (found := self._files.lstat(path)) is None:
            path = os.path.dirname(path)
        return found.st_dev

    def _put_back(self, claim: Claim, source: bytes) -> None:
        own, other = put_back_names(claim)
        for name in (own, other):
            try:
                self._files.rename_new(source, name)
            except FileExistsError:
                continue
            return
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), own)

    def _sync(self, claims: Iterable[Claim]) -> None:
        """The state's folders and, as far as they are there, the inbox's: a group costs few fsyncs."""
        self._files.sync([os.fsencode(self._places.spool), os.fsencode(self._places.rejected)])
        for folder in {os.path.dirname(claim.path) for claim in claims}:
            with contextlib.suppress(OSError):  # deleted since, or of a share that has no such thing
                self._files.sync([folder])


def has_changed(claim: Claim, found: os.stat_result) -> bool:
    """Whether a spooled file, moved without copying, was written to since it was seen."""
    if (found.st_dev, found.st_ino) != (claim.device, claim.inode):
        return False  # our own copy
    return (found.st_size, found.st_mtime_ns) != (claim.size_bytes, claim.mtime_ns)


def _is_the_one(found: os.stat_result, claim: Claim) -> bool:
    identity = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
    return identity == (claim.device, claim.inode, claim.size_bytes, claim.mtime_ns)


def _not_moved(claim: Claim, error: OSError) -> Alarm:
    path = shown(claim.path)
    mend = (
        "make room"
        if error.errno in (errno.ENOSPC, errno.EDQUOT)
        else "see that the state folder can be written"
    )
    return Alarm("claim_waits", path, f"{path} was claimed and cannot be moved: {reason_of(error)}; {mend}")
