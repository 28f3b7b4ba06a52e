"""The outbox: frozen documents appear there whole and durable, or not at all, and nothing is overwritten.

Each file is written under a temporary name, fsynced, renamed, and its folder fsynced. Publishing again gives
the same bytes under the same name. From the known root on, each folder is opened through its parent's
descriptor, and no link is followed.
"""

import contextlib
import errno
import grp
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from daemon.contracts.documents import Document
from daemon.core.errors import ConfigError, DeliveryError, PlaceError
from daemon.core.intake.naming import temporary_name
from daemon.system.durable import FileIdentity, identity
from daemon.system.folder import Folder
from daemon.system.place import Place

_TEMPORARY_FOLDER = b".introeval-%s.tmp"
_NO_FOLDER = frozenset({errno.ENOTDIR, errno.ELOOP})


@dataclass(slots=True)
class Published:
    """The outcome of a call: the ids of durable documents, and by id the reason why another is not.

    `blocked` has those under whose name something else stands: a person must move it away.
    """

    done: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    blocked: dict[int, str] = field(default_factory=dict)


class _InTheWay(Exception):
    """Something else has the name of a file or folder of ours."""

    def __init__(self, folder: Folder, name: bytes) -> None:
        self.path = os.fsdecode(os.path.join(folder.path, name))


class Outbox:
    """Writes documents into one place. It blocks for as long as the disk does: call it in a thread.

    `mode` has the permissions of a file; a folder has the same, and may be entered by who may read it.
    `group` is a name or a number; the default is the group of the outbox itself, if we may set it.
    Raises ConfigError for a group that does not exist.
    """

    def __init__(self, place: Place, *, mode: int = 0o640, group: str | int | None = None) -> None:
        self._place = place
        self._mode = mode
        self._group = _group_id(group)
        self._durable: set[FileIdentity] = set()  # folders whose names are: as many as there are students

    def publish_all(self, documents: Sequence[Document]) -> Published:
        """Make documents durable, with one fsync for each folder. A failed one does not affect the others.

        Raises DeliveryError when the outbox is away or is not the known folder, and StoreError when a changed
        folder can't be remembered.
        """
        published = Published()
        written: dict[PurePosixPath, tuple[Folder, list[int]]] = {}
        with contextlib.ExitStack() as opened:
            try:
                root = opened.enter_context(self._place.open())
            except PlaceError as exc:
                raise DeliveryError(str(exc)) from exc
            group = os.fstat(root.fd).st_gid
            for document in documents:
                try:
                    path = _safe(document.name)
                    if path.parent not in written:
                        folder = opened.enter_context(self._folder(root, path.parent, group))
                        written[path.parent] = folder, []
                    folder, ids = written[path.parent]
                    self._write(folder, document, group)
                except _InTheWay as exc:
                    published.blocked[document.id] = _blocked(exc.path, document)
                except OSError as exc:
                    published.failed[document.id] = _failed(root.path, document.name, exc)
                else:
                    ids.append(document.id)
            for parent, (folder, ids) in written.items():
                try:
                    folder.sync()
                except OSError as exc:
                    message = _failed(root.path, str(parent), exc)
                    published.failed.update(dict.fromkeys(ids, message))
                else:
                    published.done += ids
        return published

    def _write(self, folder: Folder, document: Document, group: int) -> None:
        """Write one file, without the fsync of its folder. Raises OSError, _InTheWay."""
        path = PurePosixPath(document.name)
        name = os.fsencode(path.name)
        half = os.fsencode(temporary_name(path.name, document.id))
        folder.unlink(half)  # a crash may have left it
        if _stands(folder, name, document.content):
            return
        try:
            folder.write_new(half, document.content, prepare=lambda fd: self._give(fd, self._mode, group))
            folder.rename(half, folder, name)
        except OSError as exc:
            with contextlib.suppress(OSError):
                folder.unlink(half)  # the disk may be full
            if isinstance(exc, FileExistsError):
                raise _InTheWay(folder, name) from exc
            raise

    def _folder(self, root: Folder, path: PurePosixPath, group: int) -> Folder:
        """Open a folder below the root; missing ones are created. Raises OSError, _InTheWay."""
        here = root.below(())
        for part in path.parts:
            with here:
                here = self._inner(here, os.fsencode(part), group)
        return here

    def _inner(self, folder: Folder, name: bytes, group: int) -> Folder:
        """Open a folder that is durable, also if a killed daemon has made it. Raises OSError, _InTheWay."""
        try:
            inner = folder.inner(name)
        except FileNotFoundError:
            self._make(folder, name, group)
            inner = folder.inner(name)
            self._durable.add(identity(inner.fd))
        except OSError as exc:
            if exc.errno in _NO_FOLDER:
                raise _InTheWay(folder, name) from exc
            raise
        here = identity(inner.fd)
        if here not in self._durable:
            try:
                folder.sync()
            except OSError:
                inner.close()
                raise
            self._durable.add(here)
        return inner

    def _make(self, folder: Folder, name: bytes, group: int) -> None:
        """Create a folder durably; it appears only with its final permissions. Raises OSError."""
        half = _TEMPORARY_FOLDER % name
        with contextlib.suppress(OSError):  # a folder that a crash left is used
            folder.unlink(half)
        with folder.make(half, 0o700) as made:
            may_enter = (self._mode & 0o444) >> 2
            self._give(made.fd, self._mode | 0o700 | may_enter, group)
        try:
            folder.rename(half, folder, name)
        except FileExistsError:  # another program has made it meanwhile
            folder.rmdir(half)
        folder.sync()

    def _give(self, fd: int, mode: int, group: int) -> None:
        """Set the permissions of the open file `fd`, and its group: the configured one, else `group`."""
        wanted = group if self._group is None else self._group
        if os.fstat(fd).st_gid != wanted:
            try:
                os.fchown(fd, -1, wanted)
            except PermissionError:
                if self._group is not None:
                    raise
                # We are not in the outbox's group, which is only the default: the file keeps ours.
        os.fchmod(fd, mode)


