"""The models folder, compared with the catalog.

A model is one folder of its name. Its manifest is written after its bytes were hashed; from then on it is
enough to compare manifest and sizes, which takes milliseconds where hashing takes a second.
"""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from daemon.core.errors import ModelError
from daemon.models.catalog import Asset, find_asset
from daemon.system.durable import whole_file

MANIFEST = "manifest.json"

_CHUNK = 1024 * 1024


def model_path(models_dir: Path, name: str) -> Path:
    """The path that the model's engine loads: Whisper's folder, or the GGUF file.

    Raises ModelError when the name is unknown, or when the model is not here as the catalog pins it.
    """
    asset = find_asset(name)
    if not is_here(models_dir, asset):
        raise ModelError(f"model {name!r} is not here; run: introeval models pull {name}")
    return loaded_path(models_dir, asset)


def digest(name: str) -> str:
    """SHA-256 of the model's weights, in hexadecimal. Raises ModelError when the name is unknown."""
    return find_asset(name).digest


def loaded_path(models_dir: Path, asset: Asset) -> Path:
    """The path that the model's engine loads, also before the model is here."""
    folder = models_dir / asset.name
    return folder if asset.loads is None else folder / asset.loads


def is_here(models_dir: Path, asset: Asset) -> bool:
    """Whether the model's manifest is the catalog's and its files have their sizes. Nothing is hashed."""
    folder = models_dir / asset.name
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        sizes = [(folder / file.name).stat().st_size for file in asset.files]
    except (OSError, ValueError):
        return False
    return bool(manifest == _manifest(asset)) and sizes == [file.size for file in asset.files]


def has_pinned_bytes(models_dir: Path, asset: Asset, hashed: Callable[[int], None]) -> bool:
    """Whether all files have the pinned SHA-256. `hashed` gets the total of hashed bytes after each chunk.

    Raises OSError when a file exists but cannot be read.
    """
    folder = models_dir / asset.name
    done = 0
    for file in asset.files:
        sha256 = hashlib.sha256()
        try:
            with (folder / file.name).open("rb") as stream:
                # A file of another size is wrong without hashing.
                if os.fstat(stream.fileno()).st_size != file.size:
                    return False
                while chunk := stream.read(_CHUNK):
                    sha256.update(chunk)
                    done += len(chunk)
                    hashed(done)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return False
        if sha256.hexdigest() != file.sha256:
            return False
    return True


def write_manifest(folder: Path, asset: Asset) -> None:
    """Record in `folder` that its bytes are the pinned ones. The write is durable and atomic."""
    with whole_file(folder / MANIFEST) as stream:
        stream.write(json.dumps(_manifest(asset), indent=2).encode())


def _manifest(asset: Asset) -> dict[str, object]:
    return {
        "model": asset.name,
        "licence": asset.licence,
        "from": [wheel.requirement for wheel in asset.wheels],
        "files": {file.name: {"sha256": file.sha256, "size": file.size} for file in asset.files},
    }
