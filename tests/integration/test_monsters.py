"""Files that are too large, too many, or not what they seem: they delay nobody but who handed them in."""

import asyncio
import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.core.tasks.task import Status
from daemon.delivery.archive import archive
from daemon.intake.files import Digest, Files, Halted
from daemon.intake.intake import Intake
from daemon.intake.limits import Limits
from daemon.store.claims import still_open
from daemon.store.documents import undelivered
from daemon.system.folder import Entry
from tests.support.intake_lab import IntakeLab, lab
from tests.support.waiting import until

pytestmark = pytest.mark.alone
GIANT = 15 << 40


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[IntakeLab]:
    """A lab whose inbox lies on another file system than its state."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, lab(tmp_path, inbox=Path(folder)) as opened:
        yield opened


def sparse(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)


def students(here: IntakeLab) -> list[str]:
    return sorted(born.task.student for born in here.born if born.task)


async def stopped(intake: Intake, run: "asyncio.Task[None]", stop: asyncio.Event) -> float:
    began = time.monotonic()
    stop.set()
    await asyncio.wait_for(run, 20)
    return time.monotonic() - began


def results(here: IntakeLab) -> dict[str, dict[str, object]]:
    documents = here.database.now(undelivered, 1000)
    found = [json.loads(each.content) for each in documents if each.kind == "result"]
    return {each["student_id"]: each for each in found}


@pytest.mark.parametrize("where", ["here", "apart"])
def test_giants_are_told_so_and_hold_up_nobody(where: str, request: pytest.FixtureRequest) -> None:
    one: IntakeLab = request.getfixturevalue(where)
    for number in range(4):
        sparse(one.inbox / "mallory" / f"giant{number}.mp4", (1 << 40) if where == "apart" else GIANT)
    one.drop("s01/intro.mp4")

    async def check() -> None:
        stop = asyncio.Event()
        intake = one.intake()
        run = asyncio.create_task(intake.run(stop))
        async with asyncio.timeout(20):
            await intake.settle()
        assert await stopped(intake, run, stop) < 5
        assert intake.alarms == ()

    asyncio.run(check())
    assert students(one) == ["mallory"] * 4 + ["s01"]
    told = results(one)["mallory"]
    assert told["error"]["code"] == "too_large"  # type: ignore[index]
    assert told["source"]["sha256"] is None  # type: ignore[index]
    left = sorted(path.name for path in one.inbox.rglob("*") if path.is_file())
    assert left == ([f"giant{number}.mp4.too-large" for number in range(4)] if where == "apart" else [])


def test_a_file_for_which_there_is_no_room_waits_alone(apart: IntakeLab) -> None:
    free = [100_000]

    async def check() -> None:
        stop = asyncio.Event()
        intake = apart.intake(
            min_free_bytes=50_000, free_bytes=lambda: free[0], limits=Limits(max_size_bytes=1_000_000)
        )
        run = asyncio.create_task(intake.run(stop))
        await until(lambda: students(apart) == ["s02"])
        await until(lambda: intake.alarms)
        (alarm,) = intake.alarms
        assert "large.mp4" in str(alarm.trouble)
        assert "free space" in str(alarm.trouble)
        assert not list((apart.state / "spool").glob("*.partial"))
        free[0] = 1_000_000
        await until(lambda: students(apart) == ["s01", "s02"])
        await until(lambda: not intake.alarms)
        await stopped(intake, run, stop)

    apart.drop("s01/large.mp4", b"10 " + b"x" * 80_000)
    apart.drop("s02/intro.mp4")
    asyncio.run(check())


def test_a_disk_that_fills_up_in_the_middle_keeps_no_half_of_a_copy(apart: IntakeLab) -> None:
    pwrite = os.pwrite

    def full(fd: int, data: memoryview, at: int) -> int:
        if at:
            raise OSError(errno.ENOSPC, "No space left on device")
        return pwrite(fd, data, at)

    async def check() -> None:
        stop = asyncio.Event()
        intake = apart.intake(limits=Limits(max_size_bytes=10_000_000))
        with pytest.MonkeyPatch.context() as disk:
            disk.setattr(os, "pwrite", full)
            run = asyncio.create_task(intake.run(stop))
            await until(lambda: students(apart) == ["s02"] and intake.alarms)
            assert [path.name[-7:] for path in (apart.state / "spool").iterdir()] == ["s02.mp4"]
        await until(lambda: students(apart) == ["s01", "s02"])
        await stopped(intake, run, stop)

    apart.drop("s01/large.mp4", b"10 " + b"x" * 3_000_000)
    apart.drop("s02/intro.mp4")
    asyncio.run(check())


class Endless(Files):
    """A disk so slow that the copy of one student's file never comes to its end by itself."""

    def copy(self, source: Entry, target: Entry, halted: Halted) -> Digest:
        if b"/s01/" in source.path:
            while not halted():
                time.sleep(0.01)
        return super().copy(source, target, halted)


