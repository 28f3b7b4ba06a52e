"""What a disk holds, what of it would survive a power cut, and how such a state is laid out as folders.

POSIX promises little: the content of a file is durable after an fsync of the file, a name after an fsync of
its folder, each by itself. So a rename from one folder to another may survive in one of them alone.
"""

import os
import random
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tests.torture.disk.calls import Call


class Loss(StrEnum):
    """What a cut takes of what was not synced."""

    NOTHING = "nothing"  # a kill: the kernel goes on
    ALL = "all"
    NAMES = "names"  # and all content survives
    CONTENT = "content"  # and all names survive: files are empty, or as they were
    TORN = "torn"  # all but the last write is there, and that by half
    SOME = "some"  # drawn: of each folder the first changes, of each file any


Write = tuple[int, bytes | None]
"""At an offset, these bytes; without bytes the file ends there."""
Naming = tuple[tuple[bytes, int], ...]
"""One change of a folder: names with their inode, 0 where there is none any more."""


@dataclass
class _File:
    content: bytearray
    durable: bytearray
    pending: list[Write] = field(default_factory=list)

    def on(self, inodes: Mapping[int, int]) -> "_File":
        return _File(bytearray(self.content), bytearray(self.durable), list(self.pending))


@dataclass
class _Folder:
    names: dict[bytes, int]
    durable: dict[bytes, int]
    pending: list[Naming] = field(default_factory=list)

    def on(self, inodes: Mapping[int, int]) -> "_Folder":
        def there(names: Iterable[tuple[bytes, int]]) -> Naming:
            return tuple((name, inodes.get(inode, inode)) for name, inode in names)

        names, durable = dict(there(self.names.items())), dict(there(self.durable.items()))
        return _Folder(names, durable, [there(naming) for naming in self.pending])


@dataclass(frozen=True)
class State:
    """One state of a disk: the folders and files below the root by their path, files by their inode, too."""

    folders: tuple[tuple[bytes, int], ...]
    files: tuple[tuple[bytes, int, bytes], ...]


