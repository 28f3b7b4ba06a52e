"""A backup: one tar file with a copy of the live database and of the files that the copy names.

1. The copy is made by SQLite itself, while the daemon works on. What it names is copied after it: a
   video that has moved to the archive by then is taken from there.
2. The videos of open tasks are always part of it, so that a restored class goes on.
3. The tar appears under its name when it is whole, durable, and was read again against its own digests.
4. If a student is forgotten meanwhile there is no backup: it would keep them. Where a backup was written is
   noted in the state folder, so that `forget` finds who is in it.

Models, logs and caches are left out: they can be fetched or are written anew.
"""

import contextlib
import hashlib
import io
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from glob import escape
from pathlib import Path
from typing import BinaryIO, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from daemon.config.sections import PathSettings
from daemon.core.errors import BackupError, StoreError
from daemon.core.keeping.chain import FORGET
from daemon.core.keeping.traces import Traces
from daemon.core.tasks.task import FINAL
from daemon.core.timestamps import to_iso
from daemon.intake.places import ClaimPaths
from daemon.store.claims import still_open
from daemon.store.database import PUT_BACK, Database, border
from daemon.store.models import AuditRow, TaskRow
from daemon.store.opening import connect
from daemon.store.search import search
from daemon.system.durable import whole_file
from daemon.system.shelves import folder_of
from daemon.system.state_folder import DATABASE

SPOOL, ARCHIVE, REJECTED, CALIBRATIONS = "spool", "archive", "rejected", "calibrations"
FOLDERS = (SPOOL, ARCHIVE, REJECTED, CALIBRATIONS)
_MANIFEST = "backup.json"
_NOTES = "backups.txt"
_FORMAT = 1
_FINAL = tuple(status.value for status in FINAL)


class BackupFile(BaseModel):
    """A file of a backup: its path below the state folder."""

    model_config = ConfigDict(frozen=True)

    path: str
    size: int
    sha256: str


class BackupManifest(BaseModel):
    """What a backup holds. `state` is the folder that it was made of, `videos` whether all are in it."""

    model_config = ConfigDict(frozen=True)

    format: int = _FORMAT
    program: str
    made_at: str
    state: str
    videos: bool
    files: tuple[BackupFile, ...]


def back_up(state: Path, file: Path, *, videos: bool, program: str, now: float) -> BackupManifest:
    """Write a backup of a state folder to `file`. Without `videos`, those of finished tasks are left out.

    Raises BackupError, and StoreError if the database cannot be read.
    """
    state, file = state.absolute(), file.absolute()
    if file.exists():
        raise BackupError(f"{file} is there already; name another file")
    partial = file.with_name(file.name + ".partial")
    try:
        _note(state, file)
        with whole_file(file, 0o600) as out:
            with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
                files = tuple(_write(tar, state, file, videos=videos))
                manifest = BackupManifest(
                    program=program, made_at=to_iso(now), state=str(state), videos=videos, files=files
                )
                _add(tar, _MANIFEST, io.BytesIO(manifest.model_dump_json(indent=2).encode()))
            out.flush()
            read_again(partial)
    except OSError as exc:
        partial.unlink(missing_ok=True)
        told = f"{file} cannot be written: {exc.strerror}"
        raise BackupError(f"{told}; name another file, or free space there") from exc
    except BaseException:  # an unfinished one holds the class, and nobody would find it
        partial.unlink(missing_ok=True)
        raise
    return manifest


def _note(state: Path, file: Path) -> None:
    notes = state / _NOTES
    try:
        with open(notes, "ab") as lines:
            lines.write(os.fsencode(file) + b"\n")
            os.fsync(lines.fileno())
    except PermissionError as exc:
        raise BackupError(f"you may not note it in {notes}; run it as root or the daemon's account") from exc
    if os.geteuid() == 0:  # the daemon reads it
        owner = state.stat()
        os.chown(notes, owner.st_uid, owner.st_gid)


