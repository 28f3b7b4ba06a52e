"""Models that the operator has: checked that they are what they claim to be, and pinned as they are.

One is used where it lies (`[stt] model = "/srv/whisper"`), or copied into the models folder under a name.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path

from daemon.core.errors import ModelError
from daemon.core.model_ref import shards
from daemon.models.catalog import WHISPER_FILES, WHISPER_WEIGHTS, Asset
from daemon.models.headers import gguf_head, whisper_parameters
from daemon.models.installed import MANIFEST, Manifest, Pin, is_here, loaded_path, pins_of, write_manifest
from daemon.models.storing import SCRATCH, PullProgress, Step, cannot_be_stored, clear, locked, publish
from daemon.system.durable import make_folder
from daemon.system.weights import Weights

_CHUNK = 1024 * 1024


def model_files(path: Path) -> tuple[Path, ...]:
    """The files of the model at `path`: those of a Whisper's folder, or a GGUF file with its other parts.

    Raises ModelError when it is neither, or not whole.
    """
    if not path.is_dir():
        files = tuple(path.with_name(name) for name in shards(path.name))
        for file in files:
            gguf_head(file)
        return files
    found = [file for pattern in WHISPER_FILES for file in sorted(path.glob(pattern)) if file.is_file()]
    needed = ("config.json", WHISPER_WEIGHTS, "tokenizer.json", "vocabulary.")
    missing = [name for name in needed if not any(file.name.startswith(name) for file in found)]
    if missing:
        raise ModelError(
            f"{path} has no {', '.join(missing)}, so it is no Whisper for faster-whisper; convert it with "
            "ct2-transformers-converter --copy_files tokenizer.json preprocessor_config.json"
        )
    whisper_parameters(path / WHISPER_WEIGHTS)
    try:
        json.loads((path / "config.json").read_bytes())
    except ValueError as exc:
        raise ModelError(f"{path / 'config.json'} is no JSON ({exc}); copy the model again") from exc
    return tuple(found)


def pin_in_place(asset: Asset, folder: Path) -> None:
    """Pin a model that stays where it is. Raises ModelError or OSError."""
    assert asset.root is not None
    files = model_files(loaded_path(folder, asset))
    pins = {file.name: Pin(Weights.unpinned(file).verify(), file.stat().st_size) for file in files}
    make_folder(folder / asset.name)
    where = str(asset.root)
    write_manifest(folder / asset.name, Manifest(asset.shown, asset.licence, (where,), pins, root=where))


def add(asset: Asset, path: Path, folder: Path, progress: PullProgress) -> Path:
    """Copy the model at `path` into `folder` under the name of `asset`, and return the path that is loaded.

    One that is pinned already must have the pinned bytes. Raises ModelError, and then nothing was changed.
    """
    if asset.root is not None:
        raise ModelError(
            f"{asset.shown} is a path and no name; to use it there, run: introeval models pull PATH"
        )
    if asset.hub and (asset.loads is None) != path.is_dir():
        kind = "Whisper, which is a folder" if asset.loads is None else "GGUF file"
        raise ModelError(f"{asset.shown} is the name of a {kind}, and {path} is none; use another name")
    files = model_files(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder, progress):
            clear(folder)
            _copy(asset, files, folder, progress)
    except OSError as exc:
        raise cannot_be_stored(asset, folder, exc) from exc
    return loaded_path(folder, asset)


def _copy(asset: Asset, files: tuple[Path, ...], folder: Path, progress: PullProgress) -> None:
    scratch = folder / f"{SCRATCH}{asset.name}"
    fresh = scratch / "model"
    fresh.mkdir(parents=True)
    known, total, done = pins_of(folder, asset), sum(file.stat().st_size for file in files), 0
    pins: dict[str, Pin] = {}
    try:
        for file in files:
            sha256, before = hashlib.sha256(), done
            with file.open("rb") as source, (fresh / file.name).open("xb") as target:
                while chunk := source.read(_CHUNK):
                    sha256.update(chunk)
                    target.write(chunk)
                    done += len(chunk)
                    progress(Step.COPY, done, total)
                target.flush()
                os.fsync(target.fileno())
            pins[file.name] = Pin(sha256.hexdigest(), done - before)
        other = [name for name, pin in known.items() if pins.get(name) != pin]
        if other:
            raise ModelError(
                f"{', '.join(other)} at {files[0].parent} is not what is pinned for {asset.shown}, so "
                f"nothing was changed; use another name, or remove {folder / asset.name / MANIFEST} first"
            )
        kept = {name: pin for name, pin in pins.items() if not known or name in known}
        if not is_here(folder, asset):
            write_manifest(fresh, Manifest(asset.shown, asset.licence, (str(files[0].parent),), kept))
            publish(fresh, folder / asset.name, scratch / "old")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
