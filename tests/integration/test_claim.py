"""The claim: every file becomes one task or one refusal, wherever it was cut short."""

import asyncio
import errno
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from daemon.contracts.documents import Document, Kind
from daemon.contracts.values import Claim, ClaimStep
from daemon.core.tasks.task import Status
from daemon.intake.claim import Claimer
from daemon.intake.files import Digest, Files, Halted
from daemon.intake.landed import Settled, Taken, Tidied
from daemon.intake.limits import Limits
from daemon.intake.places import ClaimPaths
from daemon.intake.room import DiskRoom
from daemon.intake.scan import Scan, Scanner
from daemon.store import recovery
from daemon.store.claims import step, still_open
from daemon.store.documents import undelivered
from daemon.system.folder import Entry, Folder
from tests.support.intake_lab import Crash, Fuse, FusedFiles, FusedSession, IntakeLab, lab

NOW = 1_700_000_000.0


@pytest.fixture
def other_disk() -> Iterator[Path]:
    """A folder on another file system than the tests' own."""
    shm = Path("/dev/shm")
    if not shm.is_dir() or not os.access(shm, os.W_OK):
        pytest.skip("there is no second file system at /dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shm))
    yield folder
    shutil.rmtree(folder)


class Outcome:
    """What there is of an inbox after the claim, for comparing with what was dropped."""

    def __init__(self, lab: IntakeLab) -> None:
        self.tasks = lab.database.now(recovery.open_tasks)
        documents = lab.database.now(undelivered, 1000)
        self.reasons = [document for document in documents if document.kind is Kind.REASON]
        self.receipts = [document for document in documents if document.kind is Kind.RECEIPT]
        self.results = [document for document in documents if document.kind is Kind.RESULT]
        self.open = lab.database.now(still_open)
        self.inbox = sorted(path.name for path in lab.inbox.rglob("*") if not path.is_dir())
        self.spool = sorted((lab.state / "spool").iterdir())
        self.rejected = sorted((lab.state / "rejected").iterdir())


def claimer(
    lab: IntakeLab,
    *,
    fuse: Fuse | None = None,
    files: Files | None = None,
    free_bytes: Callable[[], int] | None = None,
    **limits: object,
) -> Claimer:
    fuse = fuse or Fuse()
    return Claimer(
        lab.inbox,
        ClaimPaths.below(lab.state),
        session=FusedSession(lab.database, fuse),
        media=lab.media,
        packages=lab.packages,
        on_born=lab.on_born,
        clock=lambda: NOW,
        limits=Limits(**{"max_size_bytes": 10_000, **limits}),  # type: ignore[arg-type]
        files=files or FusedFiles(fuse),
        room=DiskRoom(free_bytes or (lambda: 1 << 40), 0),
    )


async def finish(claimer: Claimer, claims: Sequence[Claim]) -> Settled:
    """Fetch each, and settle them together."""
    return await claimer.settle([await claimer.fetch(claim, lambda: False) for claim in claims])


async def take_all(claimer: Claimer, lab: IntakeLab) -> Taken:
    scan = Scanner(lab.inbox).scan()
    assert isinstance(scan, Scan)
    return await claimer.take(sorted(scan.files, key=lambda entry: entry.path))


def claim_all(
    lab: IntakeLab, *, fuse: Fuse | None = None, files: Files | None = None, **limits: object
) -> Settled:
    async def run() -> Settled:
        one = claimer(lab, fuse=fuse, files=files, **limits)  # type: ignore[arg-type]
        return await finish(one, (await take_all(one, lab)).claims)

    return asyncio.run(run())


def recover(lab: IntakeLab, *, fuse: Fuse | None = None, files: Files | None = None) -> Settled:
    async def run() -> Settled:
        one = claimer(lab, fuse=fuse, files=files)
        return await finish(one, await one.open_claims())

    return asyncio.run(run())


def reason(document: Document) -> dict[str, object]:
    parsed = json.loads(document.content)
    assert isinstance(parsed, dict)
    return parsed


def test_a_video_becomes_a_task_with_its_content_in_the_spool(here: IntakeLab) -> None:
    here.drop("s01/My Intro.MP4", b"12 seconds")
    claim_all(here)
    found = Outcome(here)
    (task,) = found.tasks
    assert (task.student, task.filename, task.duration_s, task.size_bytes) == (
        "s01",
        "My Intro.MP4",
        12.0,
        10,
    )
    assert task.claimed_at == NOW
    assert task.status is Status.UPLOADED
    assert found.spool == [Path(task.path)]
    assert found.spool[0].suffix == ".mp4"
    assert found.spool[0].read_bytes() == b"12 seconds"
    assert found.inbox == []
    assert found.open == []
    assert [born.task for born in here.born] == [task]


def test_claims_sort_by_time_and_no_two_are_alike(here: IntakeLab) -> None:
    for i in range(20):
        here.drop(f"s01/{i:02d}.mp4", f"{i} seconds".encode())
    taken = asyncio.run(take_all(claimer(here), here))
    ids = [claim.id for claim in taken.claims]
    assert ids == sorted(set(ids))
    assert all(len(id_) == 20 and set(id_) <= set("0123456789abcdef") for id_ in ids)
    assert [claim.filename for claim in taken.claims] == [f"{i:02d}.mp4" for i in range(20)]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"not a video", "damaged"),
        (b"", "damaged"),
        (b"901 seconds", "too_long"),
        (b"9 " * 5001, "too_large"),
    ],
)
def test_a_video_that_cannot_be_rated_is_a_task_that_failed(
    here: IntakeLab, content: bytes, code: str
) -> None:
    here.drop("s01/intro.mp4", content)
    claim_all(here)
    found = Outcome(here)
    assert found.tasks == []
    assert [born.task and born.task.status for born in here.born] == [Status.FAILED]
    assert [json.loads(result.content)["error"]["code"] for result in found.results] == [code]
    assert len(found.spool) == 1


