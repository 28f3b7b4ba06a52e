"""Places of the tests, and shares that are mounted on them and go away."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.contracts.wire.words import PlaceName
from daemon.core.intake.place import KnownPlace
from daemon.system.place import MARK, Place

OTHER_DISK = Path("/dev/shm")


def outlet(root: Path, memory: KnownPlace | None = None) -> Place:
    """The outbox at `root`."""
    return Place(PlaceName.OUTBOX, root, memory)


def mark_of(root: Path) -> Path:
    """Where the mark of a place lies."""
    return root / os.fsdecode(MARK)


class Share:
    """A folder of another file system that can be shown at a path, and taken away from it again.

    It is shown by a link, which needs no privilege and looks the same from within: another file system.
    """

    def __init__(self, at: Path, folder: Path) -> None:
        self.at, self.folder = at, folder

    def show(self) -> None:
        """Mount it."""
        if self.at.is_dir():
            self.at.rmdir()
        self.at.symlink_to(self.folder)

    def take_away(self) -> None:
        """Unmount it: a bare folder is left."""
        self.at.unlink()
        self.at.mkdir()


@contextmanager
def share_at(path: Path) -> Iterator[Share]:
    """A share that is shown at `path`. Skips the test where there is no second file system."""
    if not OTHER_DISK.is_dir() or OTHER_DISK.stat().st_dev == path.parent.stat().st_dev:
        pytest.skip(f"{OTHER_DISK} is no file system of its own")
    folder = Path(tempfile.mkdtemp(dir=OTHER_DISK, prefix="introeval-test-"))
    try:
        share = Share(path, folder)
        share.show()
        yield share
    finally:
        shutil.rmtree(folder)


class Mount:
    """The same by a real mount, which can also show a folder of the same file system (`mount --bind`)."""

    def __init__(self, at: Path, folder: Path) -> None:
        self.at, self.folder = at, folder

    def show(self) -> None:
        """Mount it. Skips the test where that is not allowed."""
        command = ["mount", "--bind", str(self.folder), str(self.at)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")

    def take_away(self) -> None:
        """Unmount it, whoever still uses it."""
        subprocess.run(["umount", "--lazy", self.at], check=True, capture_output=True)


@contextmanager
def mount_at(path: Path) -> Iterator[Mount]:
    """A mount that is shown at `path`, with a folder beside it."""
    folder = path.with_name(f"{path.name}-share")
    for each in (path, folder):
        each.mkdir(parents=True)
    mount = Mount(path, folder)
    mount.show()
    try:
        yield mount
    finally:
        subprocess.run(["umount", "--lazy", path], check=False, capture_output=True)
