"""The last events in a file, so that a restart keeps them.

It is appended to without an fsync: it survives the daemon's death, and a power cut may cost its last lines.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from daemon.contracts.wire.base import EventLine


class EventFile:
    """A file of at most twice `most` events, one JSON object a line. A full disk costs lines alone."""

    def __init__(self, path: Path, most: int) -> None:
        self._path, self._most = path, most
        self._lines = 0

    def read(self) -> list[EventLine]:
        """The last events, oldest first. What a crash has torn is left out, here and in the file."""
        found = []
        with contextlib.suppress(OSError):
            for line in self._path.read_bytes().splitlines():
                with contextlib.suppress(ValueError):
                    found.append(EventLine.model_validate_json(line))
        self.write(found[-self._most :])
        return found[-self._most :]

    def add(self, event: EventLine, last: Iterable[EventLine]) -> None:
        """Append an event; `last` are those to keep when the file is full."""
        if self._lines >= 2 * self._most:
            self.write(last)
            return
        with contextlib.suppress(OSError), open(self._path, "a", opener=_privately) as file:
            file.write(_text(event))
            self._lines += 1

    def write(self, events: Iterable[EventLine]) -> None:
        """Replace the file."""
        lines = [_text(event) for event in events]
        partial = self._path.with_name(self._path.name + ".partial")
        with contextlib.suppress(OSError):
            with open(partial, "w", opener=_privately) as file:
                file.writelines(lines)
            partial.replace(self._path)
            self._lines = len(lines)


def _text(event: EventLine) -> str:
    return event.model_dump_json() + "\n"


def _privately(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)  # events name students
