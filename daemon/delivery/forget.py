"""Forgetting a student: every video, transcript and result, in the database, the state folder and the outbox.

Copies of the database made before updates contain every student, and are deleted as well; so is the key of
the log's pseudonyms. A search for what is left follows, so that the deletion is proved.
"""

import asyncio
import json
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from daemon.config.sections import PathSettings
from daemon.contracts.signal import Signal
from daemon.contracts.wire.base import Forgotten
from daemon.core.errors import CannotForget, PlaceError, UnknownStudent
from daemon.core.intake.naming import is_safe, outbox_folder, printable
from daemon.core.keeping.traces import Traces, is_reason_of
from daemon.delivery import forget_proof
from daemon.monitoring.events import Events
from daemon.monitoring.pseudonyms import KEY_FILE
from daemon.monitoring.record import Record
from daemon.store import audit
from daemon.store.database import Database, overwrite
from daemon.store.forgetting import StudentRecords, forget, kept_of
from daemon.store.session import Session
from daemon.system.folder import Folder
from daemon.system.place import Place
from daemon.system.shelves import COPY_PREFIX, claim_of, remove_all, remove_file

_REFUSED, _MOST_BYTES = b"_rejected", 100_000
_OF_CLAIMS = (b"spool", b"rejected", b"received", b"unpacked")


@dataclass(frozen=True, slots=True)
class Deleted:
    """The numbers of deleted files of the student and of deleted copies of the database."""

    files: int
    copies: int


class Forgetting:
    """Forgets students in a running daemon. While it holds `still`, nothing is delivered or archived.

    `forgotten` signals the ids of tasks that were deleted.
    """

    def __init__(
        self,
        session: Session,
        record: Record,
        events: Events,
        still: asyncio.Lock,
        paths: PathSettings,
        outbox: Place,
        clock: Callable[[], float],
    ) -> None:
        self._session, self._record, self._events, self._still = session, record, events, still
        self._paths, self._outbox, self._clock = paths, outbox, clock
        self.forgotten = Signal[[Sequence[int]]]()

    async def __call__(self, student: str, actor: str | None = None) -> Forgotten:
        """Delete everything of a student, the files first: after a crash in between it can be asked again.

        Raises UnknownStudent, IllegalTransition while a task is open, CannotForget, StoreError.
        """
        async with self._still:
            kept = await self._session(look_up, student, self._paths)
            deleted = await asyncio.to_thread(delete_files, kept, self._paths, self._outbox)
            await self._record.forget(kept.traces)
            await self._session(forget_rows, kept, deleted, self._paths, at=self._clock(), actor=actor)
            self.forgotten(kept.tasks)
            # `still` is held: a stop waits for the last delivery, and so for this answer.
            forgotten = await asyncio.to_thread(proved, kept, deleted, self._paths)
        told = f"a student is forgotten: {len(kept.tasks)} tasks, {deleted.files} files"
        self._events.add("order", told, actor=None if actor == student else actor)
        return forgotten


def look_up(db: Database, student: str, paths: PathSettings) -> StudentRecords:
    """The records of a student; empty for one unknown to the database, who can have files all the same.

    Raises UnknownStudent if it is no student's id, IllegalTransition while a task is open, StoreError.
    """
    try:
        return kept_of(db, student, paths.inbox)
    except UnknownStudent:
        if is_safe(student):
            return StudentRecords(student, Traces(student), frozenset())
        raise


def forget_rows(
    db: Database,
    kept: StudentRecords,
    deleted: Deleted,
    paths: PathSettings,
    *,
    at: float,
    actor: str | None,
) -> None:
    """Delete the student from the database, if it has records, and overwrite what was deleted from it.
    `actor` has ordered it.

    Raises as `look_up`.
    """
    if kept.known:
        forget(db, kept.student, paths.inbox, at=at, actor=actor)
        return
    if deleted.files:
        audit.forget(db, kept.traces, (), at=at, actor=actor)
    overwrite(db)


