"""Moves claimed files to their place, from wherever a crash may have left them.

A video that becomes a task is copied, also within one file system: after a rename its owner could still write
to it, through a hard link or an open descriptor, and the rated video would not be the archived one. A refused
file is renamed, and copied only to another file system. One that is too large to be rated is never copied.

Folders of the inbox are opened step by step from its root, and no link is followed. A file is compared with
the one that was seen (device, inode, size, time) before and after it gets another name. Every step checks
first what is done already, so that it can be repeated after a crash. All methods block: run them in a thread.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from daemon.contracts.values import Claim, ClaimStep
from daemon.intake.files import Digest, Files, Halted
from daemon.intake.moves import Fetched, Hiding, Leaving, Where, is_the_one
from daemon.intake.places import ClaimPaths, aside_names, hidden_name, put_back_names
from daemon.intake.reach import NO_SUCH_PLACE, Reach
from daemon.intake.room import DiskRoom
from daemon.system.folder import Entry, Folder


class Mover:
    """Moves the files of claims out of the inbox. It never copies a file of more than `max_bytes`."""

    def __init__(self, inbox: Path, places: ClaimPaths, files: Files, room: DiskRoom, max_bytes: int) -> None:
        self._inbox, self._places, self._files = os.fsencode(inbox), places, files
        self._room, self._max_bytes = room, max_bytes
        self._copied: set[str] = set()  # claims whose copy was made by this process and may not be durable

    def hide(self, claims: Sequence[Claim]) -> Hiding:
        """Rename each file, in its own folder, to a name that only its claim has."""
        won: list[Claim] = []
        late: list[Claim] = []
        denied: list[tuple[Claim, OSError]] = []
        with Reach(self._inbox) as reach:
            for claim in claims:
                try:
                    (won if self._hide(claim, reach) else late).append(claim)
                except NO_SUCH_PLACE:
                    late.append(claim)
                except OSError as exc:
                    denied.append((claim, exc))
        return Hiding(tuple(won), tuple(late), tuple(denied))

    def hide_again(self, claims: list[Claim]) -> list[Claim]:
        """Hide the files of open claims that have their own names again after a power cut: a rename is
        durable only once its file has left the inbox, and they would be claimed twice. Gives the claims.
        """
        with contextlib.suppress(OSError):  # an inbox that is away shows none of them, and the scan says so
            self.hide([claim for claim in claims if not claim.is_member])
        return claims

    def fetch(self, claim: Claim, halted: Halted) -> Fetched:
        """Bring the file of an open claim to its place. A copied file keeps its hidden name as well.

        Raises OSError, and CopyInterrupted.
        """
        with Reach(self._inbox) as reach, self._target(claim) as target:
            source = self._hidden(claim, reach)
            found = self._files.stat(source) if source else None
            if source and found and not is_the_one(found, claim):
                # Another file has taken the name, or this one has changed: it must be seen and claimed again.
                # A copy that a crash left in the spool is not of this file.
                self._files.unlink(target)
                self._give_name(source, put_back_names(claim))
                return Fetched(Where.LOST)
            if self._files.stat(target) is not None:
                if claim.step is ClaimStep.SPOOLED or claim.id in self._copied:
                    return Fetched(Where.TAKEN)
                if not found:
                    return Fetched(Where.AWAY if self._is_away(claim, reach) else Where.TAKEN)
                self._files.unlink(target)  # a copy may be incomplete after a power cut
            if source and found:
                try:
                    return self._take(claim, source, found, target, halted)
                except (PermissionError, BlockingIOError) as exc:
                    if exc.filename != source.name:
                        raise  # the state folder can't be written
                    # Its owner has taken the right to read it, or holds a lease. Under its own name it is
                    # claimed again once it can be read.
                    self._give_name(source, put_back_names(claim))
                    return Fetched(Where.LOST)
            return Fetched(self._search(claim, reach, target))

    def tidy(self, claim: Claim) -> None:
        """Remove the hidden file of a claim that is done, or give any other its name back. Raises OSError."""
        with Reach(self._inbox) as reach:
            source = self._hidden(claim, reach)
            found = self._files.stat(source) if source else None
            if source is None or found is None:
                return
            if claim.step is ClaimStep.DONE and is_the_one(found, claim):
                self._files.unlink(source)
            else:
                self._give_name(source, put_back_names(claim))

    def sync(self, claims: Iterable[Claim]) -> list[tuple[Claim, OSError]]:
        """Make the copies of these claims durable. Gives the claims whose copy failed, and was removed.

        After a failed fsync the next one may report success although nothing was written, so only another
        copy helps. The first file of a group takes most of the time. Raises OSError for the folders.
        """
        failed: list[tuple[Claim, OSError]] = []
        places = self._places
        with contextlib.ExitStack() as opened:
            folders = [
                opened.enter_context(Folder.open(path))
                for path in (places.spool, places.rejected, places.received)
            ]
            for claim in claims:
                if claim.id not in self._copied:
                    continue
                self._copied.discard(claim.id)
                with self._target(claim) as target:
                    try:
                        self._files.sync_file(target)
                    except OSError as exc:
                        failed.append((claim, exc))
                        self._files.unlink(target)
            self._files.sync(folders)
        return failed

    def leave(self, claims: Sequence[Claim]) -> Leaving:
        """Remove taken files from the inbox, durably. One that has changed gets its name back and no copy."""
        changed: list[Claim] = []
        failed: list[tuple[Claim, OSError]] = []
        with Reach(self._inbox) as reach:
            for claim in claims:
                try:
                    if not self._leave(claim, reach):
                        changed.append(claim)
                except OSError as exc:
                    failed.append((claim, exc))
            for folder in reach.folders:
                with contextlib.suppress(OSError):  # a share without fsync of folders
                    self._files.sync([folder])
        return Leaving(tuple(changed), tuple(failed))

    def refuse(self, claims: Sequence[Claim]) -> None:
        """Move taken files to the refused files, durably. Raises OSError."""
        with Folder.open(self._places.rejected) as rejected:
            for claim in claims:
                with self._target(claim) as source:
                    refused = Entry(rejected, os.fsencode(self._places.refused(claim).name))
                    self._files.move(source, refused)

    def drop_markers(self, claims: Iterable[Claim], marker: str) -> None:
        """Remove the done-markers of taken files, unless there is a new file of that name."""
        with Reach(self._inbox) as reach:
            for claim in claims:
                with contextlib.suppress(OSError):  # a marker without its file is harmless
                    folder = reach(claim.path)
                    name = os.path.basename(claim.path)
                    if folder is not None and folder.stat(name) is None:
                        self._files.unlink(Entry(folder, name + os.fsencode(marker)))

    def aside(self, claim: Claim) -> Path:
        """The path of a file that was left in the inbox since it is too large."""
        return Path(os.fsdecode(os.path.join(os.path.dirname(claim.path), aside_names(claim)[0])))

    def _hide(self, claim: Claim, reach: Reach) -> bool:
        folder = reach(claim.path)
        if folder is None:
            return False
        own, mine = Entry(folder, os.path.basename(claim.path)), Entry(folder, hidden_name(claim))
        found = self._files.stat(own)
        if found is None or not is_the_one(found, claim):
            return False
        self._files.rename(own, mine)
        found = self._files.stat(mine)
        if found is not None and not is_the_one(found, claim):
            self._give_name(mine, put_back_names(claim))
            return False
        return True

    def _leave(self, claim: Claim, reach: Reach) -> bool:
        """Remove a file from the inbox, unless it has changed. Returns False if it has."""
        source = self._hidden(claim, reach)
        found = self._files.stat(source) if source else None
        if source is None or found is None:
            return True
        if is_the_one(found, claim):
            self._files.unlink(source)
            return True
        with self._target(claim) as target:
            self._files.unlink(target)
        self._give_name(source, put_back_names(claim))
        return False

    def _hidden(self, claim: Claim, reach: Reach) -> Entry | None:
        if claim.is_member:
            return None
        try:
            folder = reach(claim.path)
        except (*NO_SUCH_PLACE, PermissionError):
            # Also a folder that its owner has closed: once it is open again, `tidy` finds the file.
            return None
        return None if folder is None else Entry(folder, hidden_name(claim))

    @contextlib.contextmanager
    def _target(self, claim: Claim) -> Iterator[Entry]:
        path = self._places.target(claim)
        with Folder.open(path.parent) as folder:
            yield Entry(folder, os.fsencode(path.name))

    def _take(
        self, claim: Claim, source: Entry, found: os.stat_result, target: Entry, halted: Halted
    ) -> Fetched:
        too_large = stat.S_ISREG(found.st_mode) and claim.size_bytes > self._max_bytes
        digest, stays = None, claim.reason is None and not too_large
        if not stays:
            try:
                self._files.rename(source, target)
            except OSError as exc:
                if exc.errno != errno.EXDEV:
                    raise
                if too_large:
                    self._give_name(source, aside_names(claim))
                    return Fetched(Where.ASIDE)
                stays = True
        if stays:
            digest = self._copy(claim, source, found, target, halted)
        seen = digest.found if digest else self._files.stat(target)
        if seen is None or not is_the_one(seen, claim):
            if digest:
                self._files.unlink(target)
            else:  # another file took the name after it was checked
                self._files.rename(target, source)
            self._give_name(source, put_back_names(claim))
            return Fetched(Where.LOST)
        return Fetched(Where.TAKEN, digest)

    def _copy(
        self, claim: Claim, source: Entry, found: os.stat_result, target: Entry, halted: Halted
    ) -> Digest | None:
        if not stat.S_ISREG(found.st_mode):
            self._files.copy_special(source, target)
            return Digest("", found)
        with self._room.hold(min(found.st_size, found.st_blocks * 512)):
            digest = self._files.copy(source, target, halted)
        self._copied.add(claim.id)
        return digest

    def _search(self, claim: Claim, reach: Reach, target: Entry) -> Where:
        """Find the file of a claim that has no hidden name and is not at its place."""
        with Folder.open(self._places.rejected) as rejected:
            refused = Entry(rejected, os.fsencode(self._places.refused(claim).name))
            if claim.reason is None and self._files.stat(refused) is not None:
                self._files.move(refused, target)  # a duplicate, and then a crash: it is judged again
                return Where.TAKEN
        if claim.is_member:
            return self._search_unpacked(claim, target)
        try:
            folder = reach(claim.path)
        except NO_SUCH_PLACE:
            folder = None
        except PermissionError:
            return Where.LOST if claim.step is ClaimStep.SEEN else Where.VANISHED
        if folder is not None:
            aside = folder.stat(aside_names(claim)[0])
            if aside is not None and is_the_one(aside, claim):
                return Where.ASIDE
            if folder.stat(os.path.basename(claim.path)) is not None:
                return Where.LOST
        if claim.step is ClaimStep.SPOOLED:
            return Where.VANISHED
        return Where.AWAY if self._is_away(claim, reach) else Where.LOST

    def _is_away(self, claim: Claim, reach: Reach) -> bool:
        """Whether the file system of a claim is away: its folder looks empty, and is on another device."""
        return not claim.is_member and reach.device(claim.path) != claim.device

    def _search_unpacked(self, claim: Claim, target: Entry) -> Where:
        """Bring an unpacked file into the spool."""
        with Folder.open(self._places.unpacked) as unpacked:
            source = Entry(unpacked, os.fsencode(self._places.member(claim).name))
            if self._files.stat(source) is None:
                return Where.VANISHED
            self._files.move(source, target)
        return Where.TAKEN

    def _give_name(self, source: Entry, names: Sequence[bytes]) -> None:
        """Rename an entry in its folder to the first of `names` that is free.

        The last of them should be unpredictable, so that it is free. Raises FileExistsError if even that is
        taken.
        """
        for name in names:
            with contextlib.suppress(FileExistsError):
                self._files.rename(source, Entry(source.folder, name))
                return
        raise FileExistsError(errno.EEXIST, "all names that it could have are taken", source.path)
