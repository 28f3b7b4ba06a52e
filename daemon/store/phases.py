"""Batches, phases with the figures of their switch, and the row that says what runs."""

import json
from collections.abc import Iterable

from peewee import fn

from daemon.contracts.ledger import Ledger
from daemon.core.content.answers import FORM_CHARS
from daemon.core.tasks.task import OPEN, STAGE_OF, Phase, Stage
from daemon.store.database import Database, reads, writes
from daemon.store.models import BatchRow, PhaseRow, SystemStateRow, TaskRow
from daemon.store.statements import replace

_UNMEASURED = Ledger()
_PAST_STT = tuple(status.value for status in OPEN if STAGE_OF[status] is not Stage.STT)


def group_name(group: Iterable[Stage]) -> str:
    """A group's name in the database: its stages in their order, as in `extract+rate`."""
    members = frozenset(group)
    return "+".join(stage.value for stage in Stage if stage in members)


@writes
def open_batch(db: Database, now: float, size: int) -> int:
    """Begin a batch of at most `size` tasks. Gives its id."""
    return int(BatchRow.insert(started_at=now, size=size).execute(db))


@reads
def last_batch(db: Database) -> int | None:
    """The id of the newest batch, if there was one."""
    newest: int | None = BatchRow.select(fn.MAX(BatchRow.id)).scalar(db)
    return newest


@writes
def close_batch(db: Database, batch_id: int, now: float) -> None:
    """End a batch."""
    BatchRow.update(ended_at=now).where(BatchRow.id == batch_id).execute(db)


@writes
def began(db: Database, group: Iterable[Stage], phase: Phase, batch_id: int | None, now: float) -> int:
    """Record that a switch to `group` begins. Gives the phase's id."""
    query = PhaseRow.insert(
        group_name=group_name(group), phase=phase.value, batch_id=batch_id, started_at=now
    )
    return int(query.execute(db))


@writes
def ready(db: Database, phase_id: int, now: float, switch_s: float, ledger: Ledger = _UNMEASURED) -> None:
    """Record that the group is verified loaded after `switch_s` seconds, and the memory found on the GPU."""
    PhaseRow.update(
        ready_at=now,
        switch_s=switch_s,
        freed_mb=ledger.freed_mb,
        foreign_mb=ledger.foreign_mb,
        needed_mb=ledger.needed_mb,
        margin_mb=ledger.margin_mb,
        holders=json.dumps([holder.model_dump() for holder in ledger.holders]),
    ).where(PhaseRow.id == phase_id).execute(db)


@writes
def refused(db: Database, cause: str) -> None:
    """Record why the newest switch has to wait, or did not succeed."""
    newest = PhaseRow.select(fn.MAX(PhaseRow.id))
    PhaseRow.update(refused=cause).where(PhaseRow.id == newest).execute(db)


@writes
def ended(db: Database, phase_id: int, now: float, tasks: int) -> None:
    """Record that the group was left, after it brought `tasks` tasks to another group or to their end."""
    PhaseRow.update(ended_at=now, tasks=tasks).where(PhaseRow.id == phase_id).execute(db)


@reads
def longest_transcript(db: Database) -> int:
    """The characters of the longest transcript that waits for a language model; 0 without one."""
    text = fn.json_extract(TaskRow.stt_result, "$.transcript.text")
    query = TaskRow.select(fn.MAX(fn.LENGTH(text))).where(TaskRow.status.in_(_PAST_STT))
    return int(query.scalar(db) or 0)


@reads
def system_state(db: Database) -> SystemStateRow:
    """The row that tells other tools what runs."""
    return SystemStateRow.select().get(db)


@reads
def longest_form(db: Database) -> int:
    """The characters of the longest form that waits for a language model; the most that it can have where
    one is not read yet.
    """
    form = fn.IFNULL(fn.LENGTH(TaskRow.mistral_result), FORM_CHARS)
    return int(TaskRow.select(fn.MAX(form)).where(TaskRow.status.in_(_PAST_STT)).scalar(db) or 0)


@writes
def set_system_state(
    db: Database,
    phase: Phase,
    now: float,
    *,
    batch_id: int | None = None,
    phase_start: float | None = None,
    total: int = 0,
    completed: int = 0,
) -> None:
    """Replace the row that tells other tools what runs: `completed` of the phase's `total` tasks are done."""
    replace(
        db,
        SystemStateRow,
        id=1,
        current_phase=phase.value,
        current_batch_id=batch_id,
        phase_start_time=phase_start,
        total_tasks_in_phase=total,
        completed_tasks_in_phase=completed,
        last_updated=now,
    )
