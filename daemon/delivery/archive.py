"""The archive: the folder of videos whose task is over and whose last result was delivered.

Nothing in it is ever replaced. After a database was lost, or an older copy restored, ids begin again, and a
new video may get the name of an old one: the old one then keeps the name.
"""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from daemon.core.intake.naming import archive_name
from daemon.core.tasks.task import Task
from daemon.intake.files import Files
from daemon.system.folder import Entry, Folder
from daemon.system.shelves import folder_of

_MOST_NAMES = 1000
_FILES = Files()


def archive(task: Task, state: Path) -> Path:
    """Move the video of a task to `<state>/archive/<student>/`, durably. Returns where it is.

    If another file has its name, the video gets a number, as in `0001-intro.2.mp4`. After a crash it can be
    called again: a file with the task's SHA-256 is its video. A video that is too large to be copied to
    another disk stays where it is. Raises FileNotFoundError when it is in neither place, and OSError.
    """
    names = _names(task)
    with folder_of(Path(task.path), state) as source, _shelf_of(state, task.student) as target:
        name = os.fsencode(Path(task.path).name)
        spooled = source.stat(name)
        for new in names:
            there = target.stat(new)
            if there is None and spooled is None:
                break
            if there is None:
                if not _moved(task, Entry(source, name), Entry(target, new)):
                    return Path(task.path)
            elif not _is_video_of(task, Entry(target, new), there, spooled):
                continue
            # The target is synced first, so that after a power cut the file has at least one name.
            target.sync()
            source.unlink(name)  # still there after a copy, or if a crash left both names
            source.sync()
            return Path(os.fsdecode(target.path)) / os.fsdecode(new)
    raise FileNotFoundError(errno.ENOENT, "the video is neither in the spool nor in the archive", task.path)


def has_own_name(task: Task, path: Path) -> bool:
    """Whether an archived video has its task's own name, without a number."""
    return os.fsencode(path.name) == next(_names(task))


def _shelf_of(state: Path, student: str) -> Folder:
    """Open a student's folder in the archive, and create it if it is missing. Raises OSError."""
    with Folder.open(state) as root, root.make(b"archive") as shelves:
        return shelves.make(os.fsencode(student))


def _names(task: Task) -> Iterator[bytes]:
    plain = PurePosixPath(archive_name(task.student, task.id, task.filename))
    yield os.fsencode(plain.name)
    for number in range(2, _MOST_NAMES):
        yield os.fsencode(f"{plain.stem}.{number}{plain.suffix}")


def _is_video_of(task: Task, target: Entry, found: os.stat_result, spooled: os.stat_result | None) -> bool:
    if spooled is not None and os.path.samestat(found, spooled):
        return True
    if not (stat.S_ISREG(found.st_mode) and found.st_size == task.size_bytes):
        return False
    if not task.sha256:  # too large to be read: it is the task's if the spool has it no more
        return spooled is None
    return _FILES.digest(target, _never).sha256 == task.sha256


def _moved(task: Task, source: Entry, target: Entry) -> bool:
    """Move a video. False if it is too large to be read, and would have to be copied to another disk."""
    try:
        _FILES.link(source, target)
    except OSError as exc:
        if exc.errno != errno.EXDEV:
            raise
        if not task.sha256:
            return False
        _FILES.copy(source, target, _never)
    return True


def _never() -> bool:
    return False