def test_what_is_no_video_of_a_student_is_refused_with_the_reason(here: IntakeLab) -> None:
    here.drop("intro.mp4")
    here.drop("s01/notes.txt", b"text")
    claim_all(here)
    found = Outcome(here)
    assert found.tasks == []
    reasons = [str(reason(document)["reason"]) for document in found.reasons]
    assert sorted(each.partition(":")[0] for each in reasons) == ["no_media_type", "no_student"]
    assert all(document.name.startswith("_rejected/") for document in found.reasons)
    assert sorted(path.suffix for path in found.rejected) == [".mp4", ".txt"]
    assert found.inbox == []
    assert found.spool == []
    assert found.open == []


def test_links_and_special_files_are_moved_themselves(here: IntakeLab, tmp_path: Path) -> None:
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(b"10 secret")
    (here.inbox / "s01_link.mp4").symlink_to(secret)
    (here.inbox / "s02_gone.mp4").symlink_to("nowhere")
    os.mkfifo(here.inbox / "s03_pipe.mp4")
    claim_all(here)
    found = Outcome(here)
    assert found.tasks == []
    assert [str(reason(each)["reason"]).partition(":")[0] for each in found.reasons] == ["special_file"] * 3
    assert [path.is_symlink() for path in found.rejected].count(True) == 2
    assert [path.is_fifo() for path in found.rejected].count(True) == 1
    assert secret.read_bytes() == b"10 secret"
    assert found.inbox == []


def test_the_same_video_again_is_refused_and_the_reason_names_the_task(here: IntakeLab) -> None:
    here.drop("s01/first.mp4")
    here.drop("s01/second.mp4")
    here.drop("s02/first.mp4")
    claim_all(here)
    found = Outcome(here)
    assert sorted(task.student for task in found.tasks) == ["s01", "s02"]
    (document,) = found.reasons
    first = next(task for task in found.tasks if task.student == "s01")
    assert f"task {first.id}" in str(reason(document)["reason"])
    assert reason(document)["filename"] == "second.mp4"
    assert [path.name for path in found.rejected] == [f"{reason(document)['claim_id']}-second.mp4"]
    assert len(found.spool) == 2
    assert found.open == []


