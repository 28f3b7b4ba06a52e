"""The file operations of a claim, one by one, so that a test can fail or cut short any of them.

Each method raises OSError as the system gives it. No link is followed.
"""

import ctypes
import errno
import fcntl
import hashlib
import os
import signal
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from daemon.system.folder import Entry, Folder

_READ = os.O_RDONLY | os.O_NONBLOCK
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL
_CHUNK = 1 << 20
_SLICE = 32 << 20  # is on the disk within a moment: waiting for more can't be interrupted
_WRITE, _WRITE_AND_WAIT = 2, 7  # the flags of sync_file_range(2): begin to, and have it done
_libc = ctypes.CDLL(None, use_errno=True)

Halted = Callable[[], bool]
"""Whether the daemon is to stop, so that long work is left for the next start."""


class CopyInterrupted(Exception):
    """The daemon is to stop, and the work on a file was left. Nothing of it remains."""


@dataclass(frozen=True, slots=True)
class Digest:
    """The SHA-256 of a file's content, in hex, and the state of the file when the reading ended."""

    sha256: str
    found: os.stat_result


class Files:
    """File operations on entries of open folders."""

    def stat(self, entry: Entry) -> os.stat_result | None:
        """The state of what has this name, or None when nothing has."""
        return entry.folder.stat(entry.name)

    def rename(self, source: Entry, target: Entry) -> None:
        """Rename within a file system, never onto something. OSError EXDEV across two."""
        source.folder.rename(source.name, target.folder, target.name)

    def unlink(self, entry: Entry) -> None:
        """Remove a name; one that is gone already is fine."""
        entry.folder.unlink(entry.name)

    def copy(self, source: Entry, target: Entry, halted: Halted) -> Digest:
        """Copy a regular file. `target` appears whole and compared, or not at all.

        It is on the disk after `sync_file` alone. Holes stay holes. The digest tells the state of `source`
        when its last byte was read. Raises Interrupted.
        """
        partial = Entry(target.folder, target.name + b".partial")
        self.unlink(partial)
        with open(source.folder.open_file(source.name, _READ), "rb", buffering=0) as reader:
            if not stat.S_ISREG(os.fstat(reader.fileno()).st_mode):
                raise OSError(errno.ESTALE, "it is no regular file any more", source.path)
            try:
                with open(partial.folder.open_file(partial.name, _NEW), "w+b", buffering=0) as writer:
                    sha256 = _pour(reader, writer, halted)
                    if _sha256(writer, halted) != sha256:
                        raise OSError(errno.EIO, "the copy differs from the file", source.path)
                self.rename(partial, target)
            except BaseException:
                self.unlink(partial)
                raise
            return Digest(sha256, os.fstat(reader.fileno()))

    def copy_special(self, source: Entry, target: Entry) -> None:
        """Make the like of a link, FIFO, socket or device: it has no content."""
        found = source.folder.stat(source.name)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), source.path)
        if stat.S_ISLNK(found.st_mode):
            goal = os.readlink(source.name, dir_fd=source.folder.fd)
            os.symlink(goal, target.name, dir_fd=target.folder.fd)
        else:
            os.mknod(target.name, found.st_mode, found.st_rdev, dir_fd=target.folder.fd)

    def digest(self, entry: Entry, halted: Halted) -> Digest:
        """Read a regular file to its end. Raises Interrupted."""
        with open(entry.folder.open_file(entry.name, _READ), "rb", buffering=0) as reader:
            return Digest(_sha256(reader, halted), os.fstat(reader.fileno()))

    def sync_file(self, entry: Entry) -> None:
        """Have the content of a regular file on the disk."""
        fd = entry.folder.open_file(entry.name, _READ)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def sync(self, folders: Iterable[Folder]) -> None:
        """Make what was renamed in these folders durable, in this order."""
        for folder in folders:
            folder.sync()

    def check_right(self, folder: Folder) -> None:
        """Raise PermissionError when nothing can be taken out of a folder."""
        if not os.access(".", os.W_OK | os.X_OK, dir_fd=folder.fd):
            raise PermissionError(errno.EACCES, "its folder cannot be written", folder.path)

    def is_written_to(self, entry: Entry) -> bool:
        """Whether a program on this machine has the file open for writing: an upload that only pauses.

        Asks for a read lease, which the kernel refuses while there is a writer. A program with a write lease
        of its own is one, too: it need not let anybody open the file. Where the kernel can't say (a network
        share, another owner's file without CAP_LEASE) the answer is False. PermissionError when we may not
        even read it.
        """
        try:
            fd = entry.folder.open_file(entry.name, _READ)
        except PermissionError:
            raise
        except BlockingIOError:
            return True
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


def _pour(reader: BinaryIO, writer: BinaryIO, halted: Halted) -> str:
    """Copy from an open file to an empty one, to where it ended when this began. Its SHA-256, in hex."""
    size = os.fstat(reader.fileno()).st_size
    sha256 = hashlib.sha256()
    written = 0
    for chunk, at, is_hole in _chunks(reader, size, halted):
        sha256.update(chunk)
        if is_hole:
            continue
        _write(writer, chunk, at)
        written += len(chunk)
        if written % _SLICE < len(chunk) and written >= _SLICE:
            _libc.sync_file_range(writer.fileno(), ctypes.c_int64(0), ctypes.c_int64(0), _WRITE_AND_WAIT)
    os.ftruncate(writer.fileno(), size)
    _libc.sync_file_range(writer.fileno(), ctypes.c_int64(0), ctypes.c_int64(0), _WRITE)
    return sha256.hexdigest()


def _write(writer: BinaryIO, chunk: memoryview, at: int) -> None:
    while chunk:
        done = os.pwrite(writer.fileno(), chunk, at)
        chunk, at = chunk[done:], at + done


def _sha256(reader: BinaryIO, halted: Halted) -> str:
    sha256 = hashlib.sha256()
    for chunk, _, _ in _chunks(reader, os.fstat(reader.fileno()).st_size, halted):
        sha256.update(chunk)
    return sha256.hexdigest()


def _chunks(reader: BinaryIO, size: int, halted: Halted) -> Iterator[tuple[memoryview, int, bool]]:
    """The content up to `size`: each chunk, where it begins, and whether it lies in a hole.

    Ends early where the file ends. Raises Interrupted.
    """
    buffer = bytearray(min(_CHUNK, size))
    zeros = memoryview(bytes(len(buffer)))
    view = memoryview(buffer)
    for start, end, is_hole in _extents(reader.fileno(), size):
        at = start
        while at < end:
            if halted():
                raise CopyInterrupted
            length = min(_CHUNK, end - at)
            if not is_hole:
                length = os.preadv(reader.fileno(), [view[:length]], at)
                if not length:
                    return
            yield (zeros if is_hole else view)[:length], at, is_hole
            at += length


def _extents(fd: int, size: int) -> Iterator[tuple[int, int, bool]]:
    """The stretches of a file up to `size`: where each begins and ends, and whether it is a hole."""
    at = 0
    while at < size:
        try:
            data = min(os.lseek(fd, at, os.SEEK_DATA), size)
            end = min(os.lseek(fd, data, os.SEEK_HOLE), size) if data < size else size
        except OSError as exc:
            if exc.errno != errno.ENXIO:  # a file system without the call: it is all content
                yield at, size, False
                return
            data = end = size  # nothing but a hole comes any more
        if data > at:
            yield at, data, True
        if end > data:
            yield data, end, False
        at = max(end, data)
