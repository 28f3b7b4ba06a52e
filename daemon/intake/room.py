"""The room on the disk of the state folder: what is free, less what copies under way will still take."""

import contextlib
import errno
import threading
from collections.abc import Callable, Iterator


class DiskRoom:
    """Room for copies. `keep_bytes` stay free for the database, logs and results. For several threads.

    `free_bytes` asks the disk and may raise OSError.
    """

    def __init__(self, free_bytes: Callable[[], int], keep_bytes: int) -> None:
        self._free_bytes = free_bytes
        self._keep = keep_bytes
        self._held = 0
        self._lock = threading.Lock()

    def lacking(self) -> int:
        """How many bytes are missing of what is to stay free; 0 when nothing is."""
        return max(0, self._keep - self._free_bytes())

    @contextlib.contextmanager
    def hold(self, size_bytes: int) -> Iterator[None]:
        """Keep room for a copy while it is made. Raises OSError ENOSPC when there is none."""
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
