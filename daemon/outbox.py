"""The outbox: frozen documents appear there whole and durable, or not at all.

Each file is written under a temporary name, fsynced, renamed, and its folder fsynced. Doing it again
publishes the same bytes under the same name.
"""

import grp
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from daemon.core.errors import ConfigError, DeliveryError
from daemon.core.naming import temporary_name
from daemon.durable import Identity, identity, sync_folder
from daemon.values import Document

_TEMPORARY_FOLDER = ".introeval-{name}.tmp"


@dataclass(slots=True)
class Published:
    """Of a call: the ids of the documents that are durable, and why the others are not, by id."""

    done: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)


class Outbox:
    """Writes into one folder, which must be there. Blocks for as long as the disk does: for a thread.

    `mode` are the permissions of a file; a folder has the same, and may be entered where it may be read.
    `group` is a name or a number; by default it is the group of the outbox, as far as we may set it.
    Raises ConfigError for a group that does not exist.
    """

    def __init__(self, root: Path, *, mode: int = 0o640, group: str | int | None = None) -> None:
        self._root = root
        self._mode = mode
        self._group = _group_id(group)
        self._identity: Identity | None = None

    def publish(self, document: Document) -> None:
        """Make one document durable. Raises DeliveryError."""
        published = self.publish_all([document])
        for message in published.failed.values():
            raise DeliveryError(message)

    def publish_all(self, documents: Sequence[Document]) -> Published:
        """Make documents durable, with one fsync for each folder. What fails harms only itself.

        Raises DeliveryError when the outbox is missing or not mounted any more.
        """
        self._check_root()
        published = Published()
        written: dict[Path, list[int]] = {}
        for document in documents:
            try:
                folder = self._write(document)
            except OSError as exc:
                published.failed[document.id] = _message(self._root / document.name, exc)
            else:
                written.setdefault(folder, []).append(document.id)
        for folder, ids in written.items():
            try:
                sync_folder(folder)
            except OSError as exc:
                published.failed.update(dict.fromkeys(ids, _message(folder, exc)))
            else:
                published.done += ids
        return published

    def _check_root(self) -> None:
        try:
            here = identity(self._root)
        except OSError as exc:
            raise DeliveryError(_message(self._root, exc)) from exc
        if here.unmounted_since(self._identity):
            raise DeliveryError(f"the outbox {self._root} is not mounted any more; mount it again")
        self._identity = here

    def _write(self, document: Document) -> Path:
        """Write one file, all but the fsync of its folder, which is returned. Raises OSError."""
        target = self._root / _safe(document.name)
        self._ensure_folder(target.parent)
        if _holds(target, document.content):
            return target.parent
        temporary = self._root / temporary_name(document.name, document.id)
        with open(temporary, "wb", opener=_private) as file:
            file.write(document.content)
            file.flush()
            self._give(file.fileno(), self._mode)
            os.fsync(file.fileno())
        temporary.rename(target)
        return target.parent

    def _ensure_folder(self, folder: Path) -> None:
        """Make a folder that appears with its right permissions, durably."""
        if folder.is_dir():
            return
        self._ensure_folder(folder.parent)
        temporary = folder.with_name(_TEMPORARY_FOLDER.format(name=folder.name))
        temporary.mkdir(mode=0o700, exist_ok=True)
        fd = os.open(temporary, os.O_RDONLY | os.O_DIRECTORY)
        try:
            may_enter = (self._mode & 0o444) >> 2
            self._give(fd, self._mode | 0o700 | may_enter)
        finally:
            os.close(fd)
        temporary.rename(folder)
        sync_folder(folder.parent)

    def _give(self, fd: int, mode: int) -> None:
        """Set the group and the permissions of what is open as `fd`."""
        wanted = self._root.stat().st_gid if self._group is None else self._group
        if os.fstat(fd).st_gid != wanted:
            try:
                os.fchown(fd, -1, wanted)
            except PermissionError:
                if self._group is not None:
                    raise
                # The outbox's group is one that we are not in: the file is right all the same.
        os.fchmod(fd, mode)


def _group_id(group: str | int | None) -> int | None:
    if not isinstance(group, str):
        return group
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ConfigError(
            f"the group {group!r} of the outbox does not exist; make it or name another"
        ) from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _holds(path: Path, content: bytes) -> bool:
    """Whether a file stands there with these very bytes; it was durable before it got its name."""
    try:
        return path.read_bytes() == content
    except (FileNotFoundError, IsADirectoryError):
        return False


def _safe(name: str) -> PurePosixPath:
    """A document's name as a path that cannot leave the outbox. Raises OSError."""
    path = PurePosixPath(name)
    if path.is_absolute() or not path.name or any(part.startswith(".") for part in path.parts):
        raise PermissionError(1, f"the name {name!r} leaves the outbox")
    return path


def _message(path: Path, error: OSError) -> str:
    mend = "see that the outbox is there, has room and can be written"
    return f"{path} cannot be written: {error.strerror}; {mend}"
