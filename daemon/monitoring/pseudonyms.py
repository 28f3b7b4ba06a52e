"""Pseudonyms of students for the log: keyed hashes, by which their lines can be followed without a name.

The key is a file of the state folder. Who has it can try ids, so `introeval forget` deletes it: afterwards no
earlier line can be led back to anybody, and later ones have other pseudonyms.
"""

import contextlib
import hashlib
import os
import secrets
from pathlib import Path

KEY_FILE = "log.key"
_KEY_BYTES = 32
_DIGEST_BYTES = 6


class Pseudonyms:
    """Called with a student's id, gives the pseudonym; "" while the key can be neither read nor written."""

    def __init__(self, state: Path) -> None:
        self._file = state / KEY_FILE

    def __call__(self, student: str) -> str:
        """The pseudonym of a student's id."""
        try:
            key = self._key()  # read each time, since it may have been deleted
        except OSError:
            return ""
        return hashlib.blake2b(student.encode(), key=key, digest_size=_DIGEST_BYTES).hexdigest()

    def _key(self) -> bytes:
        with contextlib.suppress(FileNotFoundError):
            if len(key := self._file.read_bytes()) == _KEY_BYTES:
                return key
            self._file.unlink()  # a crash has left a part
        key = secrets.token_bytes(_KEY_BYTES)
        with open(self._file, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(key)
        return key
