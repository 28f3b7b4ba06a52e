"""Forgetting a student: every video, transcript and result, in the database, the state folder and the outbox.

Copies of the database that were made before updates hold every student, and go as well. What is deleted is
searched for afterwards, so that nobody has to take it on trust.
"""

import asyncio
import os
from dataclasses import dataclass

from daemon.config.sections import PathSettings
from daemon.contracts.wire.base import Forgotten
from daemon.core.errors import IntroEvalError, PlaceError, UnknownStudent
from daemon.core.intake.naming import is_safe, printable
from daemon.core.keeping.traces import Traces
from daemon.delivery import forget_proof
from daemon.monitoring.events import Events
from daemon.store.database import Database
from daemon.store.forgetting import StudentRecords, forget, kept_of
from daemon.store.session import Session
from daemon.system.folder import Folder
from daemon.system.place import Place
from daemon.system.shelves import COPY_PREFIX, claim_of, remove_all, remove_file

_OF_CLAIMS = (b"spool", b"rejected")


class CannotForget(IntroEvalError):
    """A file of the student could not be deleted, or not be searched. Asking again goes on with it."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """How many files of the student were deleted, and how many copies of the database."""

    files: int
    copies: int


class Forgetting:
    """Deletes for a running daemon. While `still` is held nothing is delivered or archived."""

    def __init__(
        self, session: Session, events: Events, still: asyncio.Lock, paths: PathSettings, outbox: Place
    ) -> None:
        self._session, self._events, self._still, self._paths, self._outbox = (
            session,
            events,
            still,
            paths,
            outbox,
        )

    async def __call__(self, student: str) -> Forgotten:
        """Delete all of a student, the files first: a crash in between leaves what is asked for again.

        Raises UnknownStudent, IllegalTransition while a task is open, CannotForget, StoreError.
        """
        events = self._events
        async with self._still:
            kept = await self._session(look_up, student, self._paths)
            deleted = await asyncio.to_thread(delete_files, kept, self._paths, self._outbox)
            try:
                await self._session(forget_rows, kept, self._paths)
            finally:
                events.forget(student)
            # Still held: a stop waits for the last delivery, and so for the answer.
            forgotten = await asyncio.to_thread(proved, kept, deleted, self._paths)
        events.add("order", f"a student is forgotten: {len(kept.tasks)} tasks, {deleted.files} files")
        return forgotten


def look_up(db: Database, student: str, paths: PathSettings) -> StudentRecords:
    """What is kept of a student. Of one whom the database does not know there may be files all the same.

    Raises UnknownStudent for what is no student's id, IllegalTransition while a task is open, StoreError.
    """
    try:
        return kept_of(db, student, paths.inbox)
    except UnknownStudent:
        if is_safe(student):
            return StudentRecords(student, Traces(student))
        raise


def forget_rows(db: Database, kept: StudentRecords, paths: PathSettings) -> None:
    """Delete what the database knows of a student, if it knows anything. Raises as `look_up`."""
    if kept.known:
        forget(db, kept.student, paths.inbox)


def delete_files(kept: StudentRecords, paths: PathSettings, outbox: Place) -> Deleted:
    """Delete the files of a student, and every copy of a database that knows them.

    Raises CannotForget, also while the outbox is away: what lies there would stay.
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
    """The answer, with where the student is still named.

    Raises UnknownStudent when there was nothing at all, CannotForget, StoreError.
    """
    try:
        left = forget_proof.find(kept.traces, paths)
    except OSError as exc:
        told = f"it is deleted, but {exc.filename!r} cannot be searched for more: {exc.strerror}"
        raise CannotForget(f"{told}; fix that and forget again") from exc
    if not (kept.known or deleted.files or left):
        raise UnknownStudent(f"nothing is kept of a student {kept.student!r}; see `introeval tasks`")
    return Forgotten(
        student=kept.student,
        tasks=len(kept.tasks),
        files=deleted.files,
        copies=deleted.copies,
        left=left,
    )


def _delete_files(kept: StudentRecords, paths: PathSettings, outbox: Folder) -> Deleted:
    files = sum(remove_file(path, paths.state) for path in kept.videos)
    files += sum(remove_file(paths.outbox / name, paths.outbox) for name in kept.documents)
    copies = 0
    student = os.fsencode(kept.student)
    with Folder.open(paths.state) as state:
        for name in state.names() if kept.known else ():
            if name.startswith(COPY_PREFIX):
                copies += remove_all(state, name)
        for name in _OF_CLAIMS:
            files += _remove_those_of(state, name, frozenset(kept.claims))
        files += remove_all(outbox, student)
        if state.stat(b"archive") is not None:
            with state.inner(b"archive") as archive:
                files += remove_all(archive, student)
    return Deleted(files, copies)


def _remove_those_of(state: Folder, name: bytes, claims: frozenset[str]) -> int:
    """Delete the files of these claims in a folder of the state. How many there were."""
    if state.stat(name) is None:
        return 0
    with state.inner(name) as folder:
        mine = [each for each in folder.names() if claim_of(each) in claims]
        return sum(remove_all(folder, each) for each in mine)
