"""The archive: each video under its student, none ever replaced, whatever a crash or a lost database left."""

import errno
import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.core.errors import StoreError
from daemon.core.tasks.task import Task
from daemon.delivery.archive import archive
from daemon.store import Database, forgetting, videos
from daemon.system.folder import Folder
from tests.support.inprocess import Lab, worked_off
from tests.support.waiting import until

VIDEO = b"video"


def spooled(state: Path, content: bytes | None = VIDEO) -> Task:
    """A task whose video lies in the spool; without `content` it is not there any more."""
    path = state / "spool" / "0123.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    if content is not None:
        path.write_bytes(content)
    return Task(
        id=7, student="s01", filename="My Intro.mp4", path=str(path), size_bytes=len(VIDEO),
        sha256=hashlib.sha256(VIDEO).hexdigest(), duration_s=1.0, claimed_at=0.0,
    )  # fmt: skip


def test_a_video_goes_to_its_students_archive_and_again_is_fine(tmp_path: Path) -> None:
    task = spooled(tmp_path)
    for _ in range(2):
        moved = archive(task, tmp_path)
        assert moved == tmp_path / "archive" / "s01" / "0007-My-Intro.mp4"
        assert moved.read_bytes() == VIDEO
        assert not Path(task.path).exists()


@pytest.mark.parametrize("content", [None, b"somebody's"])
def test_a_video_that_is_nowhere_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    task = spooled(tmp_path, content=None)
    there = tmp_path / "archive" / "s01" / "0007-My-Intro.mp4"
    if content:
        there.parent.mkdir(parents=True)
        there.write_bytes(content)
    with pytest.raises(FileNotFoundError):
        archive(task, tmp_path)
    assert content is None or there.read_bytes() == content


def test_the_file_that_has_the_name_keeps_it(tmp_path: Path) -> None:
    shelf = tmp_path / "archive" / "s01"
    shelf.mkdir(parents=True)
    (shelf / "0007-My-Intro.mp4").write_bytes(b"first")
    (shelf / "0007-My-Intro.2.mp4").symlink_to(tmp_path / "elsewhere")
    for _ in range(2):
        assert archive(spooled(tmp_path), tmp_path) == shelf / "0007-My-Intro.3.mp4"
    assert (shelf / "0007-My-Intro.mp4").read_bytes() == b"first"
    assert (shelf / "0007-My-Intro.3.mp4").read_bytes() == VIDEO
    assert not (tmp_path / "elsewhere").exists()
    assert len(list(shelf.iterdir())) == 3


def test_a_link_in_place_of_the_students_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "archive" / "s01").symlink_to(tmp_path / "elsewhere")
    task = spooled(tmp_path)
    with pytest.raises(NotADirectoryError):
        archive(task, tmp_path)
    assert Path(task.path).read_bytes() == VIDEO


def test_the_folder_that_receives_is_synced_before_the_one_that_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "archive" / "s01").mkdir(parents=True)
    synced: list[str] = []
    monkeypatch.setattr(Folder, "sync", lambda folder: synced.append(Path(os.fsdecode(folder.path)).name))
    archive(spooled(tmp_path), tmp_path)
    way = [tmp_path.name, "archive"]  # a killed daemon may have made what is there
    assert synced == [*way, "s01", "spool"]


@pytest.mark.parametrize("sha256", [True, False])
def test_a_video_never_has_no_name_and_with_both_the_old_one_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sha256: bool
) -> None:
    task = spooled(tmp_path)
    task = task if sha256 else replace(task, sha256="")
    synced: list[bool] = []

    def sync(folder: Folder) -> None:
        synced.append(Path(task.path).exists())
        if folder.path.endswith(b"s01"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as failing:
        failing.setattr(Folder, "sync", sync)
        with pytest.raises(OSError, match="Input/output"):
            archive(task, tmp_path)
    assert all(synced)
    assert archive(task, tmp_path).read_bytes() == VIDEO
    assert not Path(task.path).exists()
    assert len(list((tmp_path / "archive" / "s01").iterdir())) == 1


@pytest.mark.parametrize("broken", [False, True])
def test_onto_another_file_system_a_video_is_copied_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    def across(folder: Folder, name: bytes, target: Folder, new: bytes) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    def full(folder: Folder, name: bytes, target: Folder, new: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Folder, "link", across)
    if broken:
        monkeypatch.setattr(Folder, "rename", full)
    task, shelf = spooled(tmp_path), tmp_path / "archive" / "s01"
    if broken:
        with pytest.raises(OSError, match="No space"):
            archive(task, tmp_path)
        assert list(shelf.iterdir()) == []
        assert Path(task.path).read_bytes() == VIDEO
    else:
        assert archive(task, tmp_path).read_bytes() == VIDEO
        assert [path.name for path in shelf.iterdir()] == ["0007-My-Intro.mp4"]
        assert not Path(task.path).exists()


@pytest.mark.anyio
async def test_no_original_in_the_archive_is_replaced_and_an_alarm_says_so(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        there = tmp_path / "var" / "archive" / "s001" / "0001-s001_me.mp4"
        there.parent.mkdir(parents=True)
        there.write_bytes(b"the first")
        lab.hand_in("s001_me.mp4", b"another")
        await worked_off(daemon)
        archived = {path.name: path.read_bytes() for path in (tmp_path / "var").glob("archive/s001/*")}
        path = (await daemon.session(forgetting.kept_of, "s001", lab.inbox)).videos
        (told,) = [str(alarm.trouble) for alarm in daemon.alarms.all if alarm.code == "archive_name"]
    assert archived == {"0001-s001_me.mp4": b"the first", "0001-s001_me.2.mp4": b"another"}
    assert [each.name for each in path] == ["0001-s001_me.2.mp4"]
    assert "task 1" in told


@pytest.mark.anyio
async def test_a_video_that_was_moved_before_the_database_knew_of_it_is_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failed = videos.archived, list[int]()

    def once(store: Database, moved: Sequence[tuple[int, Path]], now: float) -> None:
        if not failed:
            failed.append(moved[0][0])
            raise StoreError("its disk is full")
        real(store, moved, now)

    monkeypatch.setattr(videos, "archived", once)
    lab = Lab(tmp_path)
    lab.hand_in("s001_me.mp4")
    async with lab.daemon() as daemon:
        await until(lambda: failed)
        await worked_off(daemon)
        assert not [alarm for alarm in daemon.alarms.all if alarm.code == "archive_name"]
        (video,) = (await daemon.session(forgetting.kept_of, "s001", lab.inbox)).videos
    assert video == tmp_path / "var" / "archive" / "s001" / "0001-s001_me.mp4"
    assert video.read_bytes() == b"s001_me.mp4"
