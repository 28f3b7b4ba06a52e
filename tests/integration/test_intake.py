"""The intake as a whole, on a real folder with real events: what students do, and what shares do."""

import asyncio
import contextlib
import errno
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence, Sized
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from daemon.contracts.values import Birth, Born, Claim
from daemon.core.errors import StoreError
from daemon.core.tasks.task import Status
from daemon.intake import watcher
from daemon.intake.files import Digest, Files, Halted
from daemon.intake.intake import Intake
from daemon.intake.watcher import Watching
from daemon.store import Database
from daemon.store.births import create_tasks
from daemon.store.claims import still_open
from daemon.store.documents import undelivered
from daemon.system.folder import Entry
from tests.integration.test_claim import Outcome, claim_all
from tests.support.intake_lab import Crash, Fuse, FusedFiles, FusedSession, IntakeLab, lab
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quiet watch is checked many times a second, and so is known to stand at once."""
    monkeypatch.setattr(watcher, "_CHECK_MS", 100)


class Ticks:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def running(intake: Intake, check: Callable[[], Awaitable[None]]) -> None:
    """Run an intake while `check` does, and see that it ends when told."""
    stop = asyncio.Event()
    run = asyncio.create_task(intake.run(stop))
    checking = asyncio.ensure_future(check())
    await asyncio.wait({run, checking}, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    await asyncio.wait_for(run, 10)
    await checking


def during(intake: Intake, check: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(running(intake, check))


def settled(lab: IntakeLab, **settings: Any) -> Intake:
    """Run an intake until nothing is left to take."""
    intake = lab.intake(**settings)
    during(intake, intake.settle)
    return intake


def longer(items: Sized, than: int) -> bool:
    return len(items) > than


def students(lab: IntakeLab) -> list[str]:
    return sorted(born.task.student for born in lab.born if born.task)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())


def test_what_is_there_at_the_start_and_what_comes_later_becomes_tasks(here: IntakeLab) -> None:
    async def check() -> None:
        await intake.settle()
        assert students(here) == ["s01", "s02"]
        here.drop("s03/late.mp4")
        await until(lambda: len(here.born) == 3)

    here.drop("s01/intro.mp4")
    here.drop("s02_intro.mp4")
    intake = here.intake(rescan_s=60.0)
    during(intake, check)
    assert left_in(here.inbox) == []
    assert here.alarms == []


def test_a_file_is_taken_only_after_it_has_not_changed_for_the_settle_time_by_our_clock(
    here: IntakeLab,
) -> None:
    ticks = Ticks()

    async def passed(seconds: float) -> None:
        ticks.now += seconds
        await looked()

    async def looked() -> None:
        """Two looks: the second began after this was called."""
        for _ in range(2):
            before = len(looks)
            intake.hint()
            await until(partial(longer, looks, before))

    async def check() -> None:
        video = here.drop("s01/intro.mp4", b"10 ")
        os.utime(video, (0, 0))  # a clock that is far off means nothing
        await passed(0.0)
        await passed(1.9)
        with video.open("ab") as file:
            file.write(b"more")
        await passed(1.9)
        await passed(1.9)
        assert here.born == []
        assert left_in(here.inbox) == ["intro.mp4"]
        await passed(0.2)
        await until(lambda: here.born)

    looks: list[int] = []
    intake = here.intake(ticks=ticks, settle_s=2.0, rescan_s=3600.0)
    scanner = intake._scanner  # to know when a look is over
    scan = scanner.scan
    scanner.scan = lambda: (scan(), looks.append(1))[0]  # type: ignore[method-assign,func-returns-value]
    during(intake, check)
    assert [born.task and born.task.size_bytes for born in here.born] == [7]


def test_a_file_that_somebody_still_has_open_for_writing_is_not_finished(here: IntakeLab) -> None:
    async def check() -> None:
        with (here.inbox / "s01_intro.mp4").open("wb") as writer:
            writer.write(b"10 first half")
            writer.flush()
            here.drop("s02_intro.mp4")
            await until(lambda: students(here) == ["s02"])  # settled and taken; the other is settled too
            writer.write(b" and the second")
        await until(lambda: len(here.born) == 2)
        assert [born.task.size_bytes for born in here.born if born.task][1] == 28

    during(here.intake(), check)


def test_a_file_renamed_in_when_it_is_complete_is_taken(here: IntakeLab) -> None:
    async def check() -> None:
        part = here.drop("s01/intro.mp4.part", b"10 seconds")
        here.drop("s02/intro.mp4")
        await until(lambda: students(here) == ["s02"])
        part.rename(part.with_suffix(""))
        await until(lambda: students(here) == ["s01", "s02"])

    during(here.intake(), check)


def test_a_folder_moved_in_with_its_videos_is_taken(here: IntakeLab, tmp_path: Path) -> None:
    (tmp_path / "s07").mkdir()
    (tmp_path / "s07" / "intro.mp4").write_bytes(b"10 seconds")

    async def check() -> None:
        await intake.settle()
        (tmp_path / "s07").rename(here.inbox / "s07")
        await until(lambda: students(here) == ["s07"])

    intake = here.intake(rescan_s=60.0)
    during(intake, check)
    assert (here.inbox / "s07").is_dir()


def test_a_second_video_under_a_name_that_was_taken_is_a_second_task(here: IntakeLab) -> None:
    async def check() -> None:
        for i in range(3):
            here.drop("s01/intro.mp4", f"1{i} seconds".encode())
            await until(partial(longer, here.born, i))

    during(here.intake(), check)
    assert students(here) == ["s01"] * 3


def test_names_that_are_no_text_are_taken_too(here: IntakeLab) -> None:
    raw = os.path.join(os.fsencode(here.inbox), b"s01_\xff\x1b[2J\n.mp4")
    with open(raw, "wb") as file:
        file.write(b"10 seconds")
    settled(here)
    assert [born.task and born.task.filename for born in here.born] == [r"s01_\xff\x1b[2J\n.mp4"]


def test_links_pipes_and_folders_named_like_videos_harm_nobody(here: IntakeLab, tmp_path: Path) -> None:
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(b"10 secret")
    (here.inbox / "s01_link.mp4").symlink_to(secret)
    os.mkfifo(here.inbox / "s02_pipe.mp4")
    (here.inbox / "s03_folder.mp4").mkdir()
    here.drop("s04_intro.mp4")
    settled(here)
    assert students(here) == ["s04"]
    assert secret.exists()
    assert (here.inbox / "s03_folder.mp4").is_dir()
    assert left_in(here.inbox) == []
    assert len(here.database.now(undelivered, 10)) == 3  # two reasons and a receipt


def test_refusals_are_told_of_so_that_their_reasons_are_delivered(here: IntakeLab) -> None:
    told: list[int] = []
    here.on_born = lambda born: told.append(len(born))  # type: ignore[method-assign]
    here.drop("nobody.mp4")
    settled(here)
    assert told == [0]


def test_a_file_without_rights_stays_with_one_alarm_and_is_taken_once_they_are_given(here: IntakeLab) -> None:
    class Unreadable(Files):
        forbidden = True
        tries = 0

        def is_written_to(self, entry: Entry) -> bool:
            if self.forbidden and b"s01" in entry.path:
                self.tries += 1
                raise PermissionError(errno.EACCES, "Permission denied", entry.path)
            return super().is_written_to(entry)

    files = Unreadable()

    async def check() -> None:
        await intake.settle()
        assert students(here) == ["s02"]
        await until(lambda: files.tries > 3)
        (alarm,) = intake.alarms
        assert alarm.code == "no_right"
        assert "s01/intro.mp4" in alarm.path
        assert "give this user the right" in str(alarm.trouble)
        assert len(here.alarms) == 1
        files.forbidden = False
        await until(lambda: students(here) == ["s01", "s02"])
        await until(lambda: intake.alarms == ())

    here.drop("s01/intro.mp4")
    here.drop("s02/intro.mp4")
    intake = here.intake(files=files, rescan_s=0.02)
    during(intake, check)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
def test_a_folder_that_may_not_be_written_keeps_its_video_until_it_may(here: IntakeLab) -> None:
    async def check() -> None:
        await intake.settle()
        assert [alarm.code for alarm in intake.alarms] == ["no_right"]
        folder.chmod(0o755)
        await until(lambda: students(here) == ["s01"])

    folder = here.drop("s01/intro.mp4").parent
    folder.chmod(0o555)
    intake = here.intake(rescan_s=0.1)
    during(intake, check)


def test_a_file_whose_taking_fails_is_tried_ever_more_rarely(here: IntakeLab) -> None:
    class Sticky(Files):
        tries = 0

        def rename(self, source: Entry, target: Entry) -> None:
            self.tries += 1
            raise PermissionError(errno.EPERM, "Operation not permitted", source.path)

    files, ticks = Sticky(), Ticks()

    async def check() -> None:
        await intake.settle()
        for _ in range(40):
            ticks.now += 10.0
            await intake.settle()

    here.drop("s01/intro.mp4")
    intake = here.intake(files=files, settle_s=0.0, rescan_s=30.0, ticks=ticks)
    during(intake, check)
    assert files.tries == 4  # after 0, 30, 90 and 210 seconds; the next is due after 450
    assert [alarm.code for alarm in intake.alarms] == ["no_right"]
    assert left_in(here.inbox) == ["intro.mp4"]


def test_an_inbox_that_goes_away_is_an_alarm_and_its_return_the_end_of_it(here: IntakeLab) -> None:
    async def check() -> None:
        await intake.settle()
        here.inbox.rename(here.inbox.with_name("away"))
        await until(lambda: [alarm.code for alarm in intake.alarms] == ["inbox_unavailable"])
        await intake.settle()  # an inbox that is away holds nobody up
        here.inbox.with_name("away").rename(here.inbox)
        await until(lambda: intake.alarms == ())
        here.drop("s01/intro.mp4")
        await until(lambda: here.born)

    intake = here.intake(rescan_s=60.0)
    during(intake, check)


def test_a_file_that_has_its_own_name_again_waits_for_an_inbox_that_is_away(here: IntakeLab) -> None:
    here.drop("s01/intro.mp4", b"11 seconds")
    steps = Fuse()
    claim_all(here, fuse=steps)
    video = here.drop("s02/intro.mp4", b"12 seconds")
    at = len(steps.steps) - 1 - steps.steps[::-1].index("unlink")
    with pytest.raises(Crash):  # its copy is durable, and it is still in the inbox
        claim_all(here, fuse=Fuse(at))
    (hidden,) = video.parent.glob(".introeval-*")
    hidden.rename(video)
    away = here.inbox.rename(here.inbox.with_name("away"))

    def students() -> list[str]:
        return [task.student for task in Outcome(here).tasks]

    intake = here.intake(settle_s=0.0, rescan_s=0.05)

    async def check() -> None:
        await intake.settle()
        assert students() == ["s01"]
        away.rename(here.inbox)
        await until(lambda: students() == ["s01", "s02"])
        await intake.settle()

    during(intake, check)
    outcome = Outcome(here)
    assert (len(outcome.tasks), outcome.reasons) == (2, [])
    assert not list(video.parent.iterdir())


def test_an_inbox_made_anew_is_watched_anew(here: IntakeLab) -> None:
    async def check() -> None:
        await intake.settle()
        here.inbox.rmdir()
        here.inbox.mkdir()
        here.drop("s01/intro.mp4")
        await until(lambda: here.born)
        here.drop("s02/intro.mp4")
        await until(lambda: len(here.born) == 2)

    intake = here.intake(rescan_s=60.0)
    during(intake, check)


def test_on_a_share_without_events_the_inbox_is_polled(
    here: IntakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check() -> None:
        await intake.settle()
        here.drop("s01/intro.mp4")
        await until(lambda: here.born)

    intake = here.intake(poll=True, rescan_s=60.0)
    during(intake, check)


def test_a_database_that_cannot_be_written_costs_nothing_but_time(here: IntakeLab) -> None:
    broken = {"births.create_tasks", "claims.add"}

    class Broken(FusedSession):
        def around(self, name: str, function: Any) -> Any:
            return self._fail if name in broken else super().around(name, function)

        def _fail(self, *_: object) -> None:
            raise StoreError("the database cannot be written; make room on its disk")

    async def check() -> None:
        await until(lambda: intake.alarms)
        assert [alarm.code for alarm in intake.alarms] == ["store"]
        broken.discard("claims.add")
        await until(lambda: left_in(here.inbox) == [])
        assert here.born == []
        broken.clear()
        await until(lambda: here.born)
        await until(lambda: intake.alarms == ())

    here.drop("s01/intro.mp4")
    intake = here.intake(session=Broken(here.database, Fuse()), rescan_s=0.05)
    during(intake, check)


def test_a_crash_in_the_middle_is_finished_by_the_next_start(here: IntakeLab) -> None:
    here.drop("s01/intro.mp4")
    here.drop("s02/intro.mp4")
    with pytest.raises(BaseExceptionGroup) as crashed:
        settled(here, files=FusedFiles(Fuse(3, after=True)))
    assert crashed.group_contains(Crash)
    settled(here)
    assert students(here) == ["s01", "s02"]
    assert left_in(here.inbox) == []


def test_a_claimed_file_that_no_claim_of_ours_knows_is_told_of(here: IntakeLab) -> None:
    ticks = Ticks()

    async def check() -> None:
        await intake.settle()
        assert not intake.alarms
        ticks.now += 61.0
        await intake.settle()
        assert [alarm.code for alarm in intake.alarms] == ["orphan"]

    (here.inbox / ".introeval-0123").write_bytes(b"10 seconds")
    intake = here.intake(ticks=ticks)
    during(intake, check)
    assert left_in(here.inbox) == [".introeval-0123"]


def test_a_file_whose_folder_is_renamed_while_it_waits_is_taken_in_its_new_place(here: IntakeLab) -> None:
    class Renaming(Files):
        def copy(self, source: Entry, target: Entry, halted: Halted) -> Digest:
            digest = super().copy(source, target, halted)
            if folder.exists():  # after the claim of both, before the second is brought in
                folder.rename(here.inbox / "s02")
            return digest

    ticks = Ticks()

    async def check() -> None:
        await until(lambda: len(here.born) == 1)
        await intake.settle()
        ticks.now += 61.0
        while left_in(here.inbox):
            await intake.settle()

    folder = here.drop("s01/one.mp4", b"11 seconds").parent
    here.drop("s01/two.mp4", b"12 seconds")
    intake = here.intake(files=Renaming(), ticks=ticks, settle_s=0.0)
    during(intake, check)
    assert students(here) == ["s01", "s02"]
    assert intake.alarms == ()


def test_a_burst_is_taken_in_groups(here: IntakeLab) -> None:
    class Counting(FusedSession):
        def around(self, name: str, function: Any) -> Any:
            calls.append(name)
            return super().around(name, function)

    calls: list[str] = []
    for i in range(200):
        here.drop(f"s{i % 30:02d}/{i}.mp4", f"1{i} seconds".encode())
    settled(here, session=Counting(here.database, Fuse()))
    assert len(here.born) == 200
    assert 0 < calls.count("claims.add") < 15
    assert 0 < calls.count("births.create_tasks") < 15
    claims = [born.claim.id for born in here.born]
    assert len(set(claims)) == 200


def test_two_daemons_on_one_inbox_make_one_task_of_each_file(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    with lab(tmp_path, inbox=inbox, state="var1") as one, lab(tmp_path, inbox=inbox, state="var2") as two:

        async def check() -> None:
            for i in range(100):
                one.drop(f"s{i:02d}/intro.mp4", f"10 {i}".encode())
                await asyncio.sleep(0)
            await until(lambda: len(one.born) + len(two.born) >= 100)
            await asyncio.gather(first.settle(), second.settle())

        async def both() -> None:
            async def beside() -> None:
                await running(second, check)

            await running(first, beside)

        first, second = one.intake(), two.intake()
        asyncio.run(both())
        assert sorted(students(one) + students(two)) == [f"s{i:02d}" for i in range(100)]
        assert left_in(inbox) == []
        assert [*one.alarms, *two.alarms] == []


def test_a_video_deleted_while_it_settles_is_no_matter(here: IntakeLab) -> None:
    class Late(Files):
        def rename(self, source: Entry, target: Entry) -> None:
            if source.name == b"gone.mp4":
                os.unlink(source.path)
            super().rename(source, target)

    here.drop("s01/gone.mp4")
    here.drop("s01/stays.mp4")
    settled(here, files=Late())
    assert students(here) == ["s01"]
    assert here.database.now(still_open) == list[Claim]()
    assert here.alarms == []


def test_an_entry_that_cannot_be_looked_at_keeps_nobody_else_out(
    here: IntakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A student's own mount in the inbox, for instance, which lets nobody else in."""

    class Shut:
        def __init__(self, entry: "os.DirEntry[str]") -> None:
            self.name = entry.name

        def is_dir(self, *, follow_symlinks: bool) -> bool:
            raise PermissionError(errno.EACCES, "Permission denied")

        def stat(self, *, follow_symlinks: bool) -> os.stat_result:
            raise PermissionError(errno.EACCES, "Permission denied")

    scandir = os.scandir

    @contextlib.contextmanager
    def with_one_shut(fd: int) -> Iterator[list[Any]]:
        with scandir(fd) as entries:
            yield [Shut(entry) if entry.name == "s01_mine.mp4" else entry for entry in entries]

    monkeypatch.setattr("daemon.intake.scan.os.scandir", with_one_shut)
    here.drop("s01_mine.mp4")
    here.drop("s02_intro.mp4")
    intake = settled(here)
    assert students(here) == ["s02"]
    (alarm,) = intake.alarms
    assert "s01_mine.mp4 cannot be read" in str(alarm.trouble)


