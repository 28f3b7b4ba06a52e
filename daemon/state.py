"""The state folder: the name of its database, and its one owner; and the making of the folders beside it."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from daemon.core.errors import AlreadyRunning, ConfigError

DATABASE = "introeval.db"


@contextlib.contextmanager
def owned(state: Path) -> Iterator[None]:
    """Own the state folder for as long as the context lasts. Raises AlreadyRunning, ConfigError."""
    make_folder("state", state)
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


def make_folder(key: str, path: Path) -> None:
    """Make the folder of `paths.<key>` if there is none.

    Raises ConfigError where there can be none. What a share does that is away for now is an OSError.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError, PermissionError) as exc:
        raise ConfigError(f"paths.{key} {path} cannot be a folder: {exc.strerror}; name another") from exc
