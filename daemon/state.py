"""The state folder: the name of its database, and its one owner."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from daemon.core.errors import AlreadyRunning

DATABASE = "introeval.db"


@contextlib.contextmanager
def owned(state: Path) -> Iterator[None]:
    """Own the state folder for as long as the context lasts. Raises AlreadyRunning."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "daemon.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise AlreadyRunning(
                f"a daemon (process {file.read().strip() or 'unknown'}) runs on {state} already; "
                "see `introeval status`, or name another state folder"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
