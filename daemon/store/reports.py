"""Queries of the dashboard, the API and the forecast. An index bounds the cost of each, not history."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from peewee import Expression, fn

from daemon.contracts.documents import Kind
from daemon.core.content.document import Flag, Profile, SetAside, Speaking, Transcript
from daemon.core.tasks.offers import TaskFacts
from daemon.core.tasks.task import Event, Outcome, Phase, Stage, Status
from daemon.store import codec, documents
from daemon.store.database import Database, reads
from daemon.store.found import find
from daemon.store.models import CountRow, EventRow, TaskRow

_OUTCOMES = "SELECT substr(status, 9), n FROM status_counts WHERE status LIKE 'outcome_%'"
_WANTING = "SELECT substr(status, 9), n FROM status_counts WHERE status LIKE 'wanting_%'"


@dataclass(frozen=True, slots=True)
class Listed(TaskFacts):
    """A task as lists show it. Times are in seconds since the epoch."""

    student: str
    filename: str
    phase: Phase
    batch_id: int | None
    attempt: int
    retry_count: int
    priority: int
    duration_s: float
    last_updated: float
    not_before: float | None
    ended_at: float | None
    delivered_at: float | None
    estimated_completion: float | None
    error_message: str | None
    rating: int | None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of a task's history. `attempt` counts those at its stage in its revision; `seconds` is the
    duration of the attempt that ended with it.
    """

    at: float
    event: str
    from_status: Status | None
    to_status: Status
    stage: Stage | None
    revision: int
    attempt: int
    seconds: float | None
    detail: dict[str, Any]
    actor: str | None


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A document of a task: its path below the outbox, and when it became durable there."""

    id: int
    kind: Kind
    name: str
    delivered_at: float | None


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A task in full, except for its payload."""

    task: Listed
    path: str
    sha256: str
    size_bytes: int
    video: str
    not_before: float | None
    failed_stage: Stage | None
    flags: tuple[Flag, ...]
    set_aside: tuple[SetAside, ...]
    provenance: dict[str, Any]
    history: tuple[HistoryEntry, ...]
    documents: tuple[DocumentRecord, ...]


@reads
def counts(db: Database) -> dict[Status, int]:
    """The number of tasks of each status, at a cost that does not grow with history."""
    rows = {row.status: row.n for row in CountRow.select().execute(db)}
    return {status: rows[status.value] for status in Status}


@reads
def undelivered_counts(db: Database) -> dict[Kind, int]:
    """The number of documents of each kind that are not durable in the outbox yet."""
    rows = {row.status: row.n for row in CountRow.select().execute(db)}
    return {kind: rows[f"undelivered_{kind.value}"] for kind in Kind}


@reads
def outcomes(db: Database) -> dict[Outcome, int]:
    """The number of tasks of each outcome."""
    rows = dict(db.execute_sql(_OUTCOMES).fetchall())
    return {outcome: rows[outcome.value] for outcome in Outcome}


@reads
def wanting(db: Database) -> dict[str, int]:
    """How many tasks that nobody has acknowledged want a person, by outcome, and `refused` files."""
    return dict(db.execute_sql(_WANTING).fetchall())


@reads
def tasks(
    db: Database,
    statuses: Collection[Status] = (),
    student: str | None = None,
    limit: int = 100,
    before_id: int | None = None,
) -> list[Listed]:
    """At most `limit` tasks, newest first, of these statuses (empty: of all), with ids below `before_id`."""
    # One query for each status: the index orders only within one.
    wanted: list[Expression | None] = [TaskRow.status == status.value for status in statuses] or [None]
    rows: list[TaskRow] = []
    for one in wanted:
        query = TaskRow.select().order_by(TaskRow.id.desc()).limit(limit)
        if one is not None:
            query = query.where(one)
        if student is not None:
            query = query.where(TaskRow.user_id == student)
        if before_id is not None:
            query = query.where(TaskRow.id < before_id)
        rows.extend(query.execute(db))
    return [listed(row) for row in sorted(rows, key=lambda row: -row.id)[:limit]]


