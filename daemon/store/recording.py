"""The record of a day in the database: the daemon's events, and readings of the GPU."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from daemon.contracts.wire.base import EventLine
from daemon.contracts.wire.status import GpuPoint
from daemon.core.keeping.traces import Traces
from daemon.core.timestamps import from_iso, to_iso
from daemon.store.database import Database, impatient, reads, writes
from daemon.store.models import GpuPointRow, NewsRow, StretchRow

_LINE = [getattr(NewsRow, name) for name in EventLine.model_fields]
_KEPT: tuple[Any, ...] = (NewsRow, GpuPointRow, StretchRow)


def keep(db: Database, events: Sequence[EventLine], points: Sequence[GpuPoint]) -> None:
    """Write events and readings. Raises StoreError at once while another program locks the database."""
    with impatient(db):
        _keep(db, events, points)


@writes
def _keep(db: Database, events: Sequence[EventLine], points: Sequence[GpuPoint]) -> None:
    for event in events:
        NewsRow.insert(**event.model_dump() | {"at": from_iso(event.at)}).on_conflict_replace().execute(db)
    for point in points:
        values = point.model_dump(exclude={"group"}) | {"at": from_iso(point.at)}
        GpuPointRow.insert(**values, group_name="+".join(point.group)).on_conflict_replace().execute(db)


@reads
def last_events(db: Database, most: int, until: float | None = None) -> list[EventLine]:
    """The last events, those until a time where one is given, the oldest first."""
    query = NewsRow.select(*_LINE).order_by(NewsRow.id.desc()).limit(most)
    if until is not None:
        query = query.where(NewsRow.at <= until)
    return _lines(db, query)[::-1]


@reads
def events_between(db: Database, since: float, until: float, after: int, most: int) -> list[EventLine]:
    """At most `most` events from `since` to before `until`, the oldest first; only ids above `after`."""
    chosen = (NewsRow.at >= since) & (NewsRow.at < until) & (NewsRow.id > after)
    return _lines(db, NewsRow.select(*_LINE).where(chosen).order_by(NewsRow.id).limit(most))


@reads
def points_between(db: Database, since: float, until: float, most: int) -> list[GpuPoint]:
    """The last readings after `since` until a time, at most `most`, the oldest first."""
    chosen = (GpuPointRow.at > since) & (GpuPointRow.at <= until)
    rows = GpuPointRow.select().where(chosen).order_by(GpuPointRow.at.desc()).limit(most).execute(db)
    points = [
        GpuPoint(
            at=to_iso(row.at),
            utilisation=row.utilisation,
            used_mb=row.used_mb,
            temperature_c=row.temperature_c,
            power_w=row.power_w,
            group=row.group_name.split("+") if row.group_name else [],
        )
        for row in rows
    ]
    return points[::-1]


@writes
def expire(db: Database, witnessed: float, until: float, most: int) -> int:
    """Delete at most `most` rows of each kind that are kept since `until` (witnessed seconds) or longer; new
    ones are kept since `witnessed`. Gives how many.
    """
    removed = 0
    for model in _KEPT:
        model.update(kept_from=witnessed).where(model.kept_from.is_null()).execute(db)
        key = model._meta.primary_key
        due = model.select(key).where(model.kept_from <= until).limit(most)
        removed += model.delete().where(key.in_(due)).execute(db)
    return removed


@writes
def forget_events(db: Database, traces: Traces) -> None:
    """Delete the events of a student, those whose words name the student, and of orders who gave them."""
    NewsRow.update(actor=None).where(NewsRow.actor == traces.student).execute(db)
    named = traces.in_text()
    rows = NewsRow.select(NewsRow.id, NewsRow.student, NewsRow.message).tuples().execute(db).iterator()
    mine = [id_ for id_, student, said in rows if student == traces.student or named.found(said.encode())]
    for id_ in mine:
        NewsRow.delete().where(NewsRow.id == id_).execute(db)


def adopt(db: Database, file: Path) -> None:
    """Take over the events of the file in which earlier versions kept them, and delete it."""
    if not file.exists():
        return
    found = []
    for line in file.read_bytes().splitlines():
        with contextlib.suppress(ValueError):  # a crash may have torn it
            found.append(EventLine.model_validate_json(line))
    _keep(db, found, ())
    file.unlink()


def _lines(db: Database, query: Any) -> list[EventLine]:
    return [EventLine(**row | {"at": to_iso(row["at"])}) for row in query.dicts().execute(db)]
