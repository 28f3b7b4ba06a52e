"""Queries for the dashboard's lists, figures and histories of finished tasks.

The cost of each is bounded, through an index, by what is asked for and not by the number of tasks.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from peewee import SQL, chunked, fn

from daemon.core.tasks.task import Outcome, Status
from daemon.store.database import Database, reads
from daemon.store.models import EventRow, PhaseRow, TaskRow
from daemon.store.reports import Listed, listed

WINDOW = 2000
"""A text or a flag is searched in this many of the newest tasks."""

_AT_ONCE = 400  # SQLite allows at least 999 variables in a statement
_LATELY = 500  # of the tasks that ended lately, the most that are read
_COLUMNS = [
    getattr(TaskRow, name)
    for name in (
        *("id", "user_id", "filename", "status", "phase", "batch_id", "revision", "attempt", "retry_count"),
        *("priority", "duration_s", "held", "cancel_requested", "upload_timestamp", "last_updated"),
        *("not_before", "ended_at", "delivered_at", "estimated_completion", "outcome", "error_code"),
        *("error_message", "flags", "judged_by", "video", "acknowledged_at"),
    )
] + [
    # Whether there is a transcript and a form, without their texts.
    TaskRow.stt_result.is_null(False).alias("stt_result"),
    fn.SUBSTR(TaskRow.mistral_result, 1, 4).alias("mistral_result"),
]

# As in the index: SQLite uses a partial one only for the very words of its condition.
_UNSEEN = SQL("acknowledged_at IS NULL AND outcome IN ('failed', 'unscorable', 'needs_review')")


@dataclass(frozen=True, slots=True)
class SortKey:
    """The columns that finished tasks are sorted by."""

    id: int
    student: str
    status: Status


@dataclass(frozen=True, slots=True)
class Searched:
    """The columns that a search looks at; `flags` is the JSON text."""

    id: int
    student: str
    status: str
    filename: str
    outcome: str | None
    flags: str


@dataclass(frozen=True, slots=True)
class Lately:
    """Tasks that ended since a time: how many, how many failed, and a task's mean seconds in attempts."""

    ended: int
    failed: int
    mean_s: float | None


@dataclass(frozen=True, slots=True)
class PhaseRecord:
    """One phase of a loaded group. Times are in seconds since the epoch, memory is in MB."""

    group: tuple[str, ...]
    started_at: float
    ready_at: float | None
    ended_at: float | None
    switch_s: float | None
    tasks: int
    freed_mb: float | None
    foreign_mb: float | None
    needed_mb: float | None
    margin_mb: float | None


@reads
def by_ids(db: Database, ids: Sequence[int]) -> list[Listed]:
    """The tasks with these ids, in the order of `ids`, without those that are gone."""
    found: dict[int, Listed] = {}
    for some in chunked(ids, _AT_ONCE):
        rows = TaskRow.select(*_COLUMNS).where(TaskRow.id.in_(some)).execute(db)
        found |= {row.id: listed(row) for row in rows}
    return [found[id_] for id_ in ids if id_ in found]


@reads
def wanting(db: Database, outcome: Outcome, limit: int, offset: int) -> list[Listed]:
    """Tasks with an outcome of `offers.WANTING` that nobody has acknowledged, the last that ended first."""
    query = TaskRow.select(*_COLUMNS).where(_UNSEEN & (TaskRow.outcome == outcome.value))
    last_first = query.order_by(TaskRow.ended_at.desc(), TaskRow.id.desc())
    return [listed(row) for row in last_first.limit(limit).offset(offset).execute(db)]


@reads
def newest_final(
    db: Database,
    of: Status | Outcome,
    student: str | None,
    most: int,
    *,
    oldest_first: bool = False,
    before_id: int | None = None,
) -> list[SortKey]:
    """At most `most` finished tasks of one status or outcome, newest first unless `oldest_first`."""
    chosen = (TaskRow.status if isinstance(of, Status) else TaskRow.outcome) == of.value
    if student is not None:
        chosen &= TaskRow.user_id == student
    if before_id is not None:
        chosen &= TaskRow.id < before_id
    order = TaskRow.id if oldest_first else TaskRow.id.desc()
    return _places(db, TaskRow.select(*_PLACE).where(chosen).order_by(order).limit(most))


