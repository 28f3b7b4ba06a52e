"""One account tries to keep another's video out of the work, by files under the other's name."""

import asyncio
import errno
import fcntl
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon.contracts.values import Claim
from daemon.core.intake.stability import SeenFile
from daemon.core.intake.turns import InWork
from daemon.intake.candidates import Candidates
from daemon.intake.files import Digest, Files, Halted
from daemon.intake.intake import Intake
from daemon.intake.landed import not_moved
from daemon.intake.places import aside_names, put_back_names
from daemon.store.claims import still_open
from daemon.system.folder import Entry, Folder
from tests.support.intake_lab import IntakeLab, lab
from tests.support.waiting import until

MALLORY, BOB = 61_001, 61_002


@pytest.fixture
def here(tmp_path: Path) -> Iterator[IntakeLab]:
    with lab(tmp_path) as opened:
        yield opened


@asynccontextmanager
async def running(intake: Intake) -> AsyncIterator[None]:
    """A running intake, which is stopped also where a check fails: its threads are waited for."""
    stop = asyncio.Event()
    run = asyncio.create_task(intake.run(stop))
    try:
        yield
    finally:
        stop.set()
        await run


def claim_of(number: int, owner: int, student: str = "bob", filename: str = "bob_1.mp4") -> Claim:
    return Claim(
        f"{number:020x}", f"/inbox/{filename}".encode(), filename, student, 1, number, 10, 0, 0.0, owner=owner
    )


def candidates(lab: IntakeLab, *owners: int) -> Candidates:
    """Settled files of the student bob, one of each of these accounts."""
    waiting = []
    for number, owner in enumerate(owners):
        path = os.fsencode(lab.drop(f"bob/{number}.mp4"))
        waiting.append(SeenFile(path, 1, number, 10, 0, owner=owner, lane="bob"))
    made = Candidates(lab.inbox, Files(), 30.0)
    made.replace(waiting, InWork.of([]))
    return made


def test_claims_of_another_account_that_cannot_end_keep_no_file_of_the_student_out(here: IntakeLab) -> None:
    stuck = [claim_of(number, MALLORY) for number in range(16)]
    choice = candidates(here, MALLORY, BOB).next([], stuck, 0.0)
    assert choice is not None
    assert [entry.owner for entry in choice.takeable] == [BOB]


def test_claims_of_another_account_in_work_keep_no_file_of_the_student_out(here: IntakeLab) -> None:
    working = [claim_of(number, MALLORY) for number in range(16)]
    choice = candidates(here, BOB).next(working, [], 0.0)
    assert choice is not None
    assert [entry.owner for entry in choice.takeable] == [BOB]


def test_however_much_of_one_account_is_in_work_some_of_another_is_taken(here: IntakeLab) -> None:
    working = [claim_of(number, MALLORY, f"invented{number}") for number in range(128)]
    choice = candidates(here, MALLORY, *[BOB] * 6).next(working, [], 0.0)
    assert choice is not None
    assert [entry.owner for entry in choice.takeable] == [BOB] * 4


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to other accounts")
def test_slow_copies_of_one_account_delay_nobody_elses(here: IntakeLab) -> None:
    """Each of the invented students has a file that is never read to its end."""

    class Endless(Files):
        def copy(self, source: Entry, target: Entry, halted: Halted) -> Digest:
            found = source.folder.stat(source.name)
            begun.append(source.name)
            while found and found.st_uid == MALLORY and not halted():
                time.sleep(0.01)
            return super().copy(source, target, halted)

    async def check() -> None:
        async with running(intake):
            await until(lambda: len(begun) == 4)
            bobs.rename(here.inbox / "zoe_1.mp4")
            await until(lambda: here.born)

    begun: list[bytes] = []
    for number in range(20):
        os.chown(here.drop(f"invented{number}_1.mp4"), MALLORY, -1)
    bobs = here.drop("zoe_1.part")
    os.chown(bobs, BOB, -1)
    intake = here.intake(files=Endless())
    asyncio.run(check())
    assert [born.task.student for born in here.born if born.task] == ["zoe"]


class Squatter(Files):
    """Changes a file as soon as it is hidden, and stands in the way of each name that can be told from it."""

    def __init__(self) -> None:
        self.hidden: list[bytes] = []

    def rename(self, source: Entry, target: Entry) -> None:
        if target.name.startswith(b".introeval-") and target.path not in self.hidden:
            self.hidden.append(target.path)
            source.folder.rename(source.name, target.folder, target.name)
            os.utime(target.path, (0, 0))
            stem, dot = os.path.splitext(source.path)
            os.mkdir(source.path)
            os.mkdir(stem + b"-" + target.name[-12:] + dot)
            return
        super().rename(source, target)