def test_a_file_that_its_owner_shuts_after_the_claim_is_under_its_name_again(here: IntakeLab) -> None:
    class Shut(Files):
        shut = True

        def copy(self, source: Entry, target: Entry, halted: Halted) -> Digest:
            if self.shut and b"/s01/" in source.path:
                raise PermissionError(errno.EACCES, "Permission denied", source.name)  # as open(2) names it
            return super().copy(source, target, halted)

        def is_written_to(self, entry: Entry) -> bool:
            if self.shut and tried and b"/s01/" in entry.path:
                raise PermissionError(errno.EACCES, "Permission denied", entry.path)
            tried.append(entry.path)
            return super().is_written_to(entry)

    tried: list[bytes] = []
    files = Shut()

    async def check() -> None:
        await until(lambda: students(here) == ["s02"] and intake.alarms)
        assert [alarm.code for alarm in intake.alarms] == ["no_right"]
        assert left_in(here.inbox) == ["intro.mp4"]
        assert here.database.now(still_open) == list[Claim]()
        files.shut = False
        await until(lambda: students(here) == ["s01", "s02"])

    here.drop("s01/intro.mp4")
    here.drop("s02/intro.mp4")
    intake = here.intake(files=files, rescan_s=0.1)
    during(intake, check)


def test_a_birth_that_the_database_refuses_delays_nobody_else(here: IntakeLab) -> None:
    class Picky(FusedSession):
        def around(self, name: str, function: Any) -> Any:
            return self._create_tasks if name == "births.create_tasks" else super().around(name, function)

        def _create_tasks(self, db: Database, births: Sequence[Birth], now: float) -> list[Born]:
            if any(birth.claim.student == "s05" for birth in births):
                raise StoreError("the database cannot be written: NOT NULL constraint failed")
            return create_tasks(db, births, now)

    async def check() -> None:
        await until(lambda: len(here.born) == 9)
        await until(lambda: intake.alarms)
        (alarm,) = intake.alarms
        assert "s05/intro.mp4" in str(alarm.trouble)

    for number in range(10):
        here.drop(f"s{number:02d}/intro.mp4", f"10 {number}".encode())
    intake = here.intake(session=Picky(here.database, Fuse()))
    during(intake, check)


