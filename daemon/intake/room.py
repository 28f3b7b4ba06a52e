"""The free space on the disk of the state folder, less what the copies under way will still take."""

import contextlib
import errno
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from daemon.intake.alarm import IntakeAlarm, reason_of


class DiskRoom:
    """Space for copies. `keep_bytes` stay free for the database, logs and results. Thread-safe.

    `free_bytes` asks the disk and may raise OSError.
    """

    def __init__(self, free_bytes: Callable[[], int], keep_bytes: int) -> None:
        self._free_bytes = free_bytes
        self._keep = keep_bytes
        self._held = 0
        self._lock = threading.Lock()

    def lacking(self) -> int:
        """The bytes that are missing of those to keep free; 0 if none are."""
        return max(0, self._keep - self._free_bytes())

    @contextlib.contextmanager
    def hold(self, size_bytes: int) -> Iterator[None]:
        """Reserve space for a copy while it is made. Raises OSError ENOSPC if there is not enough."""
        with self._lock:
            free = self._free_bytes() - self._held - self._keep
            if free < size_bytes:
                needed = f"it takes {size_bytes / 1e6:.0f} MB, and {max(0, free) / 1e6:.0f} are free for it"
                raise OSError(errno.ENOSPC, needed)
            self._held += size_bytes
        try:
            yield
        finally:
            with self._lock:
                self._held -= size_bytes


def disk_alarm(room: DiskRoom, state: Path) -> IntakeAlarm | None:
    """The alarm that no video is taken while the disk of the state folder lacks free space, else None."""
    try:
        lacking = room.lacking()
    except OSError as exc:
        told = f"the free space of {state} is unknown: {reason_of(exc)}"
        return IntakeAlarm("disk_low", str(state), told, "check that the disk answers")
    if not lacking:
        return None
    told = f"the disk of {state} lacks {lacking / 1e6:.0f} MB of the space to keep free"
    return IntakeAlarm("disk_low", str(state), told)
