"""The ring of events: ids that grow, what a reader has missed, and how those who wait are told."""

import asyncio

import pytest

from daemon.contracts.values import Change, Failed, Ticket
from daemon.core.errors import Blame, Fault
from daemon.core.keeping.traces import Traces
from daemon.core.tasks.task import Event, Status, Task
from daemon.monitoring.events import Events

NOW = 1_700_000_000.0


def make(size: int = 1000, now: float = NOW) -> Events:
    return Events(lambda: now, size)


def said(events: Events, after: int) -> list[str] | None:
    newer = events.after(after)
    return None if newer is None else [event.message for event in newer]


def test_ids_grow_also_over_a_restart() -> None:
    before = make()
    for number in range(50):
        before.add("order", str(number))
    ids = [event.id for event in before.recent(100)]
    assert ids == sorted(set(ids))
    assert make(now=NOW + 1).last_id > ids[-1]


def again(before: Events, now: float, size: int = 1000) -> Events:
    """The events of the next run, which has found those of `before` in the database."""
    return Events(lambda: now, size, before.recent(size))


def test_a_restart_keeps_the_last_events_and_a_reader_goes_on_where_it_was() -> None:
    before = make()
    for word in ("one", "two"):
        before.add("order", word)
    seen = before.recent(9)[0].id
    after = again(before, NOW + 60)
    assert said(after, seen) == ["two"]
    assert said(after, after.last_id) == [], "and waits for the next"
    after.add("order", "three")
    assert said(after, seen) == ["two", "three"]
    set_back = again(after, NOW - 60)
    set_back.add("order", "four")
    ids = [event.id for event in set_back.recent(9)]
    assert ids == sorted(set(ids))
    assert ids[2] == (NOW + 60) * 1000


@pytest.mark.anyio
async def test_after_a_restart_a_reader_waits_and_does_not_spin() -> None:
    before = make()
    before.add("order", "one")
    after = again(before, NOW + 60)
    waiting = asyncio.create_task(after.wait(after.recent(1)[0].id))
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


def test_what_is_not_in_the_database_yet_is_what_was_said_since() -> None:
    before = make()
    before.add("order", "one")
    after = again(before, NOW + 60, size=3)
    assert after.unwritten == []
    for word in ("two", "three"):
        after.add("order", word)
    assert [event.message for event in after.unwritten] == ["two", "three"]
    after.written_id = after.unwritten[0].id
    assert [event.message for event in after.unwritten] == ["three"]
    for number in range(9):
        after.add("order", str(number))
    assert [event.message for event in after.unwritten] == ["6", "7", "8"], "no more than the ring holds"


def test_a_reader_is_given_what_it_has_not_seen() -> None:
    events = make()
    start = events.last_id
    for number in range(3):
        events.add("order", str(number))
    assert said(events, start) == ["0", "1", "2"]
    assert said(events, start + 2) == ["2"]
    assert said(events, start + 3) == []


def test_who_has_missed_what_the_ring_has_lost_is_told_so() -> None:
    events = make(size=2)
    start = events.last_id
    for number in range(3):
        events.add("order", str(number))
    assert said(events, start) is None
    assert said(events, start + 1) == ["1", "2"]
    assert said(events, start + 99) is None, "an id of the future is of another daemon"
    assert said(events, 0) is None


def test_the_ring_holds_no_more_than_its_size() -> None:
    events = make(size=5)
    for number in range(100):
        events.add("order", str(number))
    assert [event.message for event in events.recent(1000)] == ["95", "96", "97", "98", "99"]
    assert [event.message for event in events.recent(2)] == ["98", "99"]


def test_a_forgotten_student_is_not_spoken_of_any_more() -> None:
    events = make()
    start = events.last_id
    events.add("task", "one", student="ada")
    events.add("task", "two", student="ben")
    events.forget(Traces("ada"))
    assert [event.message for event in events.recent(10)] == ["two"]
    assert said(events, start) is None
    events.add("order", "three")
    assert said(events, events.last_id - 1) == ["three"]


def test_every_event_and_every_change_raises_the_sequence() -> None:
    events = make()
    seen = [events.seq]
    events.add("order", "x")
    seen.append(events.seq)
    events.changed()
    seen.append(events.seq)
    assert seen == sorted(set(seen))


@pytest.mark.anyio
async def test_all_who_wait_are_woken_by_the_next_event_and_by_the_end() -> None:
    events = make()
    waiting = [asyncio.create_task(events.wait(events.last_id)) for _ in range(3)]
    await asyncio.sleep(0)
    events.add("order", "x")
    async with asyncio.timeout(5):
        await asyncio.gather(*waiting)
    last = asyncio.create_task(events.wait(events.last_id))
    await asyncio.sleep(0)
    assert not last.done()
    events.close()
    async with asyncio.timeout(5):
        await last


def test_transitions_are_told_of_and_mere_admissions_are_not() -> None:
    events = make()
    task = Task(7, "ada", "me.mp4", "/x", "sha", 1, 10.0, NOW, Status.UPLOADED)
    running = Task(7, "ada", "me.mp4", "/x", "sha", 1, 10.0, NOW, Status.STT_PROCESSING)
    fault = Failed(Ticket(7, 1, 1), Fault(Blame.TASK, "bad", "it broke\x1b[31m"))
    events.committed(
        [
            Change(task, task, Event.ADMITTED, NOW),
            Change(running, task, Event.RELEASED, NOW),
            Change(running, task, Event.RELEASED, NOW, 2.0, fault),
        ]
    )
    (told,) = events.recent(10)
    assert (told.kind, told.task_id, told.student, told.status) == ("task", 7, "ada", "uploaded")
    assert "it broke" in told.message
    assert "\x1b" not in told.message


def test_who_was_there_before_a_student_was_forgotten_never_sees_an_event_twice() -> None:
    events = make(size=3)
    events.add("task", "claimed", student="s001")
    events.add("order", "pause")
    seen = events.last_id
    events.add("task", "claimed", student="s002")
    events.forget(Traces("s001"))
    for number in range(2):  # the ring is full again, and drops what is older than the forgetting
        events.add("order", str(number))
    assert said(events, seen) is None