def test_a_file_whose_names_are_all_taken_gets_one_that_nobody_could_foresee(here: IntakeLab) -> None:
    async def check() -> None:
        async with running(intake):
            await until(lambda: here.born)

    here.drop("bob_00.mp4")
    intake = here.intake(files=Squatter())
    asyncio.run(check())
    assert [born.task.student for born in here.born if born.task] == ["bob"]
    assert here.database.now(still_open) == list[Claim]()
    assert here.alarms == []


@pytest.mark.parametrize(
    "name",
    ["bob_" + "x" * 247 + ".mp4", "bob_1." + "y" * 249, "bob_1.mp4"],
    ids=["long name", "long ending", "short"],
)
def test_there_is_always_a_name_to_go_back_to_that_is_short_enough(name: str) -> None:
    claim = claim_of(1, BOB, filename=name)
    for names in (put_back_names(claim), aside_names(claim)):
        assert all(len(each) <= 255 for each in names)
        assert names[-1] not in (put_back_names(claim)[-1], aside_names(claim)[-1])


def hold(path: Path) -> int:
    """Take a write lease, which lets nobody else open the file. Skips where there is no such thing."""
    fd = os.open(path, os.O_RDWR)
    fcntl.fcntl(fd, fcntl.F_SETSIG, 23)  # SIGURG, which is ignored: a lease that is asked for tells us so
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError as exc:
        os.close(fd)
        pytest.skip(f"this file system has no leases: {exc.strerror}")
    return fd


def test_a_file_on_which_a_program_holds_a_lease_is_being_written_to(here: IntakeLab) -> None:
    path = here.drop("bob_00.mp4")
    fd = hold(path)
    with Folder.open(here.inbox) as folder:
        assert Files().is_written_to(Entry(folder, b"bob_00.mp4"))
        os.close(fd)
        assert not Files().is_written_to(Entry(folder, b"bob_00.mp4"))


def test_a_file_that_is_leased_after_the_claim_is_under_its_name_again(here: IntakeLab) -> None:
    class Leasing(Files):
        held = -1

        def rename(self, source: Entry, target: Entry) -> None:
            super().rename(source, target)
            if target.name.startswith(b".introeval-") and self.held < 0:
                self.held = hold(Path(os.fsdecode(target.path)))

    async def check() -> None:
        async with running(intake):
            await until(lambda: files.held >= 0 and path.exists())
            await until(lambda: not here.database.now(still_open))
            assert here.born == []
            os.close(files.held)
            await until(lambda: here.born)

    path, files = here.drop("bob_00.mp4"), Leasing()
    intake = here.intake(files=files)
    asyncio.run(check())
    assert not any(alarm.code == "claim_waits" for alarms in here.alarms for alarm in alarms)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (errno.EEXIST, "move away the file that has its name in the folder"),
        (errno.EAGAIN, "end the program that holds it"),
    ],
)
def test_what_hinders_a_claim_is_what_its_alarm_says(code: int, told: str) -> None:
    alarm = not_moved(claim_of(1, BOB), OSError(code, os.strerror(code), b"bob_1.mp4"))
    assert told in str(alarm.trouble)
    assert "state folder" not in str(alarm.trouble)


def test_a_look_that_takes_long_is_an_alarm_that_says_where_it_is(
    here: IntakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.intake.slow._SLOW_S", 0.05)
    answers, scandir = threading.Event(), os.scandir

    def hanging(fd: int) -> Any:
        if os.readlink(f"/proc/self/fd/{fd}").endswith("/mallory"):
            answers.wait()
        return scandir(fd)

    async def check() -> None:
        async with running(intake):
            try:
                await until(lambda: intake.alarms)
                (alarm,) = intake.alarms
                assert (alarm.code, alarm.path) == ("inbox_slow", str(here.inbox / "mallory"))
            finally:
                answers.set()
            await until(lambda: here.born)
            await until(lambda: not intake.alarms)

    monkeypatch.setattr("daemon.intake.scan.os.scandir", hanging)
    here.drop("mallory/1.mp4")
    intake = here.intake()
    asyncio.run(check())
