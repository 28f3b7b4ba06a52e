"""Files of the model hub, by huggingface-hub: its own endpoint, token, proxy and cache settings apply.

That library takes half a second to import, so this module is imported where it is used: by `introeval models`
alone, since the daemon never asks the hub.
"""

import hashlib
import io
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

import huggingface_hub as hub
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined] # exported lazily
from huggingface_hub.utils.logging import set_verbosity_error

from daemon.core.errors import ModelError
from daemon.models.catalog import HubFiles

_ANSWER_S = 5.0
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file in a repository. The hub itself says its `sha256`, or the name `blob` that git gives it."""

    path: str
    size: int
    sha256: str | None
    blob: str | None

    @property
    def name(self) -> str:
        """Its name in the model's folder, which has no folders."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True, slots=True)
class HubCommit:
    """The files of a repository at a commit. `cached` are those in the hub's cache on this machine."""

    repo: str
    revision: str
    files: tuple[HubFile, ...]
    cached: Mapping[str, Path] = field(default_factory=dict)


def look(wanted: HubFiles, revision: str = "") -> HubCommit:
    """The wanted files at `revision`, by default the newest; without a hub, as its cache has them.

    Raises ModelError when neither has them. Takes some seconds at most.
    """
    try:
        info = hub.HfApi().model_info(
            wanted.repo, revision=revision or None, files_metadata=True, timeout=_ANSWER_S
        )
    except Exception as exc:  # huggingface-hub lets the errors of its HTTP library through, whichever that is
        if found := _cached(wanted, revision):
            return found
        raise ModelError(_why(wanted.repo, exc)) from exc
    files = tuple(
        HubFile(each.rfilename, each.size or 0, each.lfs.sha256 if each.lfs else None, each.blob_id)
        for each in info.siblings or ()
        if any(fnmatchcase(each.rfilename, pattern) for pattern in wanted.patterns)
    )
    if not files or info.sha is None:
        raise ModelError(
            f"the hub's repository {wanted.repo} has no {wanted.patterns[-1]}; correct the model's name"
        )
    cached = {}
    for each in files:
        at = hub.try_to_load_from_cache(wanted.repo, each.path, revision=info.sha)
        if isinstance(at, str):
            cached[each.path] = Path(at)
    return HubCommit(wanted.repo, info.sha, files, cached)


def fetch(commit: HubCommit, file: HubFile, target: Path, on_bytes: Callable[[int], None]) -> str:
    """Bring a file to `target`, durably, and return its SHA-256. What is there of it already is kept.

    `on_bytes` gets the bytes so far. Raises ModelError when the connection breaks, and then the next call
    continues; or when the bytes are not those that the hub announced, and then they are removed.
    """
    with _Target(target, on_bytes) as stream:
        if file.path in commit.cached:
            stream.truncate(0)
            with commit.cached[file.path].open("rb") as source:
                shutil.copyfileobj(source, stream, _CHUNK)
        else:
            _download(commit, file, stream)
        os.fsync(stream.fileno())
    with target.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        stream.seek(0)
        git = hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)
        seen = sha256 if file.sha256 else _digest_into(git, stream) if file.blob else None
    if seen != (file.sha256 or file.blob):
        target.unlink()
        raise ModelError(
            f"{file.path} of {commit.repo} came with other bytes than the hub announced; run it again, and "
            "if that does not help, check HF_ENDPOINT and the proxy"
        )
    return sha256


def _download(commit: HubCommit, file: HubFile, stream: "_Target") -> None:
    if stream.tell() > file.size:
        stream.truncate(0)
    set_verbosity_error()  # type: ignore[no-untyped-call] # its lines about each new try
    try:
        http_get(
            hub.hf_hub_url(commit.repo, file.path, revision=commit.revision),
            stream,
            resume_size=stream.tell(),
            headers=build_hf_headers(),
            expected_size=file.size,
            tqdm_class=_NoBar,
        )
    except Exception as exc:  # as in `look`
        raise ModelError(
            f"{file.path} of {commit.repo} came to {stream.tell() / 1e6:.0f} of {file.size / 1e6:.0f} MB: "
            f"{_first_line(exc)}; run it again to continue"
        ) from exc


class _Target(io.FileIO):
    """A file that is written on at its end, and says how long it is."""

    def __init__(self, path: Path, on_bytes: Callable[[int], None]) -> None:
        super().__init__(path, "ab+")
        self.seek(0, os.SEEK_END)
        self._on_bytes = on_bytes

    def write(self, data: Any) -> int:
        view, done = memoryview(data), 0
        while done < len(view):
            done += super().write(view[done:]) or 0
        self._on_bytes(self.tell())
        return done


class _NoBar:
    """Stands in for the bar that huggingface-hub would draw."""

    def __init__(self, *args: Any, **options: Any) -> None:
        pass

    def __enter__(self) -> "_NoBar":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def update(self, count: int) -> None:
        """Draw nothing."""


def _cached(wanted: HubFiles, revision: str) -> HubCommit | None:
    """The wanted files in the hub's cache, which keeps each commit in a folder of its name."""
    try:
        folder = Path(
            hub.snapshot_download(
                wanted.repo,
                revision=revision or None,
                allow_patterns=list(wanted.patterns),
                local_files_only=True,
            )
        )
    except Exception:  # noqa: BLE001 - as in `look`
        return None
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    found = {
        name: path
        for name, path in paths.items()
        if any(fnmatchcase(name, pattern) for pattern in wanted.patterns)
    }
    files = tuple(HubFile(name, path.stat().st_size, None, None) for name, path in found.items())
    return HubCommit(wanted.repo, folder.name, files, found) if files else None


def _digest_into(digest: Any, stream: io.BufferedReader) -> str:
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
    return str(digest.hexdigest())


def _why(repo: str, exc: Exception) -> str:
    if isinstance(exc, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE switches the model hub off; unset it"
    if isinstance(exc, GatedRepoError):
        return f"the hub gives {repo} only to those who accepted its terms; accept them, and set HF_TOKEN"
    if isinstance(exc, HfHubHTTPError):
        return f"the hub does not give {repo} ({_first_line(exc)}); check the name, HF_TOKEN and HF_ENDPOINT"
    return f"the model hub cannot be reached ({_first_line(exc)}); check the network and HF_ENDPOINT"


def _first_line(exc: Exception) -> str:
    lines = str(exc).strip().splitlines()
    text = lines[0] if lines else type(exc).__name__
    return "".join(char for char in text if char.isprintable())[:200]
