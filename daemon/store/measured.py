"""Measured durations for the forecast. The cost of each query is bounded by an index, not by history."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from peewee import chunked, fn

from daemon.core.forecast.class_roll import Members
from daemon.core.forecast.durations import MeasuredAttempt, MeasuredSwitch
from daemon.core.schedule.batch_curve import spent_beside
from daemon.core.schedule.phase_state import Group
from daemon.core.tasks.task import Event, Outcome, Stage
from daemon.core.timestamps import from_iso, to_iso
from daemon.store import settings
from daemon.store.database import Database, reads, writes
from daemon.store.models import EventRow, PhaseRow, TaskRow

_OUTCOME_OF = {Stage.STT: Event.TRANSCRIBED, Stage.EXTRACT: Event.EXTRACTED, Stage.RATE: Event.RATED}
# From transition to transition: an attempt holds its slot also while its outcome is committed.
_ATTEMPTS = """
    SELECT (
        SELECT began.at FROM task_events AS began WHERE began.task_id = ended.task_id
        AND began.event = 'started' AND began.revision = ended.revision AND began.attempt = ended.attempt
    ), ended.at, ended.id, duration_s, json_extract(provenance, ?), json_extract(ended.detail, '$.node')
    FROM task_events AS ended JOIN processing_tasks ON processing_tasks.id = ended.task_id
    WHERE event = ? AND seconds IS NOT NULL ORDER BY ended.id DESC LIMIT ?
"""
_ENGINE = (
    "model",
    "digest",
    "server_version",
    "ctranslate2",
    "runtime",
    "device",
    "kv_cache",
    "compute_type",
    "degraded",
)
_CPU = "cpu"
_MACHINES = "machines"  # the first event of each, and its name
_MORE = 0.2  # of the attempts asked for are read in addition: they ran beside the oldest of those
_MOST_MACHINES = 20
_DIRECT_S = 2.0  # at most between the end of a phase and a switch that began from it


@writes
def on_machine(db: Database, name: str) -> None:
    """Record on which machine, or card, the events from now on are measured."""
    known = settings.get(db, _MACHINES, [])
    if not known or known[-1][1] != name:
        newest = EventRow.select(fn.MAX(EventRow.id)).scalar(db) or 0
        settings.put(db, _MACHINES, [*known, [newest + 1 if known else 0, name]][-_MOST_MACHINES:])


@reads
def tries(db: Database, stage: Stage, last: int = 120) -> list[MeasuredAttempt]:
    """The latest attempts that gave the stage's outcome, newest first: those on this machine, with the engine
    of the newest. Attempts at other machines' nodes count neither as such nor as beside one of ours.
    """
    asked = (f"$.{stage.value}", _OUTCOME_OF[stage].value, last + round(_MORE * last))
    rows = [row for *row, node in db.execute_sql(_ATTEMPTS, asked).fetchall() if node is None]
    spans = [(from_iso(began), from_iso(ended)) for began, ended, *_ in rows]
    machines = settings.get(db, _MACHINES, [])
    engines = [(_machine(machines, event), _engine(origin)) for *_, event, _, origin in rows]
    return [
        MeasuredAttempt(
            ended - began, row[3], spent_beside((began, ended), spans), on_processor=_CPU in engine[1]
        )
        for (began, ended), row, engine in zip(spans[:last], rows[:last], engines[:last], strict=True)
        if engine == (machines and machines[-1][1], engines[0][1])
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


def _machine(machines: Sequence[tuple[int, str]], event: int) -> Any:
    """The machine on which an event was measured, as `on_machine` recorded it."""
    return machines and next((name for first, name in reversed(machines) if first <= event), None)


def _engine(origin: str | None) -> Sequence[Any]:
    """What in a stage's provenance decides its speed."""
    known = json.loads(origin or "{}")
    return [known.get(key) for key in _ENGINE]


def _group(name: str) -> Group:
    return frozenset(Stage(stage) for stage in name.split("+"))