@reads
def task(db: Database, task_id: int) -> TaskRecord:
    """One task with its history. Raises UnknownTask."""
    row = find(db, task_id)
    events = EventRow.select().where(EventRow.task_id == task_id).order_by(EventRow.id).execute(db)
    return TaskRecord(
        task=listed(row),
        path=row.file_path,
        sha256=row.sha256,
        size_bytes=row.size_bytes,
        video=row.video,
        not_before=row.not_before,
        failed_stage=None if row.failed_stage is None else Stage(row.failed_stage),
        flags=tuple(dict.fromkeys(chain(*codec.read_flags(row.flags).values()))),
        set_aside=codec.read_set_aside(row.set_aside),
        provenance=json.loads(row.provenance),
        history=tuple(_entries(events)),
        documents=tuple(
            DocumentRecord(document.id, Kind(document.kind), document.name, document.delivered_at)
            for document in documents.rows_of(db, task_id)
        ),
    )


@reads
def payload(db: Database, task_id: int) -> tuple[Transcript | None, Speaking | None, Profile | None]:
    """What a rater is shown of the results of the stages; None for one without. Raises UnknownTask."""
    row = find(db, task_id)
    return (*codec.read_stt(row.stt_result), codec.read_form(row))


@reads
def set_aside(db: Database, task_id: int) -> tuple[SetAside, ...]:
    """What a task's transcript says to the grader, as far as it is known. Raises UnknownTask."""
    return codec.read_set_aside(find(db, task_id).set_aside)


def stages(db: Database, task_id: int) -> dict[str, Any]:
    """The results of the stages so far: `transcript`, `speaking`, `profile`. Raises UnknownTask."""
    row = find(db, task_id)
    given = (*codec.read_stt(row.stt_result), codec.read_profile(row.mistral_result))
    parts = zip(("transcript", "speaking", "profile"), given, strict=True)
    return {name: None if part is None else part.model_dump(mode="json") for name, part in parts}


@reads
def asked_with(db: Database, stage: Stage, prompt_sha256: str) -> int:
    """The number of tasks whose outcome of a stage came from this prompt."""
    origin = fn.json_extract(TaskRow.provenance, f"$.{stage.value}.prompt_sha256")
    return int(TaskRow.select(fn.COUNT(TaskRow.id)).where(origin == prompt_sha256).scalar(db))


def listed(row: TaskRow) -> Listed:
    """The row of a task as a list shows it: whether there are transcript and form, and the overall rating."""
    return Listed(
        id=row.id,
        student=row.user_id,
        filename=row.filename,
        status=Status(row.status),
        phase=Phase(row.phase),
        batch_id=row.batch_id,
        revision=row.revision,
        attempt=row.attempt,
        retry_count=row.retry_count,
        priority=row.priority,
        duration_s=row.duration_s,
        held=row.held,
        cancel_requested=row.cancel_requested,
        claimed_at=row.upload_timestamp,
        last_updated=row.last_updated,
        not_before=row.not_before,
        ended_at=row.ended_at,
        delivered_at=row.delivered_at,
        estimated_completion=row.estimated_completion,
        outcome=None if row.outcome is None else Outcome(row.outcome),
        error_code=row.error_code,
        error_message=row.error_message,
        rating=_rating(row.llama_result),
        flag_codes=codec.flag_codes(row.flags),
        decided_by=None if row.decision is None else str(json.loads(row.decision)["by"]),
        has_transcript=row.stt_result is not None,
        form_tried=row.mistral_result is not None,
        has_form=row.mistral_result not in (None, "null"),
        judged_by=row.judged_by,
        video_kept=row.video != "gone",
        acknowledged=row.acknowledged_at is not None,
        is_first=row.first_at is not None,
    )


def _rating(stored: str | None) -> int | None:
    """The overall rating in the column `llama_result`, or in what a list reads of it."""
    value = None if stored is None else json.loads(str(stored))
    rating: int | None = value.get("overall_rating") if isinstance(value, dict) else value
    return rating


def _entries(rows: Iterable[EventRow]) -> Iterator[HistoryEntry]:
    starts: Counter[tuple[int, str | None]] = Counter()
    for row in rows:
        of_stage = row.revision, row.stage
        starts[of_stage] += row.event == Event.STARTED.value
        yield _entry(row, starts[of_stage])


def _entry(row: EventRow, attempt: int) -> HistoryEntry:
    return HistoryEntry(
        at=row.at,
        event=row.event,
        from_status=None if row.from_status is None else Status(row.from_status),
        to_status=Status(row.to_status),
        stage=None if row.stage is None else Stage(row.stage),
        revision=row.revision,
        attempt=attempt,
        seconds=row.seconds,
        detail=json.loads(row.detail),
        actor=row.actor,
    )
