"""Retention: what is kept for a time, and that no clock alone ends it."""

import json
import sqlite3
import time
import zipfile
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from daemon.app.parts import Daemon
from daemon.config.records import RetentionSettings
from daemon.contracts.values import ClaimStep
from daemon.contracts.wire.classes import ClassWanted
from daemon.contracts.wire.words import Verb
from daemon.core.classes.roster import RosterEntry
from daemon.core.errors import IllegalTransition
from daemon.core.keeping.witness import Reading
from daemon.delivery.retention import Retention, read_clocks
from daemon.monitoring.alarms import Alarms
from daemon.store import audit, claims, classes, expiring, keeping, open_reader, open_store, recording, videos
from daemon.store.session import Session
from daemon.system.shelves import loose_files
from daemon.system.state_folder import DATABASE
from tests.integration.stores import birth, born, claim, completed, deliver_all
from tests.support.inprocess import Lab, worked_off
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

DAY = 86_400.0


@dataclass
class Clocks:
    """Both clocks, as a test sets them; how often the daemon has looked at them."""

    now: Reading
    looks: int = 0

    def __call__(self) -> Reading:
        self.looks += 1
        return self.now

    def run(self, days: float) -> None:
        """Time passes, and the daemon is down meanwhile, but not the machine."""
        self.now = replace(self.now, wall=self.now.wall + days * DAY, uptime=self.now.uptime + days * DAY)

    def boot(self, wall_days: float) -> None:
        """The machine is started anew, with a clock that says that so much time has passed."""
        self.now = Reading(self.now.wall + wall_days * DAY, self.now.boot + "+", 60.0)


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    clocks = Clocks(Reading(time.time(), "boot", 1000.0))
    monkeypatch.setattr("daemon.app.run.read_clocks", clocks)
    return clocks


@asynccontextmanager
async def looked(lab: Lab, clocks: Clocks) -> AsyncIterator[Daemon]:
    """The daemon, once it looks at what is kept. It ends when it has deleted what there was to delete."""
    clocks.looks = 0
    async with lab.daemon() as daemon:
        await until(lambda: clocks.looks)
        yield daemon


def archived(lab: Lab) -> set[str]:
    return {path.parent.name for path in lab.config.paths.state.glob("archive/*/*.mp4")}


def refused(lab: Lab) -> list[str]:
    return sorted(path.suffix for path in (lab.config.paths.state / "rejected").iterdir())


async def test_a_video_is_removed_when_its_time_is_over_and_not_before(
    tmp_path: Path, clocks: Clocks
) -> None:
    lab = Lab(tmp_path, settings={"retention.archive_days": 1})
    for number in range(12):
        lab.hand_in(f"s{number:03d}_me.mp4")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    async with looked(lab, clocks) as daemon:  # the time of these begins
        lab.hand_in("lara_me.mp4")
        await worked_off(daemon)
        await daemon.supervisor.ask(Verb.RATE, 1)
        await daemon.supervisor.ask(Verb.HOLD, 1)
    clocks.run(0.9)
    async with looked(lab, clocks):
        pass
    assert len(archived(lab)) == 13
    clocks.run(0.2)
    async with lab.daemon() as daemon:
        await until(lambda: len(archived(lab)) <= 2)
        assert archived(lab) == {"s000", "lara"}, "that of the open task, and the one whose time is not over"
        with pytest.raises(IllegalTransition):
            await daemon.supervisor.ask(Verb.RETRY, 2)