@reads
def final_by_student(
    db: Database, statuses: Collection[Status], student: str | None, most: int, *, last_first: bool
) -> list[SortKey]:
    """At most `most` finished tasks, sorted by student, status and id; descending if `last_first`."""
    keys = (TaskRow.user_id, TaskRow.status, TaskRow.id)
    query = TaskRow.select(*_PLACE).order_by(*((key.desc() for key in keys) if last_first else keys))
    # COALESCE keeps SQLite from the index of statuses, whose rows would then have to be sorted.
    chosen = fn.COALESCE(TaskRow.status, "").in_([status.value for status in statuses])
    if student is not None:
        chosen &= TaskRow.user_id == student
    return _places(db, query.where(chosen).limit(most))


@reads
def search(
    db: Database, student: str | None, accepts: Callable[[Searched], bool]
) -> tuple[list[SortKey], bool]:
    """The tasks, open ones too, that `accepts` takes, newest first.

    Only the newest WINDOW tasks are searched; the second value says whether there may be more.
    """
    query = TaskRow.select(*_PLACE, *_SEARCHED).order_by(TaskRow.id.desc()).limit(WINDOW)
    if student is not None:
        query = query.where(TaskRow.user_id == student)
    rows = [Searched(*row) for row in query.tuples().execute(db)]
    found = [SortKey(row.id, row.student, Status(row.status)) for row in rows if accepts(row)]
    return found, len(rows) == WINDOW


def matches(needle: str, task_id: int, student: str, filename: str) -> bool:
    """Whether a task matches `needle`, a case-folded text."""
    return needle == str(task_id) or needle in student.casefold() or needle in filename.casefold()


@reads
def count_of(db: Database, student: str, of: Collection[Status | Outcome]) -> int:
    """The number of a student's tasks of these statuses or outcomes."""
    values = [each.value for each in of]
    chosen = TaskRow.outcome if any(isinstance(each, Outcome) for each in of) else TaskRow.status
    return int(TaskRow.select(TaskRow.id).where((TaskRow.user_id == student) & chosen.in_(values)).count(db))


@reads
def lately(db: Database, since: float) -> Lately:
    """Figures of the tasks that ended since a time, at most of the last 500."""
    rows = list(
        TaskRow.select(TaskRow.id, TaskRow.status, TaskRow.revision)
        .where(TaskRow.ended_at > since)
        .order_by(TaskRow.ended_at.desc())
        .limit(_LATELY)
        .tuples()
        .execute(db)
    )
    revisions = {id_: revision for id_, _, revision in rows}
    total = 0.0
    for some in chunked(list(revisions), _AT_ONCE):
        attempts = EventRow.select(EventRow.task_id, EventRow.revision, EventRow.seconds).where(
            EventRow.task_id.in_(some) & EventRow.seconds.is_null(False)
        )
        for task_id, revision, seconds in attempts.tuples().execute(db):
            total += seconds if revision == revisions[task_id] else 0.0
    failed = sum(status == Status.FAILED for _, status, _ in rows)
    return Lately(len(rows), failed, total / len(rows) if rows else None)


@reads
def last_phases(db: Database, last: int) -> list[PhaseRecord]:
    """The last phases, newest first."""
    rows = PhaseRow.select().order_by(PhaseRow.id.desc()).limit(last).execute(db)
    return [
        PhaseRecord(
            tuple(row.group_name.split("+")),
            *(row.started_at, row.ready_at, row.ended_at, row.switch_s, row.tasks),
            *(row.freed_mb, row.foreign_mb, row.needed_mb, row.margin_mb),
        )
        for row in rows
    ]


_PLACE = (TaskRow.id, TaskRow.user_id, TaskRow.status)
_SEARCHED = (TaskRow.filename, TaskRow.outcome, TaskRow.flags)


def _places(db: Database, query: Any) -> list[SortKey]:
    return [SortKey(id_, student, Status(status)) for id_, student, status in query.tuples().execute(db)]
