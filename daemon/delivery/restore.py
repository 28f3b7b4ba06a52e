"""Restoring a backup into an empty state folder.

All files are verified, written to a folder of their own, and renamed to their places, the database last:
until then there is no state that a daemon could start on. One that was interrupted is made again.
"""

import os
import shutil
import tarfile
from pathlib import Path

from daemon.core.errors import BackupError
from daemon.delivery.backup import FOLDERS, BackupManifest, content_of, read_again
from daemon.store import schema
from daemon.store.database import Database, writes
from daemon.store.models import TaskRow
from daemon.store.opening import connect
from daemon.system.durable import make_folder, sync_folder
from daemon.system.state_folder import DATABASE

_UNDER_WAY = ".restoring"


def restore(file: Path, state: Path) -> BackupManifest:
    """Put a backup into a state folder, which the caller owns. Raises BackupError, StoreError."""
    state = state.absolute()
    manifest = read_again(file)
    _verify_empty(state)
    staged = state / _UNDER_WAY
    try:
        _write(file, manifest, staged)
        with connect(staged / DATABASE) as db:
            schema.check_not_newer(db, file)
            _name_anew(db, Path(manifest.state), state)
        for name in (*FOLDERS, DATABASE):
            if (staged / name).exists():
                os.rename(staged / name, state / name)
        sync_folder(state)
        shutil.rmtree(staged)
    except OSError as exc:
        told = f"{file} cannot be restored to {state}: {exc.strerror}"
        raise BackupError(f"{told}; free space or fix its rights, and run it again") from exc
    return manifest


def _verify_empty(state: Path) -> None:
    """Clear empty folders and what an interrupted restore left. Raises BackupError if more is there."""
    there = state / DATABASE
    if there.exists():
        raise BackupError(f"{there} is there: a backup is never put over it; name an empty state folder")
    if (state / _UNDER_WAY).exists():
        for name in (*FOLDERS, _UNDER_WAY):
            shutil.rmtree(state / name, ignore_errors=True)
    for name in FOLDERS:
        if next((path for path in (state / name).rglob("*") if not path.is_dir()), None) is not None:
            raise BackupError(
                f"{state / name} holds files: a backup is never mixed with them; move them away"
            )
        shutil.rmtree(state / name, ignore_errors=True)


def _write(file: Path, manifest: BackupManifest, staged: Path) -> None:
    with tarfile.open(file, "r:") as tar:
        for each in manifest.files:
            path = staged / each.path
            make_folder(path.parent)
            with content_of(tar, each.path) as content, open(path, "xb") as copy:
                shutil.copyfileobj(content, copy)
                copy.flush()
                os.fsync(copy.fileno())
            sync_folder(path.parent)


@writes
def _name_anew(db: Database, before: Path, now: Path) -> None:
    """Have the tasks name their videos in the folder where they are now."""
    for id_, path in list(TaskRow.select(TaskRow.id, TaskRow.file_path).tuples().execute(db)):
        if Path(path).is_relative_to(before):
            moved = str(now / Path(path).relative_to(before))
            TaskRow.update(file_path=moved).where(TaskRow.id == id_).execute(db)
