"""Batches, phases with what their switch cost, and the row that says what runs.

Called within a transaction.
"""

from collections.abc import Iterable
from typing import Any

from peewee import SqliteDatabase, fn

from daemon.contracts.values import Ledger
from daemon.core.tasks.task import OPEN, STAGE_OF, Phase, Stage
from daemon.store.models import BatchRow, PhaseRow, SystemStateRow, TaskRow

_PAST_STT = tuple(status.value for status in OPEN if STAGE_OF[status] is not Stage.STT)


def group_name(group: Iterable[Stage]) -> str:
    """How a group is called in the database: its stages in their order, `extract+rate`."""
    members = frozenset(group)
    return "+".join(stage.value for stage in Stage if stage in members)


def open_batch(db: SqliteDatabase, now: float, size: int) -> int:
    """Begin a batch of at most `size` tasks, and give its id."""
    return int(BatchRow.insert(started_at=now, size=size).execute(db))


def close_batch(db: SqliteDatabase, batch_id: int, now: float) -> None:
    """End a batch."""
    BatchRow.update(ended_at=now).where(BatchRow.id == batch_id).execute(db)


def began(db: SqliteDatabase, group: Iterable[Stage], phase: Phase, batch_id: int | None, now: float) -> int:
    """A switch to `group` begins. Gives the phase's id."""
    query = PhaseRow.insert(
        group_name=group_name(group), phase=phase.value, batch_id=batch_id, started_at=now
    )
    return int(query.execute(db))


def ready(db: SqliteDatabase, phase_id: int, now: float, switch_s: float, ledger: Ledger) -> None:
    """The group is verified loaded, after `switch_s` seconds; the ledger says what was found on the GPU."""
    PhaseRow.update(
        ready_at=now,
        switch_s=switch_s,
        freed_mb=ledger.freed_mb,
        foreign_mb=ledger.foreign_mb,
        needed_mb=ledger.needed_mb,
        margin_mb=ledger.margin_mb,
    ).where(PhaseRow.id == phase_id).execute(db)


def ended(db: SqliteDatabase, phase_id: int, now: float, tasks: int) -> None:
    """The group was left, after `tasks` outcomes."""
    PhaseRow.update(ended_at=now, tasks=tasks).where(PhaseRow.id == phase_id).execute(db)


def longest_transcript(db: SqliteDatabase) -> int:
    """In characters, of the tasks that wait for a language model; 0 when none does."""
    text = fn.json_extract(TaskRow.stt_result, "$.transcript.text")
    query = TaskRow.select(fn.MAX(fn.LENGTH(text))).where(TaskRow.status.in_(_PAST_STT))
    return int(query.scalar(db) or 0)


def set_state(db: SqliteDatabase, **columns: Any) -> None:
    """Replace the one row of the system's state."""
    SystemStateRow.insert(id=1, **columns).on_conflict_replace().execute(db)
