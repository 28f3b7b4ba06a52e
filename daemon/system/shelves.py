"""Files of the state folder that are kept for a time: how to find them, and delete them following no link."""

import contextlib
import os
import stat
from pathlib import Path

from daemon.system.folder import Folder
from daemon.system.state_folder import DATABASE

COPY_PREFIX = f"{DATABASE}.before-".encode()
"""The prefix of the copies of the database that are made before an update."""
_OF_CLAIMS = (b"rejected", b"received")
_CLAIM_LENGTH = 20  # a refused file's name begins with its claim's id


def folder_of(path: Path, root: Path) -> Folder:
    """Open the folder of a file, following no link below `root`. Raises OSError."""
    try:
        inner = path.parent.relative_to(root)
    except ValueError:  # the root had another path when the file's was stored
        return Folder.open(path.parent)
    with Folder.open(root) as opened:
        return opened.below(map(os.fsencode, inner.parts))


def loose_files(state: Path) -> list[bytes]:
    """Refused files, packages, rosters and copies of the database, as paths below the state folder. Raises
    OSError.
    """
    with Folder.open(state) as root:
        found = [name for name in root.names() if name.startswith(COPY_PREFIX)]
        for shelf in _OF_CLAIMS:
            with contextlib.suppress(FileNotFoundError), root.inner(shelf) as folder:
                found += [shelf + b"/" + name for name in folder.names() if not _is_folder(folder, name)]
    return found


def claim_of(name: bytes) -> str:
    """The claim id in the path or name of a spooled or refused file."""
    return name.rpartition(b"/")[2][:_CLAIM_LENGTH].decode(errors="replace")


def remove_file(path: Path, root: Path) -> bool:
    """Delete a file below `root`, durably. Returns whether there was one: none is found in a folder that was
    replaced by a link. Raises OSError.
    """
    try:
        folder = folder_of(path, root)
    except (FileNotFoundError, NotADirectoryError):
        return False
    with folder:
        there = folder.unlink(os.fsencode(path.name))
        folder.sync()
    return there


def remove_all(folder: Folder, name: bytes) -> int:
    """Delete an entry and everything in it, durably. Returns the number of files. Raises OSError."""
    removed = 0
    if _is_folder(folder, name):
        with folder.inner(name) as inner:
            removed = sum(remove_all(inner, each) for each in inner.names())
        folder.rmdir(name)
    else:
        removed += folder.unlink(name)
    folder.sync()
    return removed


def _is_folder(folder: Folder, name: bytes) -> bool:
    found = folder.stat(name)
    return found is not None and stat.S_ISDIR(found.st_mode)