def noted(state: Path) -> list[Path]:
    """The backups of a state folder that are where they were written, and what a crash left of one. Raises
    OSError.
    """
    notes = state / _NOTES
    lines = notes.read_bytes().splitlines() if notes.exists() else []
    paths = dict.fromkeys(Path(os.fsdecode(line)) for line in lines)
    return [
        each
        for path in paths
        for each in (path, *path.parent.glob(f"{escape(path.name)}.*"))
        if _may_be_there(each)
    ]


def _may_be_there(file: Path) -> bool:
    try:
        return file.is_file()
    except PermissionError:  # a folder that the daemon may not look into
        return True


def names_student(file: Path, traces: Traces, paths: PathSettings) -> bool:
    """Whether a backup has a student. One that cannot be read may have anybody. Raises OSError."""
    with tempfile.NamedTemporaryFile(dir=paths.state, prefix=f"{_NOTES}.") as copy:
        try:
            with tarfile.open(file, "r:") as tar:
                shutil.copyfileobj(content_of(tar, DATABASE), copy)
            copy.flush()
            return bool(search(Path(copy.name), traces, [paths.inbox, paths.outbox, paths.state]).columns)
        except (tarfile.TarError, KeyError, StoreError, PermissionError):
            return True


def read_again(file: Path) -> BackupManifest:
    """Verify every byte of a backup against its manifest. Raises BackupError."""
    try:
        with tarfile.open(file, "r:") as tar:
            manifest = _manifest_of(tar)
            for each in manifest.files:
                if hashlib.file_digest(content_of(tar, each.path), "sha256").hexdigest() != each.sha256:
                    raise BackupError(f"{each.path} in {file} is damaged; use another backup")
    except OSError as exc:
        raise BackupError(f"{file} cannot be read: {exc.strerror or exc}; name another file") from exc
    except (tarfile.TarError, ValidationError, KeyError) as exc:
        raise BackupError(f"{file} is no whole backup of IntroEval; name another file") from exc
    return manifest


def content_of(tar: tarfile.TarFile, path: str) -> io.BufferedReader:
    """The content of a file of a backup. Raises KeyError if it is no regular file of it."""
    content = tar.extractfile(path)
    if content is None:
        raise KeyError(path)
    return cast("io.BufferedReader", content)


def _manifest_of(tar: tarfile.TarFile) -> BackupManifest:
    manifest = BackupManifest.model_validate_json(content_of(tar, _MANIFEST).read())
    for each in manifest.files:
        top, *inner = each.path.split("/")
        if not (each.path == DATABASE or (top in FOLDERS and inner and all(p.strip(".") for p in inner))):
            raise BackupError(f"the backup names {each.path!r}, which is no file of a state folder")
    return manifest


def _write(tar: tarfile.TarFile, state: Path, beside: Path, *, videos: bool) -> Iterator[BackupFile]:
    """Add all files; the copy of the database, made `beside` the tar, is the last. Gives what was added."""
    database = state / DATABASE
    with tempfile.NamedTemporaryFile(dir=beside.parent, prefix=f"{beside.name}.") as copy:
        with (
            connect(database, read_only=True) as live,
            border(live, "copied"),
            closing(sqlite3.connect(copy.name)) as target,
        ):
            live.connection().backup(target)
        with connect(Path(copy.name)) as copied, border(copied, "copied"):
            _verify_whole(copied)
            yield from _add_videos(tar, state, copied, videos=videos)
            yield from _add_claims(tar, state, copied)
            for folder in (REJECTED, CALIBRATIONS) if videos else (CALIBRATIONS,):
                yield from _add_loose(tar, state, folder)
            _verify_nobody_forgotten(copied, database)
        with open(copy.name, "rb") as file:
            yield _add(tar, DATABASE, file)


