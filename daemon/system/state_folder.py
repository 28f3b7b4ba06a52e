"""The state folder: names of files, its one owner, permissions. And the creation of configured folders."""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from daemon.core.errors import AlreadyRunning, ConfigError

DATABASE = "introeval.db"
DECISIONS = "decisions.jsonl"
CONTAINERS = "containers.json"  # as they were before the takeover
EVENTS = "events.jsonl"  # of earlier versions
_DAEMON = "a daemon"
_PRIVATE_UMASK = 0o027


@contextlib.contextmanager
def owned(state: Path, *, by: str = _DAEMON) -> Iterator[int]:
    """Own the state folder until the end of the context; `by` names the owner to others who try.

    Gives the descriptor that holds the lock: a child that inherits it owns the folder, too. Raises
    AlreadyRunning, ConfigError.
    """
    make_folder("state", state)
    _shut_others_out(state)
    with (state / "daemon.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            pid, _, owner = file.read().strip().partition(" ")
            told = f"{owner or _DAEMON} (process {pid or 'unknown'}) runs on {state} already"
            other = "wait until it has ended" if owner not in ("", _DAEMON) else "run: introeval status"
            raise AlreadyRunning(f"{told}; {other}, or name another state folder") from None
        file.truncate(0)
        file.write(f"{os.getpid()} {by}")
        file.flush()
        yield file.fileno()


def _shut_others_out(state: Path) -> None:
    """Take away others' permissions on a state folder that an earlier version has left open to them."""
    mode = stat.S_IMODE(state.stat().st_mode)
    if mode & 0o007:
        with contextlib.suppress(PermissionError):  # another user's; the files that we write are private
            state.chmod(mode & ~0o007)


def write_privately() -> None:
    """Set the umask so that only this user and its group can read what this process writes. Files for others
    get their permissions explicitly.
    """
    os.umask(os.umask(_PRIVATE_UMASK) | _PRIVATE_UMASK)


def make_folder(key: str, path: Path, mode: int = 0o750) -> None:
    """Create the folder of `paths.<key>` with this mode, if it is missing.

    Raises ConfigError if it can't exist there, and OSError for what may pass, as a share that is away.
    """
    try:
        if not path.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(mode)
    except (FileExistsError, NotADirectoryError, PermissionError) as exc:
        raise ConfigError(f"paths.{key} {path} cannot be a folder: {exc.strerror}; name another") from exc
