"""The record of a day: events and readings that are kept, found by their time, and forgotten."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from daemon.contracts.wire.base import EventLine
from daemon.contracts.wire.status import GpuPoint
from daemon.core.errors import StoreError
from daemon.core.keeping.traces import Traces
from daemon.core.timestamps import to_iso
from daemon.store import Database, open_store, recording
from tests.integration.stores import NOW


def said(number: int, message: str, student: str | None = None) -> EventLine:
    return EventLine(id=number, at=to_iso(NOW + number), kind="task", message=message, student=student)


def point(number: int, group: list[str]) -> GpuPoint:
    return GpuPoint(
        at=to_iso(NOW + number),
        utilisation=50.0,
        used_mb=None,
        temperature_c=61.0,
        power_w=120.5,
        group=group,
    )


def messages(db: Database) -> list[str]:
    return [event.message for event in recording.last_events(db, 100)]


def test_events_and_readings_are_found_by_their_time(store: Database) -> None:
    events = [said(number, f"event {number}", "ada") for number in range(1, 9)]
    points = [point(1, []), point(2, ["extract", "rate"]), point(3, ["stt"])]
    recording.keep(store, events, points)
    recording.keep(store, events[-1:], points[-1:])  # a write that is repeated changes nothing
    assert recording.last_events(store, 3) == events[-3:]
    assert recording.last_events(store, 3, NOW + 4) == events[1:4]
    assert recording.events_between(store, NOW + 2, NOW + 7, 3, 2) == events[3:5]
    assert recording.points_between(store, NOW + 1, NOW + 9, 9) == points[1:]
    assert recording.points_between(store, NOW, NOW + 2, 1) == points[1:2]


def test_a_student_is_forgotten_also_where_only_the_words_name_them(store: Database) -> None:
    order = said(4, "paused").model_copy(update={"actor": "ada"})
    recording.keep(store, [said(1, "starts", "ada"), said(2, "ada waits"), said(3, "adam waits"), order], ())
    recording.forget_events(store, Traces("ada"))
    assert messages(store) == ["adam waits", "paused"]
    assert recording.last_events(store, 1)[0].actor is None


def test_the_file_of_earlier_versions_is_taken_over_once(path: Path) -> None:
    open_store(path).close()
    file = path.with_name("events.jsonl")
    file.write_text(said(1, "one").model_dump_json() + "\n" + said(2, "two").model_dump_json()[:-9])
    with open_store(path) as store:
        assert messages(store) == ["one"]
    assert not file.exists()


def test_a_write_waits_for_nobody_elses_lock(path: Path) -> None:
    with open_store(path) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            recording.keep(store, [said(1, "one")], ())
        other.execute("ROLLBACK")
        recording.keep(store, [said(1, "one")], ())
        assert store.pragma("busy_timeout") == 15_000


def test_the_oldest_go_in_steps_and_none_before_its_time(store: Database) -> None:
    recording.keep(store, [said(number, "old") for number in range(1, 8)], [point(1, [])])
    assert recording.expire(store, 100.0, 50.0, 5) == 0
    recording.keep(store, [said(9, "new")], ())
    assert [recording.expire(store, 200.0, 100.0, 5) for _ in range(3)] == [6, 2, 0]
    assert messages(store) == ["new"]