def _add_videos(tar: tarfile.TarFile, state: Path, copied: Database, *, videos: bool) -> Iterator[BackupFile]:
    """Add the videos that the copy names, and have it name them where they are found."""
    columns = TaskRow.id, TaskRow.file_path, TaskRow.status
    kept = TaskRow.claim_id.is_null(False) & (TaskRow.video != "gone")
    for id_, path, status in list(TaskRow.select(*columns).where(kept).tuples().execute(copied)):
        found = None
        if videos or status not in _FINAL:
            found = _added_video(tar, state, Path(path)) or _added_video(tar, state, _path_now(state, id_))
        if found is not None:
            yield found
            row = {"video": found.path.partition("/")[0], "file_path": str(state / found.path)}
        elif status in _FINAL:
            row = {"video": "gone"}
        else:  # it was missing before, and its next attempt says so
            continue
        TaskRow.update(**row).where(TaskRow.id == id_).execute(copied)


def _path_now(state: Path, id_: int) -> Path | None:
    with connect(state / DATABASE, read_only=True) as live:
        path = TaskRow.select(TaskRow.file_path).where(TaskRow.id == id_).scalar(live)
    return None if path is None else Path(path)


def _added_video(tar: tarfile.TarFile, state: Path, path: Path | None) -> BackupFile | None:
    """A video of the copy in the spool or the archive, also if the state folder had another path before."""
    if path is None:
        return None
    folder = next((name for name in (SPOOL, ARCHIVE) if name in path.parts), SPOOL)
    inner = path.parts[len(path.parts) - path.parts[::-1].index(folder) - 1 :] if folder in path.parts else ()
    try:
        return _added(tar, state, state.joinpath(*inner)) if inner else None
    except FileNotFoundError:
        return None


def _add_claims(tar: tarfile.TarFile, state: Path, copied: Database) -> Iterator[BackupFile]:
    """Add the files of claims that are no tasks yet."""
    places = ClaimPaths.below(state)
    for claim in still_open(copied):
        with contextlib.suppress(FileNotFoundError):  # it is still in the inbox, or was refused meanwhile
            yield _added(tar, state, places.target(claim))


def _add_loose(tar: tarfile.TarFile, state: Path, name: str) -> Iterator[BackupFile]:
    for path in sorted((state / name).glob("*")):
        if path.is_file():
            with contextlib.suppress(FileNotFoundError):  # its time was over meanwhile
                yield _added(tar, state, path)


def _added(tar: tarfile.TarFile, state: Path, path: Path) -> BackupFile:
    """Add a file of the state folder, following no link. Raises OSError."""
    with folder_of(path, state) as folder:
        fd = folder.open_file(os.fsencode(path.name), os.O_RDONLY | os.O_NONBLOCK)
    with open(fd, "rb") as file:
        return _add(tar, path.relative_to(state).as_posix(), file)


def _add(tar: tarfile.TarFile, name: str, file: BinaryIO) -> BackupFile:
    info = tarfile.TarInfo(name)
    info.size, info.mode = file.seek(0, os.SEEK_END), 0o640
    file.seek(0)
    reading = _Digesting(file)
    tar.addfile(info, reading)
    return BackupFile(path=name, size=info.size, sha256=reading.digest.hexdigest())


class _Digesting(io.RawIOBase):
    """Reads a file, and knows the digest of what was read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self.digest.update(chunk)
        return chunk


def _verify_nobody_forgotten(copied: Database, database: Path) -> None:
    """Raises BackupError if the copy has a student who was forgotten since."""
    with connect(database, read_only=True) as live:
        before, now = (AuditRow.select().where(AuditRow.what == FORGET).count(db) for db in (copied, live))
    if before != now:
        raise BackupError(
            "a student was forgotten while the backup was made, so it is not kept; run it again"
        )


def _verify_whole(copied: Database) -> None:
    """Raises BackupError if the database is damaged."""
    (answer,) = copied.execute_sql("PRAGMA integrity_check(1)").fetchone()
    if answer != "ok":
        raise BackupError(f"the database is damaged ({answer}), so there is no backup of it; {PUT_BACK}")