def group_of(name: str) -> grp.struct_group:
    """A group that is told by its name or its number. Raises KeyError."""
    try:
        return grp.getgrgid(int(name)) if name.isdecimal() else grp.getgrnam(name)
    except OverflowError:  # no system knows so large a number
        raise KeyError(name) from None


def _group_id(group: str | int | None) -> int | None:
    if not isinstance(group, str):
        return group
    try:
        return group_of(group).gr_gid
    except KeyError:
        raise ConfigError(f"the outbox's group {group!r} does not exist; create it or name another") from None


def _stands(folder: Folder, name: bytes, content: bytes) -> bool:
    """Whether the file is there with these bytes. It was durable before it got its name.

    Raises _InTheWay for anything else under that name, and OSError.
    """
    there = folder.stat(name)
    if there is None:
        return False
    if not stat.S_ISREG(there.st_mode) or there.st_size != len(content):
        raise _InTheWay(folder, name)
    try:
        with os.fdopen(folder.open_file(name, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            same = file.read(len(content) + 1) == content
    except PermissionError:
        same = False
    if not same:
        raise _InTheWay(folder, name)
    return True


def _safe(name: str) -> PurePosixPath:
    """A document's name as a path that cannot leave the outbox. Raises OSError."""
    path = PurePosixPath(name)
    if path.is_absolute() or not path.name or any(part.startswith(".") for part in path.parts):
        raise PermissionError(1, f"the name {name!r} leaves the outbox")
    return path


def _blocked(path: str, document: Document) -> str:
    return f"{path} is not the {document.kind} that belongs there, and is not overwritten"


def _failed(root: bytes, name: str, error: OSError) -> str:
    return f"{os.fsdecode(root)}/{name} cannot be written: {error.strerror}"
