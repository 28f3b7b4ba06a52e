"""The reading side of the store, which also opens beside a daemon, or when none runs."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Self

from daemon.core.document import Profile, Speaking, Transcript
from daemon.core.task import Stage, Status, Task
from daemon.ports import Claim, Document, Kind
from daemon.store import claims, codec, documents, recovery, reports, schema, settings, videos
from daemon.store.commits import find
from daemon.store.database import CheckedDatabase, border, connect, reading


class Reader:
    """A read-only database. Every method is one short read transaction, and raises StoreError when the
    database cannot be read.

    Used and closed on the thread that opened it. Times are seconds since the epoch.
    """

    def __init__(self, path: Path) -> None:
        """Open the database for reading alone; it must exist, in this program's schema.

        Raises StoreError.
        """
        self._open(connect(path, read_only=True))
        with border(self._db, "read"):
            schema.check(self._db, path)

    def _open(self, db: CheckedDatabase) -> None:
        self._db = db

    def close(self) -> None:
        """Close the connection; a second time does nothing."""
        with border(self._db, "closed"):
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open_claims(self) -> list[Claim]:
        """The claims that are not DONE or LOST, oldest first: what a crash left."""
        with reading(self._db):
            return claims.still_open(self._db)

    def open_tasks(self) -> list[Task]:
        """Every task that is not final, by id."""
        with reading(self._db):
            return recovery.open_tasks(self._db)

    def undelivered(self, limit: int) -> list[Document]:
        """At most `limit` frozen documents that are not durable in the outbox yet, oldest first."""
        with reading(self._db):
            return documents.undelivered(self._db, limit)

    def payload(self, task_id: int) -> tuple[Transcript | None, Speaking | None, Profile | None]:
        """What the stages gave so far. Raises UnknownTask."""
        with reading(self._db):
            row = find(self._db, task_id)
            return (*codec.read_stt(row.stt_result), codec.read_profile(row.mistral_result))

    def counts(self) -> dict[Status, int]:
        """How many tasks have each status, at a cost that does not grow with history."""
        with reading(self._db):
            return reports.counts(self._db)

    def undelivered_counts(self) -> dict[Kind, int]:
        """How many documents of each kind are not durable in the outbox yet."""
        with reading(self._db):
            return reports.undelivered_counts(self._db)

    def tasks(
        self,
        statuses: Collection[Status] = (),
        student: str | None = None,
        limit: int = 100,
        before_id: int | None = None,
    ) -> list[reports.Listed]:
        """Tasks, the newest first, of these statuses (none: of any), with an id below `before_id`."""
        with reading(self._db):
            return reports.tasks(self._db, statuses, student, limit, before_id)

    def task(self, task_id: int) -> reports.Detail:
        """One task with its history and documents. Raises UnknownTask."""
        with reading(self._db):
            return reports.task(self._db, task_id)

    def results(self, task_id: int) -> list[bytes]:
        """The bytes of a task's results, one for each revision that ended, oldest first."""
        with reading(self._db):
            return documents.results(self._db, task_id)

    def stage_seconds(self, stage: Stage, last: int = 50) -> list[float]:
        """How long the latest tries that gave the stage's outcome took, the newest first."""
        with reading(self._db):
            return reports.stage_seconds(self._db, stage, last)

    def switch_seconds(self, group: Iterable[Stage], last: int = 20) -> list[float]:
        """What the latest switches to the group took, the newest first."""
        with reading(self._db):
            return reports.switch_seconds(self._db, group, last)

    def setting(self, key: str, default: Any = None) -> Any:
        """What was put under `key`, or `default`."""
        with reading(self._db):
            return settings.get(self._db, key, default)

    def archivable(self, limit: int) -> list[Task]:
        """Final tasks whose last result is delivered and whose video still lies in the spool."""
        with reading(self._db):
            return videos.archivable(self._db, limit)

    def expired(self, before: float, limit: int) -> list[Task]:
        """Final tasks whose video has lain in the archive since before `before`."""
        with reading(self._db):
            return videos.expired(self._db, before, limit)