class Disk:
    """A disk as a program sees it, and beneath it the one that is durable. It begins as a folder is now."""

    def __init__(self, root: Path) -> None:
        self._nodes: dict[int, _File | _Folder] = {}
        self._root = root.stat().st_ino
        self._last: int | None = None
        self.kept: set[int] = set()
        """Files that were there in the beginning, and are never written: they are laid out as themselves."""
        for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
            names = {os.fsencode(path.name): path.stat().st_ino for path in folder.iterdir()}
            self._nodes[folder.stat().st_ino] = _Folder(names, dict(names))
            for path in folder.iterdir():
                if path.is_file():
                    content = path.read_bytes()
                    self._nodes[path.stat().st_ino] = _File(bytearray(content), bytearray(content))
                    self.kept.add(path.stat().st_ino)

    def play(self, call: Call) -> None:
        """Let a call have its effect."""
        if call.error:
            self._fail(call)
        elif call.what in ("create", "mkdir"):
            made = _File(bytearray(), bytearray()) if call.what == "create" else _Folder({}, {})
            self._nodes[call.inode] = made
            self._name(call.other, (call.name, call.inode))
        elif call.what in ("write", "truncate"):
            self._write(call.inode, (call.at, call.data if call.what == "write" else None))
        elif call.what == "sync":
            self._sync(call.inode)
        elif call.what in ("rename", "link", "unlink"):
            self._rename(call)

    def _fail(self, call: Call) -> None:
        """What a file should have written at an fsync that failed is taken for written by the kernel, and no
        later fsync writes it (Rebello, ATC 2020).
        """
        node = self._nodes.get(call.inode)
        if call.what == "sync" and isinstance(node, _File):
            node.pending.clear()

    def after(self, loss: Loss, dice: random.Random) -> State:
        """What a cut now leaves, with this loss."""
        folders: list[tuple[bytes, int]] = []
        files: list[tuple[bytes, int, bytes]] = []
        self._walk(self._root, b"", loss, dice, folders, files)
        return State(tuple(folders), tuple(files))

    def _walk(
        self,
        inode: int,
        path: bytes,
        loss: Loss,
        dice: random.Random,
        folders: list[tuple[bytes, int]],
        files: list[tuple[bytes, int, bytes]],
    ) -> None:
        names = _names_left(self._folder(inode), loss, dice)
        for name in sorted(names):
            node, here = self._nodes[names[name]], os.path.join(path, name)
            if isinstance(node, _Folder):
                folders.append((here, names[name]))
                self._walk(names[name], here, loss, dice, folders, files)
            else:
                is_last = names[name] == self._last
                files.append((here, names[name], bytes(_content_left(node, loss, dice, is_last=is_last))))

    def lay_out(self, state: State, folder: Path, originals: Path) -> dict[int, int]:
        """Make a state anew below `folder`. What was there from the beginning is linked from `originals`, by
        inode, since the daemon knows a file of the inbox by its inode. Gives the new inodes of the old ones.
        """
        root = os.fsencode(folder)
        folder.mkdir()
        inodes = {self._root: folder.stat().st_ino}
        for path, inode in state.folders:
            os.mkdir(os.path.join(root, path))
            inodes[inode] = os.stat(os.path.join(root, path)).st_ino
        made: dict[int, bytes] = {}
        for path, inode, content in state.files:
            here = os.path.join(root, path)
            if inode in self.kept and (originals / str(inode)).exists():
                os.link(originals / str(inode), here)
            elif inode in made:
                os.link(made[inode], here)
            else:
                with open(here, "wb") as file:
                    file.write(content)
                made[inode] = here
            inodes[inode] = os.stat(here).st_ino
        return inodes

    def on(self, inodes: dict[int, int]) -> "Disk":
        """This disk after its present state was laid out anew: with what is not yet durable."""
        other = copy(self)
        other._root, other._last = inodes[self._root], None
        other.kept = {inodes.get(one, one) for one in self.kept}
        other._nodes = {inodes.get(one, one): node.on(inodes) for one, node in self._nodes.items()}
        return other

    def _folder(self, inode: int) -> _Folder:
        node = self._nodes[inode]
        assert isinstance(node, _Folder)
        return node

    def _name(self, inode: int, *naming: tuple[bytes, int]) -> None:
        folder = self._folder(inode)
        _rename_in(folder.names, naming)
        folder.pending.append(naming)
        self._last = None

    def _rename(self, call: Call) -> None:
        inode = self._folder(call.inode).names.get(call.name)
        if inode is None:
            assert b".sock" in call.name, call  # a socket has no content, and is made anew
        elif call.what == "unlink":
            self._name(call.inode, (call.name, 0))
        elif call.what == "link":
            self._name(call.other, (call.new, inode))
        elif call.inode == call.other:
            self._name(call.inode, (call.name, 0), (call.new, inode))
        else:
            self._name(call.other, (call.new, inode))
            self._name(call.inode, (call.name, 0))

    def _write(self, inode: int, write: Write) -> None:
        node = self._nodes[inode]
        assert isinstance(node, _File)
        self.kept.discard(inode)
        _put(node.content, write)
        node.pending.append(write)
        self._last = inode

    def _sync(self, inode: int) -> None:
        node = self._nodes[inode]
        if isinstance(node, _Folder):
            for naming in node.pending:
                _rename_in(node.durable, naming)
        else:
            for write in node.pending:
                _put(node.durable, write)
        node.pending.clear()
        self._last = None


def _names_left(folder: _Folder, loss: Loss, dice: random.Random) -> dict[bytes, int]:
    if loss is Loss.SOME:
        names = dict(folder.durable)
        for naming in folder.pending[: dice.randint(0, len(folder.pending))]:
            _rename_in(names, naming)
        return names
    return folder.durable if loss in (Loss.ALL, Loss.NAMES) else folder.names


def _content_left(file: _File, loss: Loss, dice: random.Random, *, is_last: bool) -> bytearray:
    if loss is Loss.SOME:
        return _written(file, [each for each in file.pending if dice.random() < 0.5])
    if loss is Loss.TORN and is_last and file.pending:
        *before, (at, data) = file.pending
        half = [] if data is None else [(at, data[: len(data) // 2])]
        return _written(file, [*before, *half])
    return file.durable if loss in (Loss.ALL, Loss.CONTENT) else file.content


def _rename_in(names: dict[bytes, int], naming: Iterable[tuple[bytes, int]]) -> None:
    for name, inode in naming:
        if inode:
            names[name] = inode
        else:
            names.pop(name, None)


def _written(file: _File, writes: Iterable[Write]) -> bytearray:
    content = bytearray(file.durable)
    for write in writes:
        _put(content, write)
    return content


def _put(content: bytearray, write: Write) -> None:
    at, data = write
    if data is None:
        del content[at:]
        content.extend(bytes(at - len(content)))
    else:
        content.extend(bytes(max(0, at - len(content))))
        content[at : at + len(data)] = data
