"""Changes in folders that survive a power cut, and the identity of a folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

FOLDER_MODE = 0o750


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """The folder at a path, as device and inode."""

    device: int
    inode: int


def identity(folder: int | Path) -> FileIdentity:
    """The identity of a folder, given by its path or a descriptor. Raises OSError."""
    if isinstance(folder, Path):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return identity(fd)
        finally:
            os.close(fd)
    here = os.fstat(folder)
    return FileIdentity(here.st_dev, here.st_ino)


def sync_folder(folder: bytes | Path) -> None:
    """Make what was created, renamed or removed in a folder durable. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def whole_file(path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Open a file for writing that appears at `path` at the block's end, whole and durable, or not at all.

    Until then it is `<name>.partial`; a file at `path` is replaced. Raises OSError.
    """
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)  # a crash may have left it
    with open(partial, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    sync_folder(path.parent)


def make_folder(folder: Path, mode: int = FOLDER_MODE) -> None:
    """Create a folder and those above it, durably; existing ones are left unchanged. Raises OSError."""
    if folder.is_dir():
        return
    make_folder(folder.parent, mode)
    folder.mkdir(mode=mode, exist_ok=True)
    sync_folder(folder.parent)
