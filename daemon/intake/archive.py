"""The archive: where a video goes when its task is over and its last result delivered."""

import errno
import os
from pathlib import Path

from daemon.core.naming import archive_name
from daemon.durable import make_folder, sync_folders


def archive(spooled: Path, state: Path, student: str, task_id: int, filename: str) -> Path:
    """Move a video to `<state>/archive/<student>/`, durably, and return where it is.

    Doing it again is fine. Raises FileNotFoundError when the video is in neither place, and OSError.
    """
    target = state / "archive" / archive_name(student, task_id, filename)
    make_folder(target.parent)
    if not os.path.lexists(spooled):
        if not os.path.lexists(target):
            raise FileNotFoundError(
                errno.ENOENT, "the video is neither in the spool nor in the archive", os.fsencode(spooled)
            )
        return target
    spooled.rename(target)
    sync_folders([target.parent, spooled.parent])
    return target
