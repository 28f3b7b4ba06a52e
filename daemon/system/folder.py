"""An open folder, whose entries are reached through its descriptor and by one name at a time.

A path is looked up anew by every call that is given it, and whoever may write one of its folders can
exchange that folder for a link between two calls: what was checked is then not what is renamed. A
descriptor stays the folder that was opened. From the configured root on, folders are opened one below the
other, and no link is followed.
"""

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
    """An open directory. Close it after use, or use it as a context manager.

    `path` is for messages. A name is one component of a path. Every method raises OSError as the system
    gives it, and none follows a symbolic link.
    """

    __slots__ = ("fd", "path")

    def __init__(self, fd: int, path: bytes) -> None:
        self.fd = fd
        self.path = path

    @classmethod
    def open(cls, path: Path | bytes) -> Self:
        """Open a folder that the configuration names. Links in its path are the lab's own, and followed."""
        return cls(os.open(path, _OPEN), os.fsencode(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the descriptor back; a folder that is closed already is fine."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def inner(self, name: bytes) -> "Folder":
        """Open a folder in this one. NotADirectoryError when a link stands there."""
        return Folder(os.open(_one(name), _OPEN | os.O_NOFOLLOW, dir_fd=self.fd), self._join(name))

    def below(self, names: Iterable[bytes]) -> "Folder":
        """Open a folder below this one, step by step. Without names it is this folder, opened once more."""
        here = Folder(os.dup(self.fd), self.path)
        for name in names:
            with here:
                here = here.inner(name)
        return here

    def make(self, name: bytes, mode: int = 0o750) -> "Folder":
        """Open a folder in this one, which is made durably where there is none."""
        try:
            return self.inner(name)
        except FileNotFoundError:
            os.mkdir(_one(name), mode, dir_fd=self.fd)
            self.sync()
            return self.inner(name)

    def names(self) -> list[bytes]:
        """The names of all entries, in no order."""
        return [os.fsencode(name) for name in os.listdir(self.fd)]

    def stat(self, name: bytes) -> os.stat_result | None:
        """The state of an entry itself, or None when there is none."""
        try:
            return os.stat(_one(name), dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open_file(self, name: bytes, flags: int, mode: int = 0o600) -> int:
        """Open an entry and return its descriptor. OSError ELOOP when it is a link."""
        return os.open(_one(name), flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=self.fd)

    def write_new(
        self,
        name: bytes,
        content: bytes,
        mode: int = 0o600,
        prepare: Callable[[int], None] | None = None,
    ) -> None:
        """Write an entry that must not exist, durably but for its name (see `sync`). `prepare` gets its
        descriptor in between.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with open(self.open_file(name, flags, mode), "wb") as file:
            file.write(content)
            file.flush()
            if prepare is not None:
                prepare(file.fileno())
            os.fsync(file.fileno())

    def rename(self, name: bytes, target: "Folder", new: bytes) -> None:
        """Move an entry within its file system, never onto another one: FileExistsError.

        Where the file system has no such call (NFS, some FUSE) the entry gets its second name before it
        loses the first; where it has no second names either (some FUSE), the target is looked at first,
        and a file that comes there in between would be replaced.
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

    def unlink(self, name: bytes) -> bool:
        """Remove an entry that is no folder. Whether there was one."""
        try:
            os.unlink(_one(name), dir_fd=self.fd)
        except FileNotFoundError:
            return False
        return True

    def rmdir(self, name: bytes) -> None:
        """Remove an empty folder."""
        os.rmdir(_one(name), dir_fd=self.fd)

    def sync(self) -> None:
        """Make durable what was created, renamed or removed here."""
        os.fsync(self.fd)

    def _join(self, name: bytes) -> bytes:
        return os.path.join(self.path, name)


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in an open folder."""

    folder: Folder
    name: bytes

    @property
    def path(self) -> bytes:
        """Where it is, for messages."""
        return os.path.join(self.folder.path, self.name)


def _one(name: bytes) -> bytes:
    """A name that is one component, so that it can't lead out of its folder. Raises PermissionError."""
    if not name or b"/" in name or name in (b".", b".."):
        raise PermissionError(errno.EPERM, "it is no name of an entry", name)
    return name