def test_a_file_that_is_gone_before_it_is_ours_is_no_matter(here: IntakeLab) -> None:
    async def run() -> Taken:
        scan = Scanner(here.inbox).scan()
        assert isinstance(scan, Scan)
        video.unlink()
        return await claimer(here).take(scan.files)

    video = here.drop("s01/intro.mp4")
    assert asyncio.run(run()).claims == ()
    assert Outcome(here).open == []


def replaced_after_the_look(lab: IntakeLab, change: Callable[[], object]) -> None:
    async def run() -> None:
        scan = Scanner(lab.inbox).scan()
        assert isinstance(scan, Scan)
        change()
        one = claimer(lab)
        await finish(one, (await one.take(scan.files)).claims)

    asyncio.run(run())


def test_another_file_under_the_name_that_was_seen_goes_back(here: IntakeLab) -> None:
    video = here.drop("s01/intro.mp4")
    new = here.drop("s01/new.part", b"20 seconds")
    replaced_after_the_look(here, lambda: new.rename(video))
    found = Outcome(here)
    assert found.tasks == []
    assert found.inbox == ["intro.mp4"]
    assert video.read_bytes() == b"20 seconds"
    assert found.open == []


def test_a_file_that_grew_after_the_look_goes_back(here: IntakeLab) -> None:
    video = here.drop("s01/intro.mp4")
    replaced_after_the_look(here, lambda: video.open("ab").write(b" and more"))
    found = Outcome(here)
    assert found.tasks == []
    assert found.inbox == ["intro.mp4"]


def test_going_back_never_overwrites_what_has_come_since(here: IntakeLab) -> None:
    class Racing(Files):
        def rename(self, source: Entry, target: Entry) -> None:
            if hiding := target.name.startswith(b".introeval-"):
                video.write_bytes(b"20 seconds, and grown")
            super().rename(source, target)
            if hiding:
                here.drop("s01/intro.mp4", b"30 newest")

    video = here.drop("s01/intro.mp4", b"10 seen")

    async def run() -> None:
        scan = Scanner(here.inbox).scan()
        assert isinstance(scan, Scan)
        one = claimer(here, files=Racing())
        await finish(one, (await one.take(scan.files)).claims)

    asyncio.run(run())
    found = Outcome(here)
    contents = {path.read_bytes() for path in (here.inbox / "s01").iterdir()}
    assert contents == {b"30 newest", b"20 seconds, and grown"}
    assert all(name.endswith(".mp4") for name in found.inbox)
    assert found.open == []


def test_a_file_written_to_while_it_is_copied_goes_back(here: IntakeLab) -> None:
    writer = here.drop("s01/intro.mp4").open("ab")

    class Slow(Files):
        def copy(self, source: Entry, target: Entry, halted: Halted) -> Digest:
            writer.write(b" still coming")
            writer.flush()
            return super().copy(source, target, halted)

    with writer:
        claim_all(here, files=Slow())
    found = Outcome(here)
    assert found.tasks == []
    assert found.inbox == ["intro.mp4"]
    assert found.open == []
    claim_all(here)
    assert len(Outcome(here).tasks) == 1


def test_two_names_of_one_file_are_one_task_and_one_duplicate(here: IntakeLab) -> None:
    os.link(here.drop("s01/a.mp4"), here.inbox / "s01" / "b.mp4")
    claim_all(here)
    found = Outcome(here)
    assert len(found.tasks) == 1
    assert len(found.reasons) == 1
    assert found.inbox == []


