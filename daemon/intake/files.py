"""The file operations of a claim, one by one, so that a test can fail or cut short any of them.

Paths are bytes. Each method raises OSError as the system gives it; nothing here follows a link at the
end of a path.
"""

import ctypes
import errno
import fcntl
import hashlib
import os
import shutil
import signal
import stat
from collections.abc import Iterable
from dataclasses import dataclass

from daemon.durable import sync_folders

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
_CHUNK = 1024 * 1024
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Digest:
    """The SHA-256 of a file's content, in hex, and what the file was when the reading ended."""

    sha256: str
    found: os.stat_result


class Files:
    """What a claim does to files."""

    def lstat(self, path: bytes) -> os.stat_result | None:
        """What stands at a path, or None when nothing does."""
        try:
            return os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def rename(self, source: bytes, target: bytes) -> None:
        """Rename within a file system. OSError EXDEV across two."""
        os.rename(source, target)

    def rename_new(self, source: bytes, target: bytes) -> None:
        """Rename, but never onto something: FileExistsError.

        A file system that can't (NFS) makes a second name and removes the first.
        """
        if _libc.renameat2(_AT_FDCWD, source, _AT_FDCWD, target, _RENAME_NOREPLACE) == 0:
            return
        code = ctypes.get_errno()
        if code not in _UNSUPPORTED:
            raise OSError(code, os.strerror(code), source)
        os.link(source, target, follow_symlinks=False)
        os.unlink(source)

    def unlink(self, path: bytes) -> None:
        """Remove a name; one that is gone already is fine."""
        try:
            os.unlink(path)
        except FileNotFoundError:
            return

    def copy(self, source: bytes, target: bytes) -> None:
        """Copy to another file system. `target` appears whole, durable and compared, or not at all."""
        found = os.lstat(source)
        if not stat.S_ISREG(found.st_mode):
            self._copy_special(source, target, found)
            return
        partial = target + b".partial"
        with open(os.open(source, _READ), "rb") as reader, open(partial, "wb") as writer:
            shutil.copyfileobj(reader, writer, _CHUNK)
            writer.flush()
            os.fsync(writer.fileno())
        if self.digest(source).sha256 != self.digest(partial).sha256:
            raise OSError(errno.EIO, "the copy differs from the file")
        self.rename(partial, target)

    def digest(self, path: bytes) -> Digest:
        """Read a regular file to its end, and make its content durable."""
        with open(os.open(path, _READ), "rb") as reader:
            digest = hashlib.file_digest(reader, "sha256")
            os.fsync(reader.fileno())
            found = os.fstat(reader.fileno())
        return Digest(digest.hexdigest(), found)

    def sync(self, folders: Iterable[bytes]) -> None:
        """Make what was renamed in these folders durable."""
        sync_folders(folders)

    def check_right(self, path: bytes) -> None:
        """Raise PermissionError when nothing can be taken out of the file's folder."""
        if not os.access(os.path.dirname(path), os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "its folder cannot be written", path)

    def is_written_to(self, path: bytes) -> bool:
        """Whether a program on this machine has the file open for writing: an upload that only pauses.

        Asks for a read lease, which the kernel refuses while there is a writer. Where it can't say (a
        network share, another owner's file without CAP_LEASE) the answer is False. PermissionError when
        we may not even read it.
        """
        try:
            fd = os.open(path, _READ)
        except PermissionError:
            raise
        except OSError:
            return False  # gone, or no regular file any more: the claim will find out
        try:
            # A writer who opens it just now breaks the lease: the signal for that must not end us, as
            # SIGIO would. SIGURG is ignored by default.
            fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except OSError as exc:
            return exc.errno == errno.EAGAIN
        finally:
            os.close(fd)
        return False

    @staticmethod
    def _copy_special(source: bytes, target: bytes, found: os.stat_result) -> None:
        """Make the like of a link, FIFO, socket or device: it has no content to compare."""
        if stat.S_ISLNK(found.st_mode):
            os.symlink(os.readlink(source), target)
        else:
            os.mknod(target, found.st_mode, found.st_rdev)
