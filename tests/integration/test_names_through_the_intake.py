"""Names, suffixes and empty files through the whole intake, and names that several students share."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon.core.intake.ownership import Ownership
from daemon.core.tasks.task import Status, Task
from daemon.store import Database, recovery, users
from daemon.store.claims import still_open
from daemon.store.documents import undelivered
from daemon.supervisor.task_book import superseded
from tests.support.intake_lab import IntakeLab, lab
from tests.support.waiting import until


@pytest.fixture
def here(tmp_path: Path) -> Iterator[IntakeLab]:
    with lab(tmp_path) as opened:
        yield opened


def claimed(here: IntakeLab, check: Callable[[], Awaitable[None]] | None = None, **settings: Any) -> None:
    """Run an intake until it has nothing more to claim, or while `check` does."""

    async def run() -> None:
        intake, stop = here.intake(**{"empty_s": 0.05, **settings}), asyncio.Event()
        running = asyncio.create_task(intake.run(stop))
        await (check() if check else intake.settle())
        stop.set()
        await asyncio.wait_for(running, 10)

    asyncio.run(run())


def tasks(here: IntakeLab) -> list[Task]:
    return list(here.database.now(recovery.open_tasks))


def reasons(here: IntakeLab) -> dict[str, str]:
    documents = [json.loads(each.content) for each in here.database.now(undelivered, 1000)]
    return {each["filename"]: each["reason"] for each in documents if "reason" in each}


def test_a_file_of_any_suffix_is_claimed_and_one_that_is_no_recording_is_refused(here: IntakeLab) -> None:
    here.drop("s060_intro.3gp", b"10 a")
    here.drop("s061/intro", b"10 b")
    here.drop("s062_intro.xyz", b"text of a letter")
    here.drop("s063_intro.zip", b"PK")
    here.drop("s064_intro.mp4", b"text in a video's name")
    claimed(here)
    assert sorted(task.student for task in tasks(here)) == ["s060", "s061"]
    told = reasons(here)
    assert sorted(told) == ["s062_intro.xyz", "s063_intro.zip"]
    assert told["s062_intro.xyz"].startswith("no_media_type: ")
    assert "this is a text" in told["s062_intro.xyz"]
    assert told["s063_intro.zip"].startswith("archive: ")
    assert [born.claim.filename for born in here.born if born.task and born.task.status is Status.FAILED] == [
        "s064_intro.mp4"
    ]
    assert sorted(path.suffix for path in (here.state / "rejected").iterdir()) == [".xyz", ".zip"]
    assert here.database.now(still_open) == []


def test_upper_and_lower_case_are_one_student_by_the_first_spelling(here: IntakeLab) -> None:
    for name, content in (("s060_a.mp4", b"10 a"), ("S060_b.mp4", b"10 bb"), ("S060_c.mp4", b"10 a")):
        here.drop(name, content)
        claimed(here)
    assert [task.student for task in tasks(here)] == ["s060", "s060"]
    assert "duplicate" in reasons(here)["S060_c.mp4"]
    of_claims = here.database.now(lambda db: db.execute_sql("SELECT DISTINCT student FROM claims").fetchall())
    assert of_claims == [("s060",)]


def test_two_new_spellings_at_once_are_one_student(here: IntakeLab) -> None:
    here.drop("anna/a.mp4", b"10 b")
    here.drop("Anna/b.mp4", b"10 cc")
    claimed(here)
    assert len({task.student for task in tasks(here)}) == 1


def test_a_known_spelling_goes_before_one_that_differs_in_case(here: IntakeLab) -> None:
    add = "INSERT INTO users (username, created_at) VALUES (?, '2026-11-26T10:00:00Z')"
    for name in ("Élise", "s060", "S060"):
        here.database.now(Database.execute_sql, add, (name,))
    known = here.database.now(users.known, ["élise", "S060", "s060", "nobody"])
    assert known == {"élise": "Élise", "S060": "S060", "s060": "s060"}


def test_an_empty_file_waits_for_its_content(here: IntakeLab) -> None:
    path = here.drop("s060_intro.mp4", b"")
    here.drop("s061_intro.mp4")

    async def check() -> None:
        await until(lambda: here.born)
        path.write_bytes(b"12 seconds")
        await until(lambda: len(here.born) == 2)

    claimed(here, check, empty_s=300.0)
    assert sorted((task.student, task.size_bytes) for task in tasks(here)) == [("s060", 10), ("s061", 20)]


def test_a_file_that_stays_empty_is_handed_in(here: IntakeLab) -> None:
    here.drop("s060_intro.mp4", b"")
    claimed(here)
    assert [born.task and born.task.status for born in here.born] == [Status.FAILED]


def test_a_new_name_that_brings_several_videos_is_an_alarm_and_refuses_none(here: IntakeLab) -> None:
    here.database.now(lambda db: setattr(db, "resubmission", "reject"))
    for number in range(3):
        here.drop(f"Robotics_{number}.mp4", b"10 " + b"x" * number)
        here.drop(f"s060_{number}.mp4", b"10 s" + b"y" * number)
    claimed(here)
    told = {alarm.path: str(alarm.trouble) for alarms in here.alarms for alarm in alarms}
    assert sorted(told) == ["Robotics", "s060"]
    assert "3 different videos" in told["Robotics"]
    assert [task.student for task in tasks(here)].count("Robotics") == 3
    assert [task.student for task in tasks(here)].count("s060") == 1
    assert {task.student: task.shared_name for task in tasks(here)} == {"Robotics": True, "s060": False}


def test_a_known_student_may_bring_as_many_as_he_likes(here: IntakeLab) -> None:
    here.drop("anna_0.mp4")
    claimed(here)
    for number in range(3):
        here.drop(f"anna_{number}.mp4", b"10 " + b"x" * number)
    claimed(here)
    assert [alarm for alarms in here.alarms for alarm in alarms] == []
    assert not any(task.shared_name for task in tasks(here))


def test_the_newest_video_of_a_shared_name_cancels_none() -> None:
    first = Task(1, "Robotics", "a.mp4", "", "", 1, 1.0, claimed_at=1.0)
    later = replace(first, id=2, claimed_at=2.0)
    assert superseded([first, later], Ownership()) == [first]
    shared = [replace(task, shared_name=True) for task in (first, later)]
    assert superseded(shared, Ownership()) == []


def test_what_belongs_to_nobody_is_left_where_it_is(here: IntakeLab) -> None:
    names = ["s060_a.mp4.opdownload", "s060_a.mp4:Zone.Identifier", "IMG_2041.AAE", "s060/captions.vtt"]
    for name in names:
        here.drop(name)
    claimed(here)
    assert here.born == []
    assert reasons(here) == {}
    assert sorted(str(path.relative_to(here.inbox)) for path in here.inbox.rglob("*.*")) == sorted(names)