def test_a_file_that_may_not_be_taken_stays_and_its_claim_is_closed(here: IntakeLab) -> None:
    class Forbidden(Files):
        def rename(self, source: Entry, target: Entry) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted", source.path)

    async def run() -> Taken:
        return await take_all(claimer(here, files=Forbidden()), here)

    here.drop("s01/intro.mp4")
    taken = asyncio.run(run())
    assert taken.claims == ()
    assert [error.errno for _, error in taken.denied] == [errno.EPERM]
    found = Outcome(here)
    assert found.inbox == ["intro.mp4"]
    assert found.open == []


def test_a_full_disk_leaves_the_claim_open_for_later(here: IntakeLab) -> None:
    class Full(Files):
        def rename(self, source: Entry, target: Entry) -> None:
            if b"/spool/" in target.path:
                raise OSError(errno.ENOSPC, "No space left on device")
            super().rename(source, target)

    here.drop("s01/intro.mp4")
    (alarm,) = claim_all(here, files=Full()).delayed.values()
    assert "free space" in str(alarm.trouble)
    assert len(Outcome(here).open) == 1
    recover(here)
    assert len(Outcome(here).tasks) == 1


def test_a_decoder_that_does_not_start_leaves_the_claim_open(here: IntakeLab) -> None:
    here.drop("s01/intro.mp4")
    here.media.broken = True
    (alarm,) = claim_all(here).delayed.values()
    assert "decoder" in str(alarm.trouble)
    assert here.born == []
    here.media.broken = False
    assert recover(here).born == 1


def test_a_file_removed_from_the_spool_is_refused_so_that_the_student_learns_of_it(here: IntakeLab) -> None:
    here.drop("s01/intro.mp4")
    steps = Fuse()
    claim_all(here, fuse=steps)
    here.drop("s02/intro.mp4")
    with pytest.raises(Crash):
        claim_all(here, fuse=Fuse(steps.steps.index("births.create_tasks")))
    for path in (here.state / "spool").glob("*-s02.mp4"):
        path.unlink()
    recover(here)
    found = Outcome(here)
    assert [str(reason(each)["reason"]).partition(":")[0] for each in found.reasons] == ["vanished"]
    assert found.open == []


def test_a_copy_removed_from_the_spool_before_its_file_has_left_the_inbox_is_made_anew(
    here: IntakeLab,
) -> None:
    here.drop("s01/intro.mp4")
    here.media.broken = True
    claim_all(here)
    for path in (here.state / "spool").iterdir():
        path.unlink()
    here.media.broken = False
    assert recover(here).born == 1


def test_a_claim_in_an_inbox_that_is_not_mounted_waits(here: IntakeLab, other_disk: Path) -> None:
    real = other_disk / "inbox"
    real.mkdir()
    here.inbox.rmdir()
    here.inbox.symlink_to(real)
    here.drop("s01_intro.mp4")
    asyncio.run(take_all(claimer(here), here))
    here.inbox.unlink()
    here.inbox.mkdir()
    (alarm,) = recover(here).delayed.values()
    assert "mount" in str(alarm.trouble)
    assert len(Outcome(here).open) == 1
    here.inbox.rmdir()
    here.inbox.symlink_to(real)
    assert recover(here).born == 1


def test_a_copy_that_a_power_cut_left_is_not_trusted_while_the_inbox_is_not_mounted(
    here: IntakeLab, other_disk: Path
) -> None:
    here.drop("s01_intro.mp4", b"11 seconds")
    steps = Fuse()
    claim_all(here, fuse=steps)
    real = other_disk / "inbox"
    real.mkdir()
    here.inbox.rmdir()
    here.inbox.symlink_to(real)
    here.drop("s02_intro.mp4", b"12 seconds")
    with pytest.raises(Crash):
        claim_all(here, fuse=Fuse(steps.steps.index("sync_file")))
    (copy,) = (here.state / "spool").glob("*-s02.mp4")
    copy.write_bytes(b"12 s")
    here.inbox.unlink()
    here.inbox.mkdir()
    (alarm,) = recover(here).delayed.values()
    assert "mount" in str(alarm.trouble)
    here.inbox.rmdir()
    here.inbox.symlink_to(real)
    assert recover(here).born == 1
    assert [task.size_bytes for task in Outcome(here).tasks] == [10, 10]


