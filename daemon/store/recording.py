"""The record of a day in the database: events, readings of the GPU, and what the dashboard showed."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from daemon.contracts.wire.base import EventLine
from daemon.contracts.wire.status import GpuPoint
from daemon.core.keeping.frames import Stretch, without
from daemon.core.keeping.traces import Traces
from daemon.core.timestamps import from_iso, to_iso
from daemon.store.database import Database, impatient, reads, writes
from daemon.store.record_models import GpuPointRow, NewsRow, StretchRow
from daemon.store.statements import replace

_LINE = [getattr(NewsRow, name) for name in EventLine.model_fields]
_KEPT: tuple[Any, ...] = (NewsRow, GpuPointRow, StretchRow)


def keep(
    db: Database, events: Sequence[EventLine], points: Sequence[GpuPoint], stretch: Stretch | None = None
) -> None:
    """Write events, readings and the frames of a stretch, which may be written again when it has more.

    Raises StoreError at once while another program locks the database.
    """
    with impatient(db):
        _keep(db, events, points, stretch)


@writes
def _keep(
    db: Database, events: Sequence[EventLine], points: Sequence[GpuPoint], stretch: Stretch | None
) -> None:
    for event in events:
        replace(db, NewsRow, **event.model_dump() | {"at": from_iso(event.at)})
    for point in points:
        values = point.model_dump(exclude={"group"}) | {"at": from_iso(point.at)}
        replace(db, GpuPointRow, **values, group_name="+".join(point.group))
    if stretch is not None and stretch.frames:
        values = {"ended_at": stretch.ended_at, "frames": stretch.packed()}
        row = StretchRow.insert(began_at=stretch.began_at, **values)
        row.on_conflict(conflict_target=[StretchRow.began_at], update=values).execute(db)


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


@reads
def stretches(db: Database, since: float, until: float) -> list[tuple[int, float, float]]:
    """The stretches that touch a time, the oldest first: id, begin and end."""
    chosen = (StretchRow.began_at < until) & (StretchRow.ended_at >= since)
    rows = StretchRow.select(StretchRow.id, StretchRow.began_at, StretchRow.ended_at).where(chosen)
    return list(rows.order_by(StretchRow.began_at, StretchRow.id).tuples().execute(db))


@reads
def begins(db: Database) -> list[float]:
    """When each stretch began, the oldest first."""
    return [
        at
        for (at,) in StretchRow.select(StretchRow.began_at).order_by(StretchRow.began_at).tuples().execute(db)
    ]


@reads
def frames(db: Database, stretch: int) -> bytes:
    """The packed frames of a stretch; nothing if it is gone."""
    found = StretchRow.select(StretchRow.frames).where(StretchRow.id == stretch).scalar(db)
    return bytes(found or b"")


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


@writes
def forget_frames(db: Database, traces: Traces, after: int, most: int) -> int | None:
    """Remove a student from at most `most` stretches with ids above `after`. Gives the last one's id, or None
    after the last.
    """
    rows = StretchRow.select(StretchRow.id, StretchRow.frames).where(StretchRow.id > after)
    last = None
    for last, packed in rows.order_by(StretchRow.id).limit(most).tuples().execute(db):
        if (others := without(bytes(packed), traces)) is not None:
            StretchRow.update(frames=others).where(StretchRow.id == last).execute(db)
    return last


def adopt(db: Database, file: Path) -> None:
    """Take over the events of the file in which earlier versions kept them, and delete it."""
    if not file.exists():
        return
    found = []
    for line in file.read_bytes().splitlines():
        with contextlib.suppress(ValueError):  # a crash may have torn it
            found.append(EventLine.model_validate_json(line))
    _keep(db, found, (), None)
    file.unlink()


def _lines(db: Database, query: Any) -> list[EventLine]:
    return [EventLine(**row | {"at": to_iso(row["at"])}) for row in query.dicts().execute(db)]
