"""Reading a model's weights into the page cache while another group still has the GPU.

A container's start then loads from memory. It is optional: weights that are not found, or are too large for
the free memory, are left to the server.
"""

import asyncio
import json
import threading
from collections.abc import Mapping
from pathlib import Path

import structlog

log = structlog.get_logger()

HOME = "/root/.ollama"
"""The folder of an Ollama container's models."""

_REGISTRY = "registry.ollama.ai"
_WEIGHTS = "application/vnd.ollama.image.model"
_PIECE = 16 << 20  # bytes; between two pieces a cancelled read ends
_MOST_OF_FREE = 0.5


async def read_ahead(mounts: Mapping[str, str], model: str) -> int:
    """Read the weights of `model` from the volume of an Ollama container. Gives the number of bytes read.

    `mounts` maps folders of the container to those of this machine. Ends soon after it is cancelled.
    """
    if HOME not in mounts:
        return 0
    end = threading.Event()
    try:
        return await asyncio.to_thread(_read, Path(mounts[HOME]) / "models", model, end)
    finally:
        end.set()


def weights(models: Path, model: str) -> Path:
    """The file of a model's weights below an Ollama folder. Raises OSError, ValueError or KeyError."""
    name, _, tag = model.partition(":")
    space = name if "/" in name else f"library/{name}"
    manifest = json.loads((models / "manifests" / _REGISTRY / space / (tag or "latest")).read_text())
    digest: str = next(each["digest"] for each in manifest["layers"] if each["mediaType"] == _WEIGHTS)
    return models / "blobs" / digest.replace(":", "-")


def _read(models: Path, model: str, end: threading.Event) -> int:
    try:
        file = weights(models, model)
        if file.stat().st_size > _MOST_OF_FREE * _free_bytes():
            return 0
        return _touch(file, end)
    except (OSError, ValueError, KeyError, StopIteration) as exc:  # often a folder that only root may read
        log.debug("weights not read ahead", model=model, why=str(exc))
        return 0


def _touch(file: Path, end: threading.Event) -> int:
    piece = bytearray(_PIECE)
    done = 0
    with file.open("rb", buffering=0) as opened:
        while not end.is_set() and (count := opened.readinto(piece)):
            done += count
    return done


def _free_bytes() -> int:
    """The memory that is available without swapping, in bytes."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) << 10
