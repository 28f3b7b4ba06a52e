"""A place: the inbox or the outbox, known by a mark in it and by its file system, also after a restart.

A share that is away leaves its mount point, an ordinary folder: results written there would be hidden once it
is back. So before every use the open folder is compared with the remembered one, and then used through the
same descriptor, so that a mount in between does no harm.
"""

import contextlib
import errno
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from daemon.contracts.wire.words import PlaceName, PlaceState
from daemon.core.errors import PlaceError
from daemon.core.intake.place import FileSystem, KnownPlace, described, is_same
from daemon.system.folder import Folder
from daemon.system.mounts import file_system
from daemon.system.state_folder import make_folder

MARK = b".introeval.place"  # `.introeval-` in the inbox would be a claimed file
_HALF = MARK + b".tmp"
_LINE = re.compile(rb"introeval place ([0-9a-f]{32})\n")
_LINE_BYTES = 49
_NO_MARK = frozenset(
    {errno.ENOENT, errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.EACCES, errno.EPERM, errno.EAGAIN}
)
_OPEN = 0o755  # others bring videos and fetch results; each file has its own permissions
_USE = {PlaceName.INBOX: "videos were taken from", PlaceName.OUTBOX: "results were put into"}

Keep = Callable[[KnownPlace], None]


class Place:
    """One place. Its methods block for as long as the disk does, and may be called from any thread.

    Without a `memory` the first folder found is the place. `keep` makes a changed memory durable: it is
    called before the folder is used, and if it raises, the folder is not used.
    """

    def __init__(
        self, name: PlaceName, path: Path, memory: KnownPlace | None = None, keep: Keep = lambda memory: None
    ) -> None:
        self.name, self.path = name, path
        self.state, self.detail = PlaceState.UNSEEN, ""
        self._memory, self._keep = memory, keep
        self._seen: tuple[int, int] | None = None
        self._one_by_one = threading.Lock()

    def prepare(self) -> None:
        """Create the folder if it is missing. Raises ConfigError, OSError.

        A known place is created only on its own file system: a share that is away will come back.
        """
        if self._memory is None or self._would_lie_on(self._memory.system):
            make_folder(self.name, self.path, _OPEN)

    def open(self) -> Folder:
        """Open the folder if it is the known one. Raises PlaceError, and what `keep` raises."""
        folder = self._open()
        try:
            self.check(folder)
        except BaseException:
            folder.close()
            raise
        return folder

    def check(self, folder: Folder) -> None:
        """Check that this open folder is the known place. Raises PlaceError, and what `keep` raises.

        Four system calls while nothing changes: the state of the folder, and its mark opened, read, closed.
        """
        with self._one_by_one, self._told_when_away():
            found = os.fstat(folder.fd)
            here, mark = (found.st_dev, found.st_ino), _read_mark(folder)
            memory = self._memory
            if memory is None:
                self._take(folder, mark, self._keep)
            elif mark is None or mark != memory.mark or here != self._seen:
                self._compare(folder, mark, memory)
            self._seen = here
            self.state, self.detail = PlaceState.KNOWN, ""

    def accept(self, keep: Keep) -> None:
        """Accept the present folder as the place; `keep` makes the changed memory durable.

        Raises PlaceError, and what `keep` raises.
        """
        with self._open() as folder, self._one_by_one, self._told_when_away():
            self._take(folder, _read_mark(folder), keep)
            self.state, self.detail = PlaceState.KNOWN, ""

    def look(self) -> None:
        """Update `state` and `detail`, without accepting or remembering a folder."""
        if self._memory is None:
            self.detail = "it is not known yet: the first start accepts the folder that it finds"
            return
        with contextlib.suppress(PlaceError), self._open() as folder, self._told_when_away():
            self._judge(folder, _read_mark(folder), self._memory)
            self.state, self.detail = PlaceState.KNOWN, ""

    def _open(self) -> Folder:
        with self._told_when_away():
            return Folder.open(self.path)

    def _would_lie_on(self, system: FileSystem) -> bool:
        """Whether a folder created at the path would be on that file system."""
        if system.mounted:
            return False
        try:
            above = next(folder for folder in self.path.parents if folder.exists())
            with Folder.open(above) as folder:
                return replace(file_system(folder.fd), mounted=False) == system
        except OSError:  # a share that is away and gives errors
            return False

    @contextlib.contextmanager
    def _told_when_away(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            told = f"the {self.name} {self.path} cannot be used: {exc.strerror}"
            raise self._fail(PlaceState.AWAY, f"{told}; create the folder or mount it again") from exc

    def _fail(self, state: PlaceState, message: str) -> PlaceError:
        self.state, self.detail = state, message
        return PlaceError(message)

    def _take(self, folder: Folder, mark: str | None, keep: Keep) -> None:
        """Remember this folder, with its mark or a new one."""
        self._remember(KnownPlace(mark or _write_mark(folder, None), file_system(folder.fd)), keep)

    def _compare(self, folder: Folder, mark: str | None, memory: KnownPlace) -> None:
        """Remember a folder that differs from the memory and still is the place. Raises PlaceError if not."""
        system = self._judge(folder, mark, memory)
        if mark is None or memory.mark not in (None, mark):
            mark = _write_mark(folder, memory.mark) or memory.mark
        self._remember(KnownPlace(mark, system), self._keep)

    def _judge(self, folder: Folder, mark: str | None, memory: KnownPlace) -> FileSystem:
        """The file system of a folder that is the place. Raises PlaceError if it is not, and OSError."""
        system = file_system(folder.fd)
        if not is_same(memory, mark, system, marks_bind=self.name is PlaceName.OUTBOX):
            told = f"the {self.name} {self.path} is not the folder that {_USE[self.name]}"
            expected = f"expected {memory}, found {described(mark, system)}"
            fix = f"if this folder is the right one now, run: introeval accept {self.name}"
            raise self._fail(PlaceState.UNKNOWN, f"{told} ({expected}); mount it again, or, {fix}")
        return system

    def _remember(self, memory: KnownPlace, keep: Keep) -> None:
        if memory != self._memory:
            keep(memory)
            self._memory = memory


def _read_mark(folder: Folder) -> str | None:
    """The mark of a folder; None if it has no valid one. Raises OSError if that can't be determined.

    Students may put anything under its name, so no link is followed, and only a mark's length is read.
    """
    try:
        fd = folder.open_file(MARK, os.O_RDONLY | os.O_NONBLOCK)
        try:
            line = _LINE.fullmatch(os.read(fd, _LINE_BYTES + 1))
        finally:
            os.close(fd)
    except OSError as exc:
        if exc.errno in _NO_MARK:
            return None
        raise
    return line[1].decode() if line else None


def _write_mark(folder: Folder, mark: str | None) -> str | None:
    """Write a mark (None: a new one) in place of an invalid one. Returns it, None if that fails."""
    mark = mark or secrets.token_hex(16)
    try:
        folder.unlink(_HALF)
        folder.write_new(_HALF, b"introeval place %s\n" % mark.encode(), 0o644)
        folder.unlink(MARK)
        folder.rename(_HALF, folder, MARK)
        folder.sync()
    except OSError:
        return None
    return mark
