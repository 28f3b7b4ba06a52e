"""The canary's records, and their acceptance by a person."""

from collections.abc import Iterable, Mapping
from typing import Any

from daemon.contracts.wire.canary import CanaryLine
from daemon.core.canary.record import CanaryRecord, accepted
from daemon.core.tasks.task import Stage
from daemon.core.timestamps import to_iso
from daemon.store import audit, settings
from daemon.store.database import Database, reads, writes

ACCEPTED = "canary accepted"
"""The kind of the audit's entry."""


@reads
def read(db: Database, keys: Iterable[str]) -> dict[str, CanaryRecord]:
    """The records of these configurations; an empty one where none was kept."""
    return {key: CanaryRecord.model_validate(settings.get(db, key, {})) for key in keys}


@writes
def keep(db: Database, records: dict[str, CanaryRecord]) -> None:
    """Keep records, by their keys."""
    for key, record in records.items():
        settings.put(db, key, record.model_dump(mode="json"))


@writes
def accept(db: Database, keys: Iterable[str], *, at: float, actor: str) -> dict[str, CanaryRecord]:
    """Make what drifted of these configurations the reference. Gives the records that changed."""
    changed = {}
    for key, before in read(db, keys).items():
        after = accepted(before, actor, at)
        if after == before:
            continue
        was, now = ({"configuration": key, **_reference(each)} for each in (before, after))
        audit.append(db, at=at, actor=actor, what=ACCEPTED, subject=audit.WHOLE, before=was, after=now)
        changed[key] = after
    keep(db, changed)
    return changed


def _reference(record: CanaryRecord) -> dict[str, Any]:
    return {} if record.reference is None else record.reference.model_dump(mode="json")


@reads
def lines(db: Database, keys: Mapping[Stage, str]) -> list[CanaryLine]:
    """The records as they are shown, in the order of the stages."""
    records = read(db, list(keys.values()))
    return [_line(stage, key, records[key]) for stage, key in keys.items()]


def _line(stage: Stage, key: str, record: CanaryRecord) -> CanaryLine:
    reference, last = record.reference, record.last
    return CanaryLine(
        stage=stage,
        configuration=key.removeprefix(f"canary {stage} "),
        recorded_at=None if reference is None else to_iso(reference.at),
        recorded_by=None if reference is None else reference.by,
        asked_at=None if last is None else to_iso(last.at),
        identity={} if reference is None else reference.identity,
        answer=None if reference is None else reference.answer,
        drift=list(record.drift),
    )
