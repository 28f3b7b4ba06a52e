"""The reading side of the store, which also opens beside a daemon, or when none runs."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Self

from daemon.contracts.values import Claim, Document, Kind
from daemon.contracts.wire.words import PlaceName
from daemon.core.content.document import Profile, Speaking, Transcript
from daemon.core.forecast.durations import MeasuredAttempt, MeasuredSwitch
from daemon.core.intake.place import KnownPlace
from daemon.core.tasks.task import Stage, Status, Task
from daemon.store import (
    claims,
    codec,
    documents,
    forgetting,
    lists,
    measured,
    phases,
    recovery,
    remains,
    reports,
    schema,
    settings,
    videos,
)
from daemon.store.commits import find
from daemon.store.database import CheckedDatabase, border, connect, reading
from daemon.store.forgetting import StudentRecords


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

    def closed_claims(self, ids: Sequence[str]) -> list[Claim]:
        """Those of at most 400 claims that are DONE or LOST."""
        with reading(self._db):
            return claims.closed(self._db, ids)

    def open_tasks(self) -> list[Task]:
        """Every task that is not final, by id."""
        with reading(self._db):
            return recovery.open_tasks(self._db)

    def undelivered(self, limit: int, after_id: int = 0) -> list[Document]:
        """At most `limit` frozen documents above `after_id` that are not in the outbox yet, oldest first."""
        with reading(self._db):
            return documents.undelivered(self._db, limit, after_id)

    def longest_transcript(self) -> int:
        """The length in characters of the longest transcript that waits for a language model; 0 without."""
        with reading(self._db):
            return phases.longest_transcript(self._db)

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

    def listed(self, ids: Sequence[int]) -> list[reports.Listed]:
        """The tasks of these ids, in their order; one that is gone is left out."""
        with reading(self._db):
            return lists.by_ids(self._db, ids)

    def newest_final(
        self,
        status: Status,
        student: str | None,
        most: int,
        *,
        oldest_first: bool = False,
        before_id: int | None = None,
    ) -> list[lists.SortKey]:
        """Finished tasks of one status, the newest first or the oldest."""
        with reading(self._db):
            return lists.newest_final(
                self._db, status, student, most, oldest_first=oldest_first, before_id=before_id
            )

    def final_by_student(
        self, statuses: Collection[Status], student: str | None, most: int, *, last_first: bool
    ) -> list[lists.SortKey]:
        """Finished tasks by student, status and id."""
        with reading(self._db):
            return lists.final_by_student(self._db, statuses, student, most, last_first=last_first)

    def search_final(self, text: str, student: str | None) -> tuple[list[lists.SortKey], bool]:
        """Finished tasks that a text finds among the newest, and whether there are more to search."""
        with reading(self._db):
            return lists.search_final(self._db, text, student)

    def count_of(self, student: str, statuses: Collection[Status]) -> int:
        """How many tasks of these statuses a student has."""
        with reading(self._db):
            return lists.count_of(self._db, student, statuses)

    def lately(self, since: float) -> lists.Lately:
        """What ended since a time: how many, how many failed, and what their tries took."""
        with reading(self._db):
            return lists.lately(self._db, since)

    def last_phases(self, last: int) -> list[lists.PhaseRecord]:
        """The last times that a group was loaded, the newest first."""
        with reading(self._db):
            return lists.last_phases(self._db, last)

    def task(self, task_id: int) -> reports.TaskRecord:
        """One task with its history and documents. Raises UnknownTask."""
        with reading(self._db):
            return reports.task(self._db, task_id)

    def results(self, task_id: int) -> list[bytes]:
        """The bytes of a task's results, one for each revision that ended, oldest first."""
        with reading(self._db):
            return documents.results(self._db, task_id)

    def tries(self, stage: Stage, last: int = 50) -> list[MeasuredAttempt]:
        """The latest tries that gave the stage's outcome, the newest first."""
        with reading(self._db):
            return measured.tries(self._db, stage, last)

    def switches(self, last: int = 40) -> list[MeasuredSwitch]:
        """The latest verified switches, the newest first."""
        with reading(self._db):
            return measured.switches(self._db, last)

    def claims_of(self, since: float, until: float) -> list[tuple[float, str, float]]:
        """Of each task claimed in a span of time: when, of which student, and its video's seconds."""
        with reading(self._db):
            return measured.claims_of(self._db, since, until)

    def ids_from(self, first: int) -> list[int]:
        """The tasks with this id or a later one, by id."""
        with reading(self._db):
            return measured.ids_from(self._db, first)

    def next_id(self) -> int:
        """The tasks that are born from now on have this id or a later one."""
        with reading(self._db):
            return measured.next_id(self._db)

    def last_id(self) -> int:
        """The highest id that a task was ever given; 0 when there was none."""
        with reading(self._db):
            return remains.last_id(self._db)

    def known_claims(self, ids: Collection[str]) -> set[str]:
        """Those of these claims' ids that the database has."""
        with reading(self._db):
            return remains.known_claims(self._db, ids)

    def claims_with_video(self, ids: Collection[str]) -> set[str]:
        """Those of these claims' ids that became a task whose video is kept."""
        with reading(self._db):
            return remains.claims_with_video(self._db, ids)

    def setting(self, key: str, default: Any = None) -> Any:
        """What was put under `key`, or `default`."""
        with reading(self._db):
            return settings.get(self._db, key, default)

    def place(self, name: PlaceName, path: Path) -> KnownPlace | None:
        """The folder that was known at `path` as inbox or outbox; None when there was none yet."""
        with reading(self._db):
            return settings.place(self._db, name, path)

    def kept_of(self, student: str, inbox: Path) -> StudentRecords:
        """All that is kept of a student. A refused file is a student's also by its path below `inbox` alone.

        Raises UnknownStudent, and IllegalTransition while a task is open.
        """
        with reading(self._db):
            return forgetting.kept_of(self._db, student, inbox)

    def archivable(self, limit: int) -> list[Task]:
        """Final tasks whose last result is delivered and whose video still lies in the spool."""
        with reading(self._db):
            return videos.archivable(self._db, limit)
