"""The archive: where a video goes when its task is over and its last result delivered."""

import errno
import os
from pathlib import Path

from daemon.core.naming import archive_name
from daemon.durable import make_folder, sync_folders
from daemon.intake.files import Files


def archive(
    spooled: Path, state: Path, student: str, task_id: int, filename: str, *, files: Files | None = None
) -> Path:
    """Move a video to `<state>/archive/<student>/`, durably, and return where it is.

    Doing it again is fine. Raises FileNotFoundError when the video is in neither place, and OSError.
    """
    files = files or Files()
    target = state / "archive" / archive_name(student, task_id, filename)
    source_path, target_path = os.fsencode(spooled), os.fsencode(target)
    make_folder(target.parent)
    if files.lstat(source_path) is None:
        if files.lstat(target_path) is None:
            raise FileNotFoundError(
                errno.ENOENT, "the video is neither in the spool nor in the archive", source_path
            )
        return target
    try:
        files.rename(source_path, target_path)
    except OSError as exc:
        if exc.errno != errno.EXDEV:
            raise
        files.copy(source_path, target_path)
        sync_folders([target.parent])
        files.unlink(source_path)
    sync_folders([target.parent, spooled.parent])
    return target