def test_a_done_marker_goes_with_its_file(here: IntakeLab) -> None:
    video = here.drop("s01/intro.mp4")
    here.drop("s01/intro.mp4.done", b"")
    entries = Scanner(here.inbox, done_marker=".done").scan()
    assert isinstance(entries, Scan)

    async def run() -> None:
        one = claimer(here, done_marker=".done")
        await finish(one, (await one.take(entries.files)).claims)

    asyncio.run(run())
    assert not video.with_name("intro.mp4.done").exists()
    assert len(Outcome(here).tasks) == 1


def test_another_file_system_gets_a_compared_copy(here: IntakeLab, other_disk: Path) -> None:
    here.inbox = other_disk
    here.drop("s01/intro.mp4", b"10 " + b"x" * 5000)
    (other_disk / "s02_link.mp4").symlink_to("nowhere")
    os.mkfifo(other_disk / "s03_pipe.mp4")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(other_disk / "s04.sock"))
        claim_all(here)
    found = Outcome(here)
    assert [path.read_bytes() for path in found.spool] == [b"10 " + b"x" * 5000]
    assert len(found.tasks) == 1
    assert len(found.reasons) == 3
    assert len(found.rejected) == 3
    assert found.inbox == []


def test_a_copy_that_differs_is_not_taken(here: IntakeLab, other_disk: Path) -> None:
    truncate = os.ftruncate

    def rotten(fd: int, length: int) -> None:
        truncate(fd, length)
        os.pwrite(fd, b"X", 0)

    here.inbox = other_disk
    here.drop("s01/intro.mp4")
    with pytest.MonkeyPatch.context() as disk:
        disk.setattr(os, "ftruncate", rotten)
        (alarm,) = claim_all(here).delayed.values()
    assert "differs" in str(alarm.trouble)
    assert here.born == []
    assert recover(here).born == 1


def test_a_copy_that_did_not_reach_the_disk_is_made_anew(here: IntakeLab) -> None:
    class Failing(Files):
        def sync_file(self, entry: Entry) -> None:
            if b"-s01." in entry.name:
                raise OSError(errno.EIO, "Input/output error", entry.path)
            super().sync_file(entry)

    here.drop("s01/intro.mp4", b"11 seconds")
    here.drop("s02/intro.mp4", b"12 seconds")
    done = claim_all(here, files=Failing())
    assert done.born == 1
    (alarm,) = done.delayed.values()
    assert "s01/intro.mp4" in str(alarm.trouble)
    assert [path.name[-7:] for path in (here.state / "spool").iterdir()] == ["s02.mp4"]
    assert recover(here).born == 1


def test_a_copy_of_which_a_power_cut_left_only_the_name_is_made_anew(here: IntakeLab) -> None:
    here.drop("s01/intro.mp4", b"11 seconds")
    steps = Fuse()
    claim_all(here, fuse=steps)
    here.drop("s02/intro.mp4", b"12 seconds")
    with pytest.raises(Crash):
        claim_all(here, fuse=Fuse(steps.steps.index("sync_file")))
    (copy,) = (here.state / "spool").glob("*-s02.mp4")
    copy.write_bytes(b"")
    recover(here)
    assert [task.size_bytes for task in Outcome(here).tasks] == [10, 10]


