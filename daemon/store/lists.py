"""Queries for the dashboard's lists, figures and histories of finished tasks.

The cost of each is bounded, through an index, by what is asked for and not by the number of tasks.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from peewee import SQL, chunked, fn

from daemon.core.forecast.speed import LoadedSpan, working_s
from daemon.core.tasks.task import Outcome, Stage, Status
from daemon.store.database import Database, reads
from daemon.store.models import EventRow, PhaseRow, TaskRow
from daemon.store.reports import Listed, listed

WINDOW = 2000
"""A text or a flag is searched in this many of the newest tasks."""

_AT_ONCE = 400  # SQLite allows at least 999 variables in a statement
_LATELY = 500  # of the tasks that ended last, the most that are read
_PHASES = 200  # of which the last are searched for the switches of these tasks
_RATED = (Outcome.EVALUATED.value, Outcome.NEEDS_REVIEW.value)
_COLUMNS = [
    getattr(TaskRow, name)
    for name in (
        *("id", "user_id", "filename", "status", "phase", "batch_id", "revision", "attempt", "retry_count"),
        *("priority", "duration_s", "held", "cancel_requested", "upload_timestamp", "last_updated"),
        *("not_before", "ended_at", "delivered_at", "estimated_completion", "outcome", "error_code"),
        *("error_message", "flags", "judged_by", "video", "acknowledged_at", "first_at"),
        "decision",
    )
] + [
    # Whether there is a transcript and a form, and the rating, without their texts.
    TaskRow.stt_result.is_null(False).alias("stt_result"),
    fn.SUBSTR(TaskRow.mistral_result, 1, 4).alias("mistral_result"),
    fn.JSON_EXTRACT(TaskRow.llama_result, "$.overall_rating").alias("llama_result"),
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
class Speed:
    """How fast the last tasks went through all stages: for each hour of work, and a task's mean seconds in
    attempts. None where there are none.
    """

    tasks_per_h: float | None = None
    mean_s: float | None = None


@dataclass(frozen=True, slots=True)
class PhaseRecord:
    """One phase of a loaded group. Times are in epoch seconds, memory is in MB, `holders` is JSON."""

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
    holders: str
    refused: str | None


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
def failed_since(db: Database, since: float) -> list[str]:
    """The students of the tasks that failed since a time, the newest first, of the last 500 that ended."""
    rows = _last_ended(TaskRow.status, TaskRow.user_id).where(TaskRow.ended_at > since).tuples().execute(db)
    return [student for status, student in rows if status == Status.FAILED]


@reads
def speed(db: Database, last: int = 50) -> Speed:
    """The speed of the last rated tasks that went through all stages in their present revision."""
    ended = _last_ended(TaskRow.id, TaskRow.outcome, TaskRow.revision).tuples().execute(db)
    rated = [(id_, revision) for id_, outcome, revision in ended if outcome in _RATED]
    revisions = dict(rated[:last])
    query = EventRow.select(
        EventRow.task_id, EventRow.revision, EventRow.stage, EventRow.at, EventRow.seconds
    )
    tried = query.where(EventRow.task_id.in_(list(revisions)) & EventRow.seconds.is_null(False))
    rows = [row for row in tried.tuples().execute(db) if row[1] == revisions[row[0]]]
    whole = {task_id for task_id, _, stage, *_ in rows if stage == Stage.STT}
    attempts = [(at - seconds, at) for task_id, *_, at, seconds in rows if task_id in whole]
    loaded = [
        LoadedSpan(phase.started_at, phase.ready_at, phase.ended_at)
        for phase in last_phases(db, _PHASES)
        if phase.ready_at is not None
    ]
    worked_s = working_s(attempts, loaded)
    if not worked_s:
        return Speed()
    return Speed(len(whole) * 3600.0 / worked_s, sum(end - begin for begin, end in attempts) / len(whole))


@reads
def ended_before(db: Database, until: float, most: int) -> list[Listed]:
    """The last tasks that ended before a time, the newest end first."""
    chosen = TaskRow.ended_at < until
    return [
        listed(row)
        for row in TaskRow.select(*_COLUMNS)
        .where(chosen)
        .order_by(TaskRow.ended_at.desc())
        .limit(most)
        .execute(db)
    ]


@reads
def last_phases(db: Database, last: int, until: float | None = None) -> list[PhaseRecord]:
    """The last phases, those that began until a time where one is given, the newest first."""
    query = PhaseRow.select().order_by(PhaseRow.id.desc()).limit(last)
    rows = (query if until is None else query.where(PhaseRow.started_at <= until)).execute(db)
    return [
        PhaseRecord(
            tuple(row.group_name.split("+")),
            *(row.started_at, row.ready_at, row.ended_at, row.switch_s, row.tasks),
            *(row.freed_mb, row.foreign_mb, row.needed_mb, row.margin_mb, row.holders, row.refused),
        )
        for row in rows
    ]


_PLACE = (TaskRow.id, TaskRow.user_id, TaskRow.status)
_SEARCHED = (TaskRow.filename, TaskRow.outcome, TaskRow.flags)


def _last_ended(*columns: Any) -> Any:
    """These columns of the tasks that ended last, the newest first."""
    ended = TaskRow.select(*columns).where(TaskRow.ended_at.is_null(False))
    return ended.order_by(TaskRow.ended_at.desc()).limit(_LATELY)


def _places(db: Database, query: Any) -> list[SortKey]:
    return [SortKey(id_, student, Status(status)) for id_, student, status in query.tuples().execute(db)]
