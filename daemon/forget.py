"""Forgetting a student: every video, transcript and result, in the database, the archive and the outbox."""

import asyncio
import contextlib
from pathlib import Path

import structlog

from daemon.core.errors import IntroEvalError, PlaceError
from daemon.journal import Journal
from daemon.place import Place
from daemon.store.videos import Kept
from daemon.wire import Forgotten

log = structlog.get_logger()


class CannotForget(IntroEvalError):
    """A file of the student could not be deleted; the database still knows of all of them."""


class Forgetting:
    """Deletes for a running daemon. While `still` is held nothing is delivered or archived."""

    def __init__(self, journal: Journal, still: asyncio.Lock, outbox: Place, state: Path) -> None:
        self._journal, self._still = journal, still
        self._outbox, self._state = outbox, state

    async def __call__(self, student: str) -> Forgotten:
        """Delete all of a student, the files first: a crash in between leaves what is asked for again.

        Raises UnknownStudent, IllegalTransition while a task is open, CannotForget, StoreError.
        """
        store = self._journal.store
        async with self._still:
            kept = await self._journal(store.kept_of, student)
            files = await asyncio.to_thread(delete_files, kept, self._outbox, self._state)
            try:
                await self._journal(store.forget, student)
            finally:
                self._journal.events.forget(student)
        self._journal.events.add("order", f"a student is forgotten: {kept.tasks} tasks, {files} files")
        return Forgotten(student=student, tasks=kept.tasks, files=files)


def delete_files(kept: Kept, outbox: Place, state: Path) -> int:
    """Delete the files of a student, and the folders that are empty then. How many there were.

    Raises CannotForget, also while the outbox is away: what lies there would stay.
    """
    if kept.papers:
        try:
            outbox.open().close()
        except PlaceError as exc:
            raise CannotForget(str(exc)) from exc
    refused = [state / "rejected" / name for name in kept.refused]
    deleted = 0
    for path in [*kept.videos, *(outbox.path / name for name in kept.papers), *refused]:
        try:
            path.unlink()
        except FileNotFoundError:
            continue  # another tool has taken it, or its time was over
        except OSError as exc:
            raise CannotForget(f"{path} cannot be deleted: {exc.strerror}; mend that and try again") from exc
        deleted += 1
    for folder in (state / "archive" / kept.student, outbox.path / kept.student):
        with contextlib.suppress(OSError):  # there is none, or something else lies there
            folder.rmdir()
    return deleted