def test_a_slow_copy_delays_only_its_student_and_ends_with_the_daemon(here: IntakeLab) -> None:
    async def check() -> None:
        stop = asyncio.Event()
        intake = here.intake(files=Endless())
        run = asyncio.create_task(intake.run(stop))
        await until(lambda: students(here) == [f"s{number:02d}" for number in range(2, 30)])
        assert await stopped(intake, run, stop) < 5

    for number in range(1, 30):
        here.drop(f"s{number:02d}/intro.mp4", f"10 {number}".encode())
    here.drop("s01/second.mp4", b"10 second")
    asyncio.run(check())
    assert len(here.database.now(still_open)) == 2
    again = asyncio.Event()

    async def finish() -> None:
        intake = here.intake()
        run = asyncio.create_task(intake.run(again))
        await until(lambda: students(here).count("s01") == 2)
        await stopped(intake, run, again)

    asyncio.run(finish())


def test_a_student_with_hundreds_of_files_takes_turns_with_the_others(here: IntakeLab) -> None:
    async def check() -> None:
        stop = asyncio.Event()
        intake = here.intake()
        run = asyncio.create_task(intake.run(stop))
        await until(lambda: here.born)
        for number in range(20):
            here.drop(f"s{number:02d}/intro.mp4", f"10 {number}".encode())
        await until(lambda: len([who for who in students(here) if who != "mallory"]) == 20)
        assert students(here).count("mallory") < 600
        await stopped(intake, run, stop)

    for number in range(600):
        here.drop(f"mallory/{number}.mp4", f"10 {number}".encode())
    asyncio.run(check())


def test_a_second_name_of_a_file_cannot_change_what_was_handed_in(here: IntakeLab, tmp_path: Path) -> None:
    handed_in = b"10 what was said"
    video = here.drop("s01/intro.mp4", handed_in)
    os.link(video, tmp_path / "kept.mp4")
    kept = os.open(video, os.O_RDONLY)

    async def check() -> None:
        stop = asyncio.Event()
        intake = here.intake()
        run = asyncio.create_task(intake.run(stop))
        await intake.settle()
        await stopped(intake, run, stop)

    asyncio.run(check())
    (tmp_path / "kept.mp4").write_bytes(b"99 what was never said")
    again = os.open(f"/proc/self/fd/{kept}", os.O_WRONLY | os.O_TRUNC)
    os.write(again, b"98 neither")
    os.close(again)
    os.close(kept)
    (task,) = [born.task for born in here.born if born.task]
    archived = archive(task, here.state)
    assert archived.read_bytes() == handed_in
    assert task.sha256 == hashlib.sha256(handed_in).hexdigest()


def test_a_hole_in_a_file_takes_no_room_in_its_copy(here: IntakeLab) -> None:
    path = here.inbox / "s01" / "intro.mp4"
    sparse(path, 64 << 20)
    with path.open("r+b") as file:
        file.write(b"10 seconds")
        file.seek(32 << 20)
        file.write(b"and more")
    content = hashlib.sha256(path.read_bytes()).hexdigest()

    async def check() -> None:
        stop = asyncio.Event()
        intake = here.intake(limits=Limits(max_size_bytes=100 << 20))
        run = asyncio.create_task(intake.run(stop))
        await intake.settle()
        await stopped(intake, run, stop)

    asyncio.run(check())
    (task,) = [born.task for born in here.born if born.task]
    copy = Path(task.path)
    assert task.status is Status.UPLOADED
    assert task.sha256 == hashlib.sha256(copy.read_bytes()).hexdigest() == content
    assert copy.stat().st_blocks * 512 < 1 << 20
    shutil.rmtree(path.parent, ignore_errors=True)