def delete_files(kept: StudentRecords, paths: PathSettings, outbox: Place) -> Deleted:
    """Delete the files of a student, and every copy of the database if it has the student.

    Raises CannotForget, also while the outbox is away, whose files would stay.
    """
    try:
        with outbox.open() as opened:
            return _delete_files(kept, paths, opened)
    except PlaceError as exc:
        raise CannotForget(str(exc)) from exc
    except OSError as exc:
        path = printable(os.fsdecode(exc.filename)) if exc.filename else "a file"
        raise CannotForget(f"{path} cannot be deleted: {exc.strerror}; fix that and try again") from exc


def proved(kept: StudentRecords, deleted: Deleted, paths: PathSettings) -> Forgotten:
    """Search for what is left, and give the answer, with the places that still name the student.

    Raises UnknownStudent if nothing was kept, CannotForget if the search fails, StoreError.
    """
    try:
        left = forget_proof.find(kept.traces, paths)
    except OSError as exc:
        told = f"the student is deleted, but {exc.filename!r} cannot be searched: {exc.strerror}"
        raise CannotForget(f"{told}; fix that and forget again") from exc
    if not (kept.known or deleted.files or left):
        raise UnknownStudent(f"nothing is kept of a student {kept.student!r}; run: introeval tasks")
    return Forgotten(
        student=kept.student,
        tasks=len(kept.tasks),
        files=deleted.files,
        copies=deleted.copies,
        left=left,
    )


def _delete_files(kept: StudentRecords, paths: PathSettings, outbox: Folder) -> Deleted:
    files = sum(remove_file(path, paths.state) for path in kept.videos)
    if kept.known:
        remove_file(paths.state / KEY_FILE, paths.state)
    files += sum(remove_file(paths.outbox / name, paths.outbox) for name in kept.documents)
    copies = 0
    student = os.fsencode(kept.student)
    folders = {os.fsencode(outbox_folder(kept.student))}
    if not student.endswith(b"_"):  # such a folder may be another student's; earlier versions named it so
        folders.add(student)
    with Folder.open(paths.state) as state:
        for name in state.names() if kept.known else ():
            if name.startswith(COPY_PREFIX):
                copies += remove_all(state, name)
        for name in _OF_CLAIMS:
            files += _remove_those_of(state, name, frozenset((*kept.claims, *kept.deposits)))
        files += sum(remove_all(outbox, folder) for folder in folders)
        files += _remove_reasons(outbox, kept)
        if state.stat(b"archive") is not None:
            with state.inner(b"archive") as archive:
                files += remove_all(archive, student)
    return Deleted(files, copies)


def _remove_reasons(outbox: Folder, kept: StudentRecords) -> int:
    """Delete the reasons whose rows have gone before, with the refused files. Gives their number."""
    if outbox.stat(_REFUSED) is None:
        return 0
    with outbox.inner(_REFUSED) as folder:
        mine = [name for name in folder.names() if _tells_of(folder, name, kept)]
        return sum(remove_all(folder, name) for name in mine)


def _tells_of(folder: Folder, name: bytes, kept: StudentRecords) -> bool:
    found = folder.stat(name)
    if not name.endswith(b".reason.json") or found is None or not stat.S_ISREG(found.st_mode):
        return False
    with open(folder.open_file(name, os.O_RDONLY), "rb") as file:
        try:
            said = json.loads(file.read(_MOST_BYTES))
        except ValueError:  # another program's
            return False
    return isinstance(said, dict) and is_reason_of(said, kept.student, kept.alike)


def _remove_those_of(state: Folder, name: bytes, claims: frozenset[str]) -> int:
    """Delete the files of these claims in a folder of the state folder. Gives their number."""
    if state.stat(name) is None:
        return 0
    with state.inner(name) as folder:
        mine = [each for each in folder.names() if claim_of(each) in claims]
        return sum(remove_all(folder, each) for each in mine)
