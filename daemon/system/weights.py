"""A model's files on disk, compared with their pins each time an engine loads them.

Hashing costs a second for 0.5 to 2 GB, and reads into the page cache what the engine reads next. So a file
is hashed before its first load, and again when its inode, size, mtime or ctime differ from then: nothing
that writes through the file system leaves the ctime as it was.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from daemon.core.errors import ModelError

_Seen = tuple[int, int, int, int, int]


class Weights:
    """The files of one model. `path` is what its engine loads, `revision` the hub's commit, if known.

    `pins` gives the SHA-256 of each file, in hexadecimal, and None for one that has no pin; the digest of the
    file `main` identifies the model. `fix` says what to do when the bytes are others.
    """

    def __init__(
        self, path: Path, pins: Mapping[Path, str | None], main: Path, *, revision: str = "", fix: str = ""
    ) -> None:
        self.path = path
        self.revision = revision
        self._pins = pins
        self._main = main
        self._fix = fix
        self._hashed: dict[Path, tuple[_Seen, str]] = {}

    @classmethod
    def unpinned(cls, path: Path) -> "Weights":
        """A model of which nothing is known: Whisper's folder, or a GGUF file."""
        main = path / "model.bin" if path.is_dir() else path
        return cls(path, {main: None}, main, fix="run: introeval models pull")

    @property
    def size(self) -> int:
        """Bytes of all its files that are here."""
        return sum(file.stat().st_size for file in self._pins if file.is_file())

    def verify(self) -> str:
        """The SHA-256 of the main file, in hexadecimal, after each file was compared with its pin.

        Raises ModelError, one line, when a file is missing or has other bytes. Takes the time of reading the
        files that are not known yet.
        """
        for file, pin in self._pins.items():
            digest = self._digest(file)
            if pin is not None and digest != pin:
                raise ModelError(
                    f"{file} is not what was pinned (SHA-256 {pin[:12]}, now {digest[:12]}), so the model is "
                    f"not loaded; {self._fix}"
                )
        return self._digest(self._main)

    def _digest(self, file: Path) -> str:
        try:
            with file.open("rb") as stream:
                stat = os.fstat(stream.fileno())
                seen = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
                known = self._hashed.get(file)
                if known is None or known[0] != seen:
                    known = seen, hashlib.file_digest(stream, "sha256").hexdigest()
                    self._hashed[file] = known
        except OSError as exc:
            raise ModelError(f"{file} cannot be read: {exc.strerror}; {self._fix}") from exc
        return known[1]