async def test_results_go_when_their_time_is_over_and_leave_nothing_of_the_student_but_the_outbox(
    tmp_path: Path, clocks: Clocks
) -> None:
    lab = Lab(tmp_path, settings={"retention.archive_days": 1, "retention.result_days": 3})
    for name in ("sidonia_me.mp4", "thaddea_me.mp4"):
        lab.hand_in(name)
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    delivered = set(lab.results())
    async with looked(lab, clocks):
        pass
    clocks.run(2)
    async with lab.daemon() as daemon:
        await until(lambda: not archived(lab))
        await daemon.supervisor.ask(Verb.RATE, 2)
        await daemon.supervisor.ask(Verb.HOLD, 2)
    for _ in range(2):  # a look counts no more than a day
        clocks.run(0.9)
        async with looked(lab, clocks):
            pass
    clocks.run(0.9)
    async with lab.daemon() as daemon:
        await until(lambda: 1 not in tasks_of(lab))
        assert tasks_of(lab) == [2], "an open task keeps what it has"
        assert [entry.what for entry in await daemon.session(audit.entries)].count("results expired") == 1
    with closing(sqlite3.connect(lab.config.paths.state / DATABASE)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for table in ("users", "claims", "documents", "task_events", "processing_tasks"):
            rows = database.execute(f"SELECT * FROM {table}").fetchall()
            assert "sidonia" not in str(rows), table
            assert "thaddea" in str(rows) or table == "task_events"
    assert set(lab.results()) >= delivered


def tasks_of(lab: Lab) -> list[int]:
    with closing(sqlite3.connect(lab.config.paths.state / DATABASE)) as database:
        return [id_ for (id_,) in database.execute("SELECT id FROM processing_tasks ORDER BY id")]


async def test_of_an_open_class_nothing_expires_and_of_a_closed_one_its_roster_does(
    tmp_path: Path, clocks: Clocks
) -> None:
    with open_store(tmp_path / DATABASE) as store:
        entries = [RosterEntry(student="anna", name="Anna Kern", email="anna@example.org")]
        one = classes.open_class(
            store, "day", deadline=None, rubric=None, archive_days=5.0, entries=entries, now=0.0, actor=None
        )
        (task,) = born(store, birth("a"))
        completed(store, task)
        deliver_all(store)
        videos.archived(store, [(task.id, tmp_path / "a.mp4")], 0.0)
        witnessed = keeping.witness(store, clocks()).witnessed
        expiring.begin(store, witnessed)
        assert keeping.expired(store, witnessed + 4 * DAY, DAY, 9) == [], "the class has days of its own"
        assert len(keeping.expired(store, witnessed + 5 * DAY, DAY, 9)) == 1
        assert expiring.finished(store, witnessed + 90 * DAY, 9) == []
        assert expiring.delete_rosters(store, witnessed + 90 * DAY, 0.0) == 0
        classes.close_class(store, 1.0, None)
        expiring.begin(store, witnessed + DAY)
        assert [each.id for each in expiring.finished(store, witnessed, 9)] == [task.id]
        assert expiring.delete_rosters(store, witnessed, 0.0) == 0
        assert expiring.delete_rosters(store, witnessed + DAY, 0.0) == 1
        assert len(classes.roster(store, one.id).entries) == 0


@pytest.mark.parametrize("boots", [False, True])
async def test_a_start_with_a_clock_a_month_ahead_deletes_nothing_and_says_so(
    tmp_path: Path, clocks: Clocks, boots: bool
) -> None:
    lab = Lab(tmp_path)
    for name in ("s001_me.mp4", "s001_notes.txt"):
        lab.hand_in(name)
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    async with looked(lab, clocks):
        pass
    if boots:
        clocks.boot(31)
    else:
        clocks.now = replace(clocks.now, wall=clocks.now.wall + 31 * DAY)
    for _ in range(3):
        async with looked(lab, clocks) as daemon:
            await until(lambda: daemon.alarms.all)
            (told,) = [str(alarm.trouble) for alarm in daemon.alarms.all if alarm.code == "clock"]
            assert "ahead" in told
        assert archived(lab) == {"s001"}
        assert refused(lab) == [".txt"]


async def test_refused_files_and_copies_of_the_database_are_kept_for_the_same_time(
    tmp_path: Path, clocks: Clocks
) -> None:
    lab = Lab(tmp_path, settings={"retention.archive_days": 1})
    state = lab.config.paths.state
    lab.hand_in("s001_notes.txt")
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    copy = state / f"{DATABASE}.before-0005_kept_time"
    copy.write_bytes(b"everything")
    async with looked(lab, clocks) as daemon:
        lab.hand_in("s002_slides.pdf")
        await worked_off(daemon)
    clocks.run(0.9)
    async with looked(lab, clocks):
        pass
    assert refused(lab) == [".pdf", ".txt"]
    assert copy.exists()
    clocks.run(0.2)
    async with looked(lab, clocks):
        await until(lambda: not copy.exists() and refused(lab) == [".pdf"])
    with closing(sqlite3.connect(state / DATABASE)) as database:
        assert database.execute("SELECT filename FROM claims").fetchall() == [("s002_slides.pdf",)]
        assert database.execute("SELECT count(*) FROM kept_files").fetchone() == (1,)
        (reason,) = database.execute("SELECT content FROM documents").fetchone()
        assert json.loads(reason)["filename"] == "s002_slides.pdf", "and the reasons go with the files"
    assert len(list((lab.outbox / "_rejected").iterdir())) == 2, "why they were refused stays"


async def test_the_reasons_of_what_was_refused_in_a_package_go_with_the_package(
    tmp_path: Path, clocks: Clocks
) -> None:
    lab = Lab(tmp_path, settings={"retention.archive_days": 1})
    with zipfile.ZipFile(tmp_path / "week.zip", "w") as package:
        package.writestr("s001/cv.pdf", b"%PDF")
        package.writestr("s002/cv.pdf", b"%PDF")
    lab.hand_in("week.zip", (tmp_path / "week.zip").read_bytes())
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    async with looked(lab, clocks) as daemon:
        lab.hand_in("s003_notes.txt")
        await worked_off(daemon)
    clocks.run(0.9)
    async with looked(lab, clocks):
        pass
    assert reasons(lab) == ["cv.pdf", "cv.pdf", "s003_notes.txt"]
    clocks.run(0.2)
    async with looked(lab, clocks):
        await until(lambda: reasons(lab) == ["s003_notes.txt"])
    assert len(list((lab.outbox / "_rejected").iterdir())) == 3


def reasons(lab: Lab) -> list[str]:
    with closing(sqlite3.connect(lab.config.paths.state / DATABASE)) as database:
        found = database.execute("SELECT content FROM documents WHERE kind = 'reason'").fetchall()
    return sorted(json.loads(content)["filename"] for (content,) in found)


def test_a_refused_file_whose_claim_is_not_closed_stays(tmp_path: Path) -> None:
    open_, closed = "0" * 20, "1" * 20
    (tmp_path / "rejected").mkdir()
    for name in (open_, closed):
        (tmp_path / "rejected" / f"{name}-notes.txt").write_bytes(b"")
    alarms = Alarms(time.time)
    with open_store(tmp_path / DATABASE) as store, ThreadPoolExecutor(1) as executor:
        claims.add(store, [claim(open_, None), claim(closed, None)])
        claims.step(store, [closed], ClaimStep.DONE)
        retention = Retention(
            Session(store, executor, alarms.on),
            RetentionSettings(archive_days=0),
            tmp_path,
            alarms,
            read_clocks,
        )
        seen = keeping.witness(store, read_clocks())
        assert retention._remove_files(store, loose_files(tmp_path), seen) == 1
        assert [each.id for each in claims.still_open(store)] == [open_]
    assert [path.name for path in (tmp_path / "rejected").iterdir()] == [f"{open_}-notes.txt"]


async def test_a_claim_is_kept_no_longer_than_its_refused_file(tmp_path: Path, clocks: Clocks) -> None:
    lab = Lab(tmp_path)
    rejected = lab.config.paths.state / "rejected"
    for name in ("s001_notes.txt", "s002_me.mp4"):
        lab.hand_in(name)
    async with lab.daemon() as daemon:
        await worked_off(daemon)
    async with looked(lab, clocks):
        pass
    (rejected / "inner").mkdir()  # somebody's own, and not ours to delete
    (file,) = rejected.glob("*.txt")
    file.unlink()
    async with looked(lab, clocks) as daemon:
        assert not [alarm for alarm in daemon.alarms.all if alarm.code == "retention"]
    with closing(sqlite3.connect(lab.config.paths.state / DATABASE)) as database:
        assert database.execute("SELECT filename FROM claims").fetchall() == [("s002_me.mp4",)]
    assert (rejected / "inner").is_dir()


async def test_the_record_of_a_day_is_removed_in_steps_when_its_time_is_over(
    tmp_path: Path, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.delivery.retention._LINES_AT_ONCE", 5)
    lab = Lab(tmp_path, settings={"retention.record_days": 2})
    async with lab.daemon() as daemon:
        for number in range(12):
            daemon.events.add("order", f"old {number}")
    clocks.run(1.5)
    async with looked(lab, clocks) as daemon:  # their time begins with the first look
        daemon.events.add("order", "new")
    clocks.run(1.0)

    def kept() -> list[str]:
        with open_reader(lab.config.paths.state / DATABASE) as db:
            events = recording.last_events(db, 1000)
        return [event.message for event in events if event.kind == "order"]

    async with looked(lab, clocks):
        await until(lambda: len(kept()) == 13)
    clocks.run(1.1)
    async with looked(lab, clocks):
        await until(lambda: kept() == ["new"])


async def test_a_class_keeps_its_videos_for_a_time_of_its_own(tmp_path: Path, clocks: Clocks) -> None:
    lab = Lab(tmp_path, settings={"retention.archive_days": 1})
    async with lab.daemon() as daemon:
        lab.hand_in("s001_me.mp4")
        await worked_off(daemon)
        await daemon.classes.open(ClassWanted(name="kept", archive_days=3), None)
        lab.hand_in("s002_me.mp4")
        await worked_off(daemon)
    async with looked(lab, clocks):
        pass
    for days, left in ((1.5, {"s002"}), (2.0, set[str]())):
        clocks.run(days)
        async with looked(lab, clocks):
            pass
        assert archived(lab) == left
