"""Making what happens in folders outlive a power cut, and telling whether a folder is still the same one."""

import os
from dataclasses import dataclass
from pathlib import Path

FOLDER_MODE = 0o750


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """Which folder stands at a path."""

    device: int
    inode: int


def identity(folder: int | Path) -> FileIdentity:
    """The identity of a folder, by its path or by a descriptor of it. Raises OSError."""
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


def make_folder(folder: Path, mode: int = FOLDER_MODE) -> None:
    """Make a folder, and those above it, durably; one that stands is left as it is. Raises OSError."""
    if folder.is_dir():
        return
    make_folder(folder.parent, mode)
    folder.mkdir(mode=mode, exist_ok=True)
    sync_folder(folder.parent)
