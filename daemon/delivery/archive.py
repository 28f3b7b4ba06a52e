"""The archive: where a video goes when its task is over and its last result delivered.

Nothing in it is ever replaced. With a database that was lost, or an older one that was put back, ids begin
again, and the name of a new video may be that of an old one: then the old one keeps it.
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
    """Move the video of a task to `<state>/archive/<student>/`, durably, and return where it is.

    A name that another file has stays that file's: the video gets a number in its own, as in
    `0001-intro.2.mp4`. Doing it again is fine: a file of the task's SHA-256 is its video. Raises
    FileNotFoundError when the video is in neither place, and OSError.
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
            elif not _is_video_of(task, Entry(target, new), there, spooled=spooled is not None):
                continue
            # The folder that received goes first: after a power cut the file has one name at least.
            target.sync()
            source.unlink(name)  # after a copy, or where a crash left both names
            source.sync()
            return Path(os.fsdecode(target.path)) / os.fsdecode(new)
    raise FileNotFoundError(errno.ENOENT, "the video is neither in the spool nor in the archive", task.path)


def has_own_name(task: Task, path: Path) -> bool:
    """Whether a video lies in the archive under the name that is its task's, and not beside another file."""
    return os.fsencode(path.name) == next(_names(task))


def _shelf_of(state: Path, student: str) -> Folder:
    """Open the folder of a student in the archive, made where there is none. Raises OSError."""
    with Folder.open(state) as root, root.make(b"archive") as shelves:
        return shelves.make(os.fsencode(student))


def _names(task: Task) -> Iterator[bytes]:
    plain = PurePosixPath(archive_name(task.student, task.id, task.filename))
    yield os.fsencode(plain.name)
    for number in range(2, _MOST_NAMES):
        yield os.fsencode(f"{plain.stem}.{number}{plain.suffix}")


def _is_video_of(task: Task, target: Entry, found: os.stat_result, *, spooled: bool) -> bool:
    if not (stat.S_ISREG(found.st_mode) and found.st_size == task.size_bytes):
        return False
    if not task.sha256:  # too large to be read: it is ours if it is not in the spool any more
        return not spooled
    return _FILES.digest(target, _never).sha256 == task.sha256


def _moved(task: Task, source: Entry, target: Entry) -> bool:
    """Move a video. Whether it was moved: what is too large to be read is not copied to another disk."""
    try:
        _FILES.rename(source, target)
    except OSError as exc:
        if exc.errno != errno.EXDEV:
            raise
        if not task.sha256:
            return False
        _FILES.copy(source, target, _never)
    return True


def _never() -> bool:
    return False
