"""The owner of a process, and the descendants of processes. NVML gives PIDs of the host."""

import os
import pwd
from collections.abc import Collection
from pathlib import Path

_PROC = Path("/proc")
_HOST_PIDS = "pid:[4026531836]"  # the initial namespace of every kernel (PROC_PID_INIT_INO)
UNKNOWN = "?"


def sees_host_pids(proc: Path = _PROC) -> bool:
    """Whether a PID of the host means the same process here; not so in a container with its own PIDs."""
    try:
        return os.readlink(proc / "self" / "ns" / "pid") == _HOST_PIDS
    except OSError:
        return False


def owner_of(pid: int) -> tuple[str, str]:
    """User and name of a process of the host; `?` for each that is not visible from here."""
    if not sees_host_pids():
        return UNKNOWN, UNKNOWN
    folder = _PROC / str(pid)
    try:
        uid = folder.stat().st_uid
        name = (folder / "comm").read_text(errors="replace").strip()
    except OSError:
        return UNKNOWN, UNKNOWN  # it has just ended, or is hidden from us
    # The name is chosen by whoever starts the process, and is shown on a terminal.
    shown = "".join(c if c.isprintable() else UNKNOWN for c in name) or UNKNOWN
    try:
        return pwd.getpwuid(uid).pw_name, shown
    except KeyError:
        return str(uid), shown


def descends_from(pid: int, roots: Collection[int]) -> bool:
    """Whether a process is one of `roots` or a descendant of one."""
    seen: set[int] = set()
    while pid > 1 and pid not in seen:
        if pid in roots:
            return True
        seen.add(pid)
        pid = _parent(pid)
    return False


def _parent(pid: int) -> int:
    """The parent's PID; 0 when it is not known (proc(5): the 2nd field after the name)."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[1])
