"""The file operations of a claim, one method each, so that a test can make any of them fail.

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
_SLICE = 32 << 20  # written to disk at once: waiting for more would take long, and can't be interrupted
_WRITE, _WRITE_AND_WAIT = 2, 7  # flags of sync_file_range(2): start writing, and wait for it
_libc = ctypes.CDLL(None, use_errno=True)

Halted = Callable[[], bool]
"""Whether the daemon stops, so that long work is left to its next start."""


class CopyInterrupted(Exception):
    """The work on a file was given up since the daemon stops. Nothing of it remains."""


@dataclass(frozen=True, slots=True)
class Digest:
    """The SHA-256 of a file's content, in hex, and the file's state after the last byte was read."""

    sha256: str
    found: os.stat_result


class Files:
    """File operations on entries of open folders."""

    def stat(self, entry: Entry) -> os.stat_result | None:
        """The state of an entry; None if there is none."""
        return entry.folder.stat(entry.name)

    def rename(self, source: Entry, target: Entry) -> None:
        """Rename within a file system. Raises FileExistsError, and OSError EXDEV across file systems."""
        source.folder.rename(source.name, target.folder, target.name)

    def link(self, source: Entry, target: Entry) -> None:
        """Give a file a second name; see `Folder.link`. Raises as `rename`."""
        source.folder.link(source.name, target.folder, target.name)

    def move(self, source: Entry, target: Entry) -> None:
        """Bring a file into another folder of its file system, durably. A power cut leaves it at least one of
        its names; where it has both, only the old one is removed. Raises as `rename`.
        """
        found, there = self.stat(source), self.stat(target)
        if found is None or there is None or not os.path.samestat(found, there):
            self.link(source, target)
        self.sync([target.folder])
        self.unlink(source)
        self.sync([source.folder])

    def unlink(self, entry: Entry) -> None:
        """Remove an entry; no error if it is gone."""
        entry.folder.unlink(entry.name)

    def copy(self, source: Entry, target: Entry, halted: Halted) -> Digest:
        """Copy a regular file. `target` appears whole and verified, or not at all.

        It is durable only after `sync_file`. Holes stay holes. The digest has the state of `source` after its
        last byte was read. Raises CopyInterrupted.
        """
        partial = Entry(target.folder, target.name + b".partial")
        self.unlink(partial)
        with open(source.folder.open_file(source.name, _READ), "rb", buffering=0) as reader:
            if not stat.S_ISREG(os.fstat(reader.fileno()).st_mode):
                raise OSError(errno.ESTALE, "no longer a regular file", source.path)
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
        """Recreate a link, FIFO, socket or device, which has no content to copy."""
        found = source.folder.stat(source.name)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), source.path)
        if stat.S_ISLNK(found.st_mode):
            goal = os.readlink(source.name, dir_fd=source.folder.fd)
            os.symlink(goal, target.name, dir_fd=target.folder.fd)
        else:
            os.mknod(target.name, found.st_mode, found.st_rdev, dir_fd=target.folder.fd)

    def digest(self, entry: Entry, halted: Halted) -> Digest:
        """The digest of a regular file. Raises CopyInterrupted."""
        with open(entry.folder.open_file(entry.name, _READ), "rb", buffering=0) as reader:
            return Digest(_sha256(reader, halted), os.fstat(reader.fileno()))

    def sync_file(self, entry: Entry) -> None:
        """Make the content of a regular file durable."""
        fd = entry.folder.open_file(entry.name, _READ)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def sync(self, folders: Iterable[Folder]) -> None:
        """Make the renames in these folders durable, in this order."""
        for folder in folders:
            folder.sync()

    def check_right(self, folder: Folder) -> None:
        """Raise PermissionError if no entry can be removed from a folder."""
        if not os.access(".", os.W_OK | os.X_OK, dir_fd=folder.fd):
            raise PermissionError(errno.EACCES, "its folder is not writable", folder.path)

    def is_written_to(self, entry: Entry) -> bool:
        """Whether a program on this machine has the file open for writing, as an upload that pauses.

        It asks for a read lease, which the kernel refuses while there is a writer. A program with a write
        lease of its own counts as one. Where the kernel can't tell (a network share, another owner's file
        without CAP_LEASE) the answer is False. Raises PermissionError if we may not read the file.
        """
        try:
            fd = entry.folder.open_file(entry.name, _READ)
        except PermissionError:
            raise
        except BlockingIOError:
            return True
        except OSError:
            return False  # gone, or no longer a regular file: the claim will notice
        try:
            # A program that opens the file for writing now breaks the lease. The default signal for that,
            # SIGIO, would end the daemon; SIGURG is ignored by default.
            fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except OSError as exc:
            return exc.errno == errno.EAGAIN
        finally:
            os.close(fd)
        return False


def _pour(reader: BinaryIO, writer: BinaryIO, halted: Halted) -> str:
    """Copy an open file, up to its present size, to an empty one. Gives the SHA-256, in hex."""
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
    """The content up to `size`: each chunk, its offset, and whether it is in a hole.

    It ends early if the file does. Raises CopyInterrupted.
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
    """The extents of a file up to `size`: start, end, and whether it is a hole."""
    at = 0
    while at < size:
        try:
            data = min(os.lseek(fd, at, os.SEEK_DATA), size)
            end = min(os.lseek(fd, data, os.SEEK_HOLE), size) if data < size else size
        except OSError as exc:
            if exc.errno != errno.ENXIO:  # a file system without SEEK_DATA: all is content
                yield at, size, False
                return
            data = end = size  # the rest is a hole
        if data > at:
            yield at, data, True
        if end > data:
            yield data, end, False
        at = max(end, data)
