"""An open folder, whose entries are reached through its descriptor and by one name at a time.

Each system call looks a path up again, and whoever may write to one of its folders can replace that folder by
a link between two calls: what was checked is then not what is renamed. A descriptor always means the folder
that was opened. From the configured root on, each folder is opened through the one above, and no link is
followed.
"""

import contextlib
import ctypes
import errno
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_RENAME_NOREPLACE = 1
_NO_SUCH_CALL = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
_NO_SECOND_NAME = _NO_SUCH_CALL | {errno.EPERM, errno.EMLINK}
_libc = ctypes.CDLL(None, use_errno=True)


class Folder:
    """An open folder. Close it after use, or use it as a context manager.

    `path` is for messages only. A name is one component of a path. Every method raises OSError as the system
    gives it. None but `open` follows a symbolic link.
    """

    __slots__ = ("fd", "path")

    def __init__(self, fd: int, path: bytes) -> None:
        self.fd = fd
        self.path = path

    @classmethod
    def open(cls, path: Path | bytes) -> Self:
        """Open a configured folder. Links in its path are followed, since they are the lab's own."""
        return cls(os.open(path, _OPEN), os.fsencode(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the descriptor; a second time does nothing."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def inner(self, name: bytes) -> "Folder":
        """Open a folder in this one. Raises NotADirectoryError if the name is a link."""
        return Folder(os.open(_one(name), _OPEN | os.O_NOFOLLOW, dir_fd=self.fd), self._join(name))

    def below(self, names: Iterable[bytes]) -> "Folder":
        """Open the folder at the path `names` below this one; without names, this folder again."""
        here = Folder(os.dup(self.fd), self.path)
        for name in names:
            with here:
                here = here.inner(name)
        return here

    def make(self, name: bytes, mode: int = 0o750) -> "Folder":
        """Open a folder in this one, which is durable then; a missing one is created."""
        with contextlib.suppress(FileExistsError):
            os.mkdir(_one(name), mode, dir_fd=self.fd)
        self.sync()  # also if it was there: one that a killed daemon has made may not be durable
        return self.inner(name)

    def names(self) -> list[bytes]:
        """The names of all entries, unsorted."""
        return [os.fsencode(name) for name in os.listdir(self.fd)]

    def stat(self, name: bytes) -> os.stat_result | None:
        """The state of an entry, of a link itself and not its target; None if there is no entry."""
        try:
            return os.stat(_one(name), dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open_file(self, name: bytes, flags: int, mode: int = 0o600) -> int:
        """Open a file. Returns its descriptor. Raises OSError ELOOP if it is a link."""
        return os.open(_one(name), flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=self.fd)

    def write_new(
        self,
        name: bytes,
        content: bytes,
        mode: int = 0o600,
        prepare: Callable[[int], None] | None = None,
    ) -> None:
        """Write a file that must not exist. Its content is durable then, its name after `sync`. `prepare`
        is called with the descriptor before the fsync.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with open(self.open_file(name, flags, mode), "wb") as file:
            file.write(content)
            file.flush()
            if prepare is not None:
                prepare(file.fileno())
            os.fsync(file.fileno())

    def rename(self, name: bytes, target: "Folder", new: bytes) -> None:
        """Move an entry within its file system. Raises FileExistsError if the target exists.

        Where the file system does not support this (NFS, some FUSE), the entry is linked under its new name
        and then unlinked under the old one. Where it has no hard links either (some FUSE), the target is
        looked up first: one that is created between the two calls would be replaced.
        """
        if _libc.renameat2(self.fd, _one(name), target.fd, _one(new), _RENAME_NOREPLACE) == 0:
            return
        code = ctypes.get_errno()
        if code not in _NO_SUCH_CALL:
            raise OSError(code, os.strerror(code), self._join(name), None, target._join(new))
        try:
            os.link(name, new, src_dir_fd=self.fd, dst_dir_fd=target.fd, follow_symlinks=False)
        except OSError as exc:
            if exc.errno not in _NO_SECOND_NAME:
                raise
            if target.stat(new) is not None:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target._join(new)) from exc
            os.rename(name, new, src_dir_fd=self.fd, dst_dir_fd=target.fd)
        else:
            os.unlink(name, dir_fd=self.fd)

    def link(self, name: bytes, target: "Folder", new: bytes) -> None:
        """Give an entry a second name within its file system; where there are no hard links, or not of a file
        of others, rename it. Raises FileExistsError if the target exists.
        """
        try:
            os.link(_one(name), _one(new), src_dir_fd=self.fd, dst_dir_fd=target.fd, follow_symlinks=False)
        except OSError as exc:
            if exc.errno not in _NO_SECOND_NAME:
                raise
            self.rename(name, target, new)

    def unlink(self, name: bytes) -> bool:
        """Remove an entry that is no folder. Returns whether there was one."""
        try:
            os.unlink(_one(name), dir_fd=self.fd)
        except FileNotFoundError:
            return False
        return True

    def rmdir(self, name: bytes) -> None:
        """Remove an empty folder."""
        os.rmdir(_one(name), dir_fd=self.fd)

    def sync(self) -> None:
        """Make durable what was created, renamed or removed in this folder."""
        os.fsync(self.fd)

    def _join(self, name: bytes) -> bytes:
        return os.path.join(self.path, name)


@dataclass(frozen=True, slots=True)
class Entry:
    """A name in an open folder."""

    folder: Folder
    name: bytes

    @property
    def path(self) -> bytes:
        """The path, for messages only."""
        return os.path.join(self.folder.path, self.name)


def _one(name: bytes) -> bytes:
    """Check that a name is one component, and can't lead out of its folder. Raises PermissionError."""
    if not name or b"/" in name or name in (b".", b".."):
        raise PermissionError(errno.EPERM, "not the name of an entry", name)
    return name
