"""The state folder: the name of its database, and its one owner; and the making of the folders beside it."""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from daemon.core.errors import AlreadyRunning, ConfigError

DATABASE = "introeval.db"
DECISIONS = "decisions.jsonl"
_PRIVATE_UMASK = 0o027


@contextlib.contextmanager
def owned(state: Path) -> Iterator[None]:
    """Own the state folder for as long as the context lasts. Raises AlreadyRunning, ConfigError."""
    make_folder("state", state)
    _shut_others_out(state)
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


def _shut_others_out(state: Path) -> None:
    """Take the state folder from others, where an earlier version has left it open to them."""
    mode = stat.S_IMODE(state.stat().st_mode)
    if mode & 0o007:
        with contextlib.suppress(
            PermissionError
        ):  # another user's: what we write there is private all the same
            state.chmod(mode & ~0o007)


def write_privately() -> None:
    """Let nobody but this user and its group read what this process writes from now on. What others are to
    read gets its permissions explicitly.
    """
    os.umask(os.umask(_PRIVATE_UMASK) | _PRIVATE_UMASK)


def make_folder(key: str, path: Path, mode: int = 0o750) -> None:
    """Make the folder of `paths.<key>` if there is none, with this mode.

    Raises ConfigError where there can be none. What a share does that is away for now is an OSError.
    """
    try:
        if not path.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(mode)
    except (FileExistsError, NotADirectoryError, PermissionError) as exc:
        raise ConfigError(f"paths.{key} {path} cannot be a folder: {exc.strerror}; name another") from exc
