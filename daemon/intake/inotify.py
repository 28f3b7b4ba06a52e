"""The check that the kernel still watches a folder for us.

When a watched folder is removed, or its file system unmounted, watchfiles does not report that the kernel has
dropped the watch; and the next folder there may have the same inode and device. The list of watches in
/proc/self/fdinfo (proc(5)) shows it.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

_FDS = Path("/proc/self/fd")
_FDINFO = Path("/proc/self/fdinfo")
_LINE = re.compile(r"^inotify (wd:\S+ ino:([0-9a-f]+)) ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class InotifyWatch:
    """A watch of one of our inotify instances. Its number is not used again."""

    fdinfo: Path
    name: str

    def stands(self) -> bool:
        """Whether the kernel still has the watch."""
        return any(name == self.name for name, _ in _watches(self.fdinfo))


def find_watch(folder: Path) -> InotifyWatch | None:
    """The watch of a folder; None if it can't be found: without /proc, or on an overlay file system."""
    try:
        inode = folder.stat().st_ino
        descriptors = [fd for fd in os.listdir(_FDS) if _is_inotify(fd)]
    except OSError:
        return None
    for fd in sorted(descriptors, key=int, reverse=True):  # newest first
        for name, watched in _watches(_FDINFO / fd):
            if int(watched, 16) == inode:
                return InotifyWatch(_FDINFO / fd, name)
    return None


def _is_inotify(fd: str) -> bool:
    try:
        return os.readlink(_FDS / fd) == "anon_inode:inotify"
    except OSError:
        return False  # closed meanwhile


def _watches(fdinfo: Path) -> list[tuple[str, str]]:
    try:
        return [(match[1], match[2]) for match in _LINE.finditer(fdinfo.read_text())]
    except OSError:
        return []
