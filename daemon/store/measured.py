"""Measured durations for the forecast. The cost of each query is bounded by an index, not by history."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from peewee import chunked, fn

from daemon.core.forecast.class_roll import Members
from daemon.core.forecast.durations import MeasuredAttempt, MeasuredSwitch
from daemon.core.schedule.phase_state import Group
from daemon.core.tasks.task import Event, Outcome, Stage
from daemon.core.timestamps import from_iso, to_iso
from daemon.store.database import Database, reads, writes
from daemon.store.models import PhaseRow, TaskRow

_OUTCOME_OF = {Stage.STT: Event.TRANSCRIBED, Stage.EXTRACT: Event.EXTRACTED, Stage.RATE: Event.RATED}
# From transition to transition: an attempt holds its slot also while its outcome is committed.
_ATTEMPTS = """
    SELECT (
        SELECT began.at FROM task_events AS began WHERE began.task_id = ended.task_id
        AND began.event = 'started' AND began.revision = ended.revision AND began.attempt = ended.attempt
    ), ended.at, (SELECT duration_s FROM processing_tasks WHERE id = ended.task_id)
    FROM task_events AS ended WHERE event = ? AND seconds IS NOT NULL ORDER BY id DESC LIMIT ?
"""
_MORE = 0.2  # of the attempts asked for are read in addition: they ran beside the oldest of those
_DIRECT_S = 2.0  # at most between the end of a phase and a switch that began from it


@reads
def tries(db: Database, stage: Stage, last: int = 50) -> list[MeasuredAttempt]:
    """The latest attempts that gave the stage's outcome, newest first."""
    rows = db.execute_sql(_ATTEMPTS, (_OUTCOME_OF[stage].value, last + round(_MORE * last))).fetchall()
    spans = [(from_iso(began), from_iso(ended)) for began, ended, _ in rows]
    return [
        MeasuredAttempt(ended - began, media_s, _at_once((began, ended), spans))
        for (began, ended), (_, _, media_s) in zip(spans[:last], rows[:last], strict=True)
    ]


@reads
def switches(db: Database, last: int = 40) -> list[MeasuredSwitch]:
    """The latest verified switches, newest first."""
    newest = PhaseRow.select(fn.MAX(PhaseRow.id)).scalar(db) or 0
    latest = PhaseRow.select().where(PhaseRow.id >= newest - last).order_by(PhaseRow.id.desc())
    rows: list[Any] = list(latest.execute(db))
    found = []
    for row, before in [*pairwise(rows), *((row, None) for row in rows[-1:])]:
        if row.switch_s is None:
            continue
        direct = before is not None and before.ended_at is not None
        left = direct and row.started_at - before.ended_at < _DIRECT_S
        found.append(
            MeasuredSwitch(_group(before.group_name) if left else None, _group(row.group_name), row.switch_s)
        )
    return found[:last]


@reads
def claims_of(db: Database, since: float, until: float) -> list[tuple[float, str, float]]:
    """Of each task claimed in a span of time: when, of which student, and its video's length in seconds."""
    mine = TaskRow.upload_timestamp.between(since, until)
    query = TaskRow.select(TaskRow.upload_timestamp, TaskRow.user_id, TaskRow.duration_s).where(mine)
    rows = query.order_by(TaskRow.upload_timestamp, TaskRow.id).execute(db)
    return [(row.upload_timestamp, row.user_id, row.duration_s) for row in rows]


@reads
def ids_from(db: Database, first: int) -> list[int]:
    """The ids of the tasks from `first` on, ascending."""
    mine = TaskRow.select(TaskRow.id).where(TaskRow.id >= first).order_by(TaskRow.id)
    return [row.id for row in mine.execute(db)]


@reads
def class_of(db: Database, first: int | None) -> tuple[int, float, float]:
    """The number of tasks from the id `first` on (None: 0), when the last of all tasks ended, and when the
    newest was born; 0 for never.
    """
    born = 0 if first is None else TaskRow.select(TaskRow.id).where(TaskRow.id >= first).count(db)
    ended = TaskRow.select(TaskRow.ended_at).where(TaskRow.ended_at.is_null(False))
    newest = TaskRow.select(TaskRow.upload_timestamp).order_by(TaskRow.id.desc()).limit(1)
    last = next((at for (at,) in ended.order_by(TaskRow.ended_at.desc()).limit(1).tuples().execute(db)), 0.0)
    birth = next((at for (at,) in newest.tuples().execute(db)), 0.0)
    return int(born), last, birth


_OUTCOMES = f"""
    SELECT outcome, COUNT(*) FROM processing_tasks
    WHERE outcome IN ({", ".join(f"'{each}'" for each in Outcome)}) AND %s GROUP BY outcome
"""
_AT_ONCE = 400  # SQLite allows at least 999 variables in a statement


@reads
def outcomes_of(db: Database, members: Members) -> dict[str, int]:
    """The number of finished tasks of a class, by outcome."""
    found: Counter[str] = Counter()
    if members.first is not None:
        found.update(dict(db.execute_sql(_OUTCOMES % "id >= ?", (members.first,)).fetchall()))
    for some in chunked(sorted(members.older), _AT_ONCE):
        places = f"id IN ({', '.join('?' * len(some))})"
        found.update(dict(db.execute_sql(_OUTCOMES % places, some).fetchall()))
    return dict(found)


@reads
def next_id(db: Database) -> int:
    """The lowest id that a task created from now on can have."""
    return (TaskRow.select(fn.MAX(TaskRow.id)).scalar(db) or 0) + 1


@writes
def set_estimates(db: Database, estimates: Mapping[int, float | None]) -> None:
    """Store when open tasks are expected to be completed, in epoch seconds by task id; None: unknown."""
    rows = [(None if at is None else to_iso(at), task_id) for task_id, at in estimates.items()]
    db.connection().executemany(
        "UPDATE processing_tasks SET estimated_completion = ? WHERE id = ? AND ended_at IS NULL AND NOT held",
        rows,
    )


def _at_once(span: tuple[float, float], spans: Sequence[tuple[float, float]]) -> float:
    """The mean number of attempts that ran during `span`, itself included; at least 1."""
    began, ended = span
    if ended <= began:
        return 1.0
    together = sum(max(0.0, min(ended, other[1]) - max(began, other[0])) for other in spans)
    return max(1.0, together / (ended - began))


def _group(name: str) -> Group:
    return frozenset(Stage(stage) for stage in name.split("+"))