def test_a_damaged_video_is_a_task_that_failed_and_the_rest_goes_on(here: IntakeLab) -> None:
    here.drop("s01/intro.mp4", b"not a video")
    here.drop("s02/intro.mp4")
    settled(here)
    by_student = {born.task.student: born.task.status for born in here.born if born.task}
    assert by_student == {"s01": Status.FAILED, "s02": Status.UPLOADED}


def test_nothing_is_taken_while_the_disk_is_almost_full_and_all_once_it_is_not(here: IntakeLab) -> None:
    free = [10]

    async def check() -> None:
        await until(lambda: intake.alarms != ())
        (alarm,) = intake.alarms
        assert alarm.code == "disk_low"
        assert "none is taken until there is room" in str(alarm.trouble)
        assert students(here) == []
        free[0] = 1_000
        await until(lambda: students(here) == ["s01"])
        await until(lambda: intake.alarms == ())

    here.drop("s01/intro.mp4")
    intake = here.intake(rescan_s=0.02, min_free_bytes=100, free_bytes=lambda: free[0])
    during(intake, check)


async def never_an_event(*_: object, stop_event: asyncio.Event, **__: object) -> AsyncIterator[set[Any]]:
    """A watch that stands and never tells of anything, as on a share that calls itself local."""
    while not stop_event.is_set():
        yield set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop_event.wait(), 0.05)


def test_a_share_that_calls_itself_local_is_polled_once_a_file_came_of_which_no_event_told(
    here: IntakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.intake.watcher.awatch", never_an_event)
    monkeypatch.setattr("daemon.intake.watcher._EVENT_LATEST_S", 0.2)

    async def check() -> None:
        await until(lambda: intake.watching is Watching.EVENTS)
        for number in range(3):  # the look at the first may be the one that the new watch asks for
            here.drop(f"s{number:02d}/intro.mp4")
            await until(partial(longer, here.born, number))
        await until(lambda: intake.watching is Watching.POLLING)

    intake = here.intake(rescan_s=0.2)
    during(intake, check)


def test_files_of_which_events_tell_are_no_reason_to_poll(
    here: IntakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.intake.watcher._DEBOUNCE_MS", 1_600)  # the timed look finds them first
    monkeypatch.setattr("daemon.intake.watcher._EVENT_LATEST_S", 3.0)

    async def check() -> None:
        await until(lambda: intake.watching is Watching.EVENTS)
        for number in range(8):
            here.drop(f"s{number:02d}/intro.mp4")
            await until(partial(longer, here.born, number))
            assert intake.watching is Watching.EVENTS

    intake = here.intake(rescan_s=0.1)
    during(intake, check)
