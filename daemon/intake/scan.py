"""The scan: one look at the whole inbox. It decides what is there; events are only hints.

Names are bytes, so that whatever a student's computer wrote can be claimed. No symbolic link is followed, not
even one that replaces a folder during the scan: each folder is opened through the one above, with O_NOFOLLOW.
What an ordinary user has mounted below the inbox is skipped, since such a file system may never answer.
Nothing is concluded from what a scan does not find.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from daemon.core.errors import IntroEvalError
from daemon.core.intake.kinds import ignored
from daemon.core.intake.naming import CLAIM_PREFIX
from daemon.core.intake.ownership import Ownership
from daemon.core.intake.stability import SeenFile
from daemon.core.intake.students import Names
from daemon.intake.accounts import account_name
from daemon.intake.alarm import IntakeAlarm, reason_of, shown
from daemon.system.durable import FileIdentity, identity
from daemon.system.folder import Folder
from daemon.system.mounts import users_mounts_within
from daemon.system.place import Place

MAX_DEPTH = 8
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


@dataclass(frozen=True, slots=True)
class InboxUnavailable:
    """The inbox can't be looked at now; `message` is one line with the fix."""

    message: str


@dataclass(frozen=True, slots=True)
class Scan:
    """The findings of one look.

    `hidden` are files with a claim's name, ours or another daemon's. `replaced`: the inbox's path has another
    folder than at the last look, so that the watch of the old one sees nothing.
    """

    files: tuple[SeenFile, ...]
    hidden: tuple[SeenFile, ...] = ()
    alarms: tuple[IntakeAlarm, ...] = ()
    replaced: bool = False


@dataclass(slots=True)
class _Found:
    mounted: frozenset[bytes]
    files: list[SeenFile] = field(default_factory=list)
    hidden: list[SeenFile] = field(default_factory=list)
    alarms: list[IntakeAlarm] = field(default_factory=list)
    owners: dict[str, int] = field(default_factory=dict)
    """The owning account of each folder of the inbox, by its name."""
    traps: "dict[str, _Trap]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Trap:
    """A folder of one account that has, or had, a file of another."""

    owner: int
    of_file: int