@pytest.mark.parametrize("step", ["sync_file", "sync"])
def test_a_file_that_a_power_cut_gave_its_own_name_again_is_not_taken_twice(
    here: IntakeLab, step: str
) -> None:
    here.drop("s01/intro.mp4", b"11 seconds")
    steps = Fuse()
    claim_all(here, fuse=steps)
    video = here.drop("s02/intro.mp4", b"12 seconds")
    with pytest.raises(Crash):
        claim_all(here, fuse=Fuse(steps.steps.index(step)))
    (hidden,) = video.parent.glob(".introeval-*")
    hidden.rename(video)  # as the disk has it: its folder was not synced

    async def restart() -> None:
        one = claimer(here)
        left = await one.open_claims()
        seen_again = await take_all(one, here)  # before any of those left is worked off
        await finish(one, [*left, *seen_again.claims])

    asyncio.run(restart())
    outcome = Outcome(here)
    assert (len(outcome.tasks), outcome.reasons) == (2, [])
    assert not list(video.parent.iterdir())


@pytest.mark.parametrize("step", ["copy", "unlink", "births.create_tasks"])
def test_a_folder_that_is_shut_after_the_claim_keeps_no_claim_open(
    here: IntakeLab, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    here.drop("s01/intro.mp4", b"11 seconds")
    steps = Fuse()
    claim_all(here, fuse=steps)
    here.drop("s02/intro.mp4", b"12 seconds")
    at = len(steps.steps) - 1 - steps.steps[::-1].index(step)
    with pytest.raises(Crash):
        claim_all(here, fuse=Fuse(at))
    inner = Folder.inner

    def shut(folder: Folder, name: bytes) -> Folder:
        if name == b"s02":
            raise PermissionError(errno.EACCES, "Permission denied", name)
        return inner(folder, name)

    with monkeypatch.context() as shutting:
        shutting.setattr(Folder, "inner", shut)
        recover(here)
        assert Outcome(here).open == []
    taken = [task.student for task in Outcome(here).tasks]
    assert taken == (["s01"] if step == "copy" else ["s01", "s02"])


def test_a_state_folder_that_may_not_be_written_is_told_of_and_the_claim_waits(
    here: IntakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_file = Folder.open_file

    def shut(folder: Folder, name: bytes, flags: int, mode: int = 0o600) -> int:
        if flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, "Permission denied", name)
        return open_file(folder, name, flags, mode)

    here.drop("s01/intro.mp4")
    with monkeypatch.context() as shutting:
        shutting.setattr(Folder, "open_file", shut)
        (alarm,) = claim_all(here).delayed.values()
    assert "s01/intro.mp4" in str(alarm.trouble)
    assert len(Outcome(here).open) == 1
    assert recover(here).born == 1


def test_a_hidden_file_that_cannot_be_put_right_keeps_no_other_from_it(
    here: IntakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Shut(Files):
        def rename(self, source: Entry, target: Entry) -> None:
            if b"/s01/" in target.path and not target.name.startswith(b".introeval-"):
                raise PermissionError(errno.EACCES, "Permission denied", source.path)
            super().rename(source, target)

    async def run() -> Tidied:
        one = claimer(here, files=Shut())
        claims = (await take_all(one, here)).claims
        await here.database.session(step, [claim.id for claim in claims], ClaimStep.LOST)
        (here.inbox / "s03" / ".introeval-0123").write_bytes(b"x")
        scan = Scanner(here.inbox).scan()
        assert isinstance(scan, Scan)
        return await one.tidy(sorted(scan.hidden, key=lambda entry: entry.path))

    monkeypatch.setattr("daemon.intake.claim._TIDIED_AT_ONCE", 1)
    for student in ("s01", "s02", "s03"):
        here.drop(f"{student}/intro.mp4")
    tidied = asyncio.run(run())
    assert [entry.path.endswith(b".introeval-0123") for entry in tidied.unknown] == [True]
    assert [error.errno for _, error in tidied.failed] == [errno.EACCES]
    assert [path.parent.name for path in sorted(here.inbox.glob("s*/intro.mp4"))] == ["s02", "s03"]


def drop_some_of_everything(lab: IntakeLab) -> None:
    lab.drop("s01/intro.mp4", b"11 seconds")
    lab.drop("s02_intro.mp4", b"12 seconds")
    lab.drop("s02/again.mp4", b"12 seconds")
    lab.drop("nobody.mp4", b"13 seconds")
    lab.drop("s03/empty.mp4", b"")
    (lab.inbox / "s04_link.mp4").symlink_to("nowhere")


def check_everything_came_through_once(lab: IntakeLab) -> None:
    found = Outcome(lab)
    assert sorted((task.student, task.size_bytes) for task in found.tasks) == [("s01", 10), ("s02", 10)]
    assert [json.loads(result.content)["student_id"] for result in found.results] == ["s03"]
    assert len(found.receipts) == 3
    codes = sorted(str(reason(each)["reason"]).partition(":")[0] for each in found.reasons)
    assert codes == ["duplicate", "no_student", "special_file"]
    assert found.inbox == []
    assert found.open == []
    assert len(found.spool) == 3
    assert len(found.rejected) == 3
    for task in found.tasks:
        assert Path(task.path) in found.spool


def steps_of(tmp: Path, inbox: Path | None, prepare: Callable[[IntakeLab], None]) -> list[str]:
    fuse = Fuse()
    with lab(tmp, inbox=inbox) as whole:
        prepare(whole)
        claim_all(whole, fuse=fuse)
    return fuse.steps


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("across", [False, True], ids=["one_disk", "two_disks"])
def test_killed_at_any_step_everything_comes_through_once(
    tmp_path: Path, other_disk: Path, *, across: bool, after: bool
) -> None:
    def inbox(name: str) -> Path | None:
        if not across:
            return None
        (other_disk / name).mkdir()
        return other_disk / name

    (tmp_path / "whole").mkdir()
    steps = steps_of(tmp_path / "whole", inbox("whole"), drop_some_of_everything)
    assert len(steps) > 15
    for kill_at in range(len(steps)):
        tmp = tmp_path / f"killed-at-{kill_at}"
        tmp.mkdir()
        with lab(tmp, inbox=inbox(tmp.name)) as killed:
            drop_some_of_everything(killed)
            fuse = Fuse(kill_at, after=after)
            with pytest.raises((Crash, BaseExceptionGroup)):
                claim_all(killed, fuse=fuse)
            recover(killed)
            claim_all(killed)  # what had not been claimed yet, or was put back
            check_everything_came_through_once(killed)


def test_killed_again_and_again_while_recovering_everything_comes_through_once(
    tmp_path: Path, other_disk: Path
) -> None:
    with lab(tmp_path, inbox=other_disk) as killed:
        drop_some_of_everything(killed)
        with pytest.raises((Crash, BaseExceptionGroup)):
            claim_all(killed, fuse=Fuse(8, after=True))
        for kill_at in range(60):
            try:
                recover(killed, fuse=Fuse(kill_at, after=bool(kill_at % 2)))
            except (Crash, BaseExceptionGroup):
                continue
            break
        else:
            pytest.fail("the recovery never came to its end")
        claim_all(killed)
        check_everything_came_through_once(killed)


def test_two_claimers_of_one_inbox_make_one_task_of_each_file(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    with (
        lab(tmp_path, inbox=tmp_path / "inbox", state="var1") as one,
        lab(tmp_path, inbox=tmp_path / "inbox", state="var2") as two,
    ):
        for i in range(40):
            one.drop(f"s{i:02d}/intro.mp4", f"10 {i}".encode())

        async def run(lab: IntakeLab) -> None:
            each = claimer(lab)
            await finish(each, (await take_all(each, lab)).claims)

        async def both() -> None:
            await asyncio.gather(run(one), run(two))

        asyncio.run(both())
        tasks = [task.student for lab in (one, two) for task in Outcome(lab).tasks]
        assert sorted(tasks) == [f"s{i:02d}" for i in range(40)]
        assert Outcome(one).inbox == []
        assert Outcome(one).open == Outcome(two).open == []
