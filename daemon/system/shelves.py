"""The files of the state folder that are kept for a time: found, and deleted without following a link."""

import contextlib
import os
import stat
from pathlib import Path

from daemon.system.folder import Folder
from daemon.system.state_folder import DATABASE

COPY_PREFIX = f"{DATABASE}.before-".encode()
"""How the names of the copies begin that are made of the database before an update changes it."""
REJECTED = b"rejected"
_CLAIM_LENGTH = 20  # a refused file's name begins with its claim's id


def folder_of(path: Path, root: Path) -> Folder:
    """Open the folder of a file. Below `root` no link is followed. Raises OSError."""
    try:
        inner = path.parent.relative_to(root)
    except ValueError:  # the root had another path when the database was told of the file
        return Folder.open(path.parent)
    with Folder.open(root) as opened:
        return opened.below(map(os.fsencode, inner.parts))


def loose_files(state: Path) -> list[bytes]:
    """The refused files and the copies of the database, as paths below the state folder. Raises OSError."""
    with Folder.open(state) as root:
        found = [name for name in root.names() if name.startswith(COPY_PREFIX)]
        with contextlib.suppress(FileNotFoundError), root.inner(REJECTED) as rejected:
            found += [REJECTED + b"/" + name for name in rejected.names() if not _is_folder(rejected, name)]
    return found


def claim_of(name: bytes) -> str:
    """The id of the claim that a file of the spool or a refused one is of, by its path or name."""
    return name.rpartition(b"/")[2][:_CLAIM_LENGTH].decode(errors="replace")


def remove_file(path: Path, root: Path) -> bool:
    """Delete a file below `root`, durably. Whether there was one: where a link stands in place of its folder
    there is none. Raises OSError.
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
    """Delete an entry with all that is in it, durably. How many files there were. Raises OSError."""
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