class Scanner:
    """Scans one inbox; with a `place`, only while that is the known folder. For one thread at a time.

    `ignore` are name patterns (`*.bak`) besides those always ignored. With a `done_marker` (`.done`) a file
    counts only while a file of its name and the marker is beside it. `ownership` says which accounts may own
    the folders of others, `names` which student a path is of. `at` is the path that the present scan has
    reached.
    """

    def __init__(
        self,
        root: Path,
        *,
        ignore: Sequence[str] = (),
        done_marker: str = "",
        place: Place | None = None,
        ownership: Ownership | None = None,
        names: Names | None = None,
    ) -> None:
        self.at = self._root = root
        self._ownership = ownership or Ownership("ignore")
        self._names = names or Names()
        self._traps: dict[str, _Trap] = {}
        self._place = place
        self._ignore = tuple(ignore)
        self._marker = done_marker
        self._identity: FileIdentity | None = None

    def scan(self) -> Scan | InboxUnavailable:
        """Scan the inbox. Blocks for as long as its file system does."""
        self.at = self._root
        self._names.begin_look()
        try:
            fd = os.open(self._root, _OPEN)
        except OSError as exc:
            return InboxUnavailable(
                f"{shown(self._root)}: {reason_of(exc)}; create the folder or mount it again"
            )
        try:
            return self._look(fd)
        except OSError as exc:
            return InboxUnavailable(
                f"{shown(self._root)}: {reason_of(exc)}; check that this user may read it"
            )
        finally:
            os.close(fd)

    def _look(self, fd: int) -> Scan | InboxUnavailable:
        here, before = identity(fd), self._identity
        try:
            if self._place is not None:
                self._place.check(Folder(fd, os.fsencode(self._root)))
        except IntroEvalError as exc:
            return InboxUnavailable(str(exc))
        self._identity = here
        found = _Found(users_mounts_within(self._root))
        self._walk(fd, PurePath(), found)
        found.alarms += self._trapped(found)
        replaced = before is not None and before != here
        return Scan(tuple(found.files), tuple(found.hidden), tuple(found.alarms), replaced)

    def _walk(self, fd: int, below: PurePath, found: _Found) -> None:
        with os.scandir(fd) as entries:
            by_name = {entry.name: entry for entry in entries}
        top = below.parts[0] if below.parts else ""
        owner = found.owners.get(top)
        for name, entry in by_name.items():
            relative = below / name
            if name.startswith(CLAIM_PREFIX) and self._path(relative) not in found.mounted:
                found.hidden.extend(self._see(entry, relative, found))
            elif ignored(relative, self._ignore):
                continue
            elif found.mounted and self._path(relative) in found.mounted:
                found.alarms.append(_mounted(shown(self._path(relative))))
            elif _is_folder(entry):
                self._descend(fd, relative, found, _owner(entry))
            elif self._is_announced(entry, by_name):
                for file in self._see(entry, relative, found):
                    found.files.append(file)
                    if owner not in (None, file.owner):
                        found.traps[top] = _Trap(owner, file.owner)

    def _descend(self, fd: int, relative: PurePath, found: _Found, owner: int) -> None:
        folder = shown(self._path(relative))
        if len(relative.parts) > MAX_DEPTH:
            told = f"{folder} is nested too deeply and is not scanned"
            found.alarms.append(IntakeAlarm("folder_too_deep", folder, told, owner=owner))
            return
        self.at = self._root / relative
        try:
            inner = os.open(relative.name, _OPEN | os.O_NOFOLLOW, dir_fd=fd)
        except OSError as exc:
            self._note(exc, folder, found, owner)
            return
        try:
            if len(relative.parts) == 1:
                found.owners[relative.name] = os.fstat(inner).st_uid
            self._walk(inner, relative, found)
        except OSError as exc:
            self._note(exc, folder, found, owner)
        finally:
            os.close(inner)

    @staticmethod
    def _note(error: OSError, folder: str, found: _Found, owner: int = 0) -> None:
        """Add an alarm for a folder that can't be read. One that is gone since it was listed is ignored."""
        if error.errno not in _GONE:
            told = f"{folder} cannot be read: {reason_of(error)}"
            found.alarms.append(IntakeAlarm("folder_unreadable", folder, told, owner=owner))

    def _is_announced(self, entry: "os.DirEntry[str]", names: dict[str, os.DirEntry[str]]) -> bool:
        """Whether a file has its marker, made by its own account, ours or root."""
        if not self._marker:
            return True
        marker = names.get(entry.name + self._marker)
        if marker is None or entry.name.endswith(self._marker):
            return False
        try:
            by, of = (each.stat(follow_symlinks=False).st_uid for each in (marker, entry))
        except OSError:
            return False
        return by in (of, os.geteuid(), 0)

    def _see(self, entry: "os.DirEntry[str]", relative: PurePath, found: _Found) -> Iterator[SeenFile]:
        path = self._path(relative)
        try:
            state = entry.stat(follow_symlinks=False)
        except OSError as exc:  # for instance of a student's own mount
            self._note(exc, shown(path), found)
            return
        yield seen(path, state, self._names.lane(relative))

    def _trapped(self, found: _Found) -> Iterator[IntakeAlarm]:
        """The alarms of folders whose owner can read and remove files of others.

        They last as long as the folders, since the files that show it are claimed within moments.
        """
        if self._ownership.rule == "ignore":
            return
        kept = {name: trap for name, trap in self._traps.items() if found.owners.get(name) == trap.owner}
        self._traps = found.traps | kept
        for name, trap in self._traps.items():
            owner = account_name(trap.owner)
            if trap.owner in (0, os.geteuid()) or owner in self._ownership.for_everybody:
                continue
            folder = shown(self._path(PurePath(name)))
            told = f"{folder} belongs to the account {owner}, which can read and remove what others put there"
            seen = f"{account_name(trap.of_file)} did"
            fix = f"create the students' folders beforehand, or name {owner} in intake.shared_accounts"
            yield IntakeAlarm("folder_of_another", folder, f"{told}, as {seen}", fix, owner=trap.owner)

    def _path(self, relative: PurePath) -> bytes:
        return os.fsencode(self._root / relative)


def _mounted(path: str) -> IntakeAlarm:
    told = f"a user has mounted a file system at {path}, below the inbox; nothing in it is claimed"
    return IntakeAlarm("mounted_inside", path, told)


def _owner(entry: "os.DirEntry[str]") -> int:
    try:
        return entry.stat(follow_symlinks=False).st_uid
    except OSError:
        return 0  # for instance of a student's own mount


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False  # `_see` reports the error


def seen(path: bytes, found: os.stat_result, lane: str = "") -> SeenFile:
    """The entry for a path and its lstat."""
    special = not stat.S_ISREG(found.st_mode)
    return SeenFile(
        path, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, special, found.st_uid, lane
    )
