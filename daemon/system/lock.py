"""An engine's lock file, held by its process for as long as it lives.

A free lock proves that the engine is gone, even if the daemon that started it was killed.
"""

import asyncio
import errno
import fcntl
import os
import signal
import time
from pathlib import Path
from typing import BinaryIO

from daemon.core.errors import EngineError

_LOCK_S = 1.0  # `holder` of another process takes a lock for an instant


def taken(lock: Path) -> BinaryIO | None:
    """Take a lock. Returns the file, which holds it while open; None when another process has the lock."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    held = lock.open("a+b")
    deadline = time.monotonic() + _LOCK_S
    while not _locked(held):
        if time.monotonic() > deadline:
            held.close()
            return None
        time.sleep(0.01)
    held.truncate(0)
    held.write(str(os.getpid()).encode())
    held.flush()
    return held


def holder(lock: Path) -> int | None:
    """The id of the process that holds an engine's lock; None if it is free, and the engine gone."""
    try:
        with lock.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as exc:
                if exc.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    raise
                return int(file.read() or b"0")
    except FileNotFoundError:
        pass
    return None


async def gone(lock: Path, *, kill_after_s: float = 2.0, timeout_s: float = 20.0) -> None:
    """Wait until an engine's lock is free; kill its holder after `kill_after_s`.

    Raises EngineError, which names the process, when it is still held after `timeout_s`.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    killed = False
    while (pid := holder(lock)) is not None:
        waited = loop.time() - began
        if waited > timeout_s:
            raise EngineError(
                f"process {pid} still holds {lock.name} after {timeout_s:.0f} s; end it by hand"
            )
        if waited > kill_after_s and pid and not killed:
            killed = True
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        await asyncio.sleep(0.02)


def _locked(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
