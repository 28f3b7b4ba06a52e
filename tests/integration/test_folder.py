"""An open folder: what is done in it is done there, whatever stands at its path meanwhile."""

import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.intake.files import Files
from daemon.system import folder as module
from daemon.system.folder import Entry, Folder


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Folder]:
    with Folder.open(tmp_path) as opened:
        yield opened


def test_a_folder_that_was_exchanged_for_a_link_is_still_the_one_that_was_opened(
    here: Folder, tmp_path: Path
) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    mine.mkdir()
    theirs.mkdir()
    (mine / "a").write_text("mine")
    (theirs / "a").write_text("theirs")
    with here.inner(b"mine") as opened:
        mine.rename(tmp_path / "moved")
        mine.symlink_to(theirs)
        opened.rename(b"a", opened, b"b")
        assert opened.stat(b"b") is not None
    assert (theirs / "a").read_text() == "theirs"
    assert (tmp_path / "moved" / "b").read_text() == "mine"


def test_no_link_is_entered_at_any_step(here: Folder, tmp_path: Path) -> None:
    (tmp_path / "deep" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to("deep")
    with here.below([b"deep", b"inner"]) as inner:
        assert inner.path == os.fsencode(tmp_path / "deep" / "inner")
    with pytest.raises(NotADirectoryError):
        here.below([b"link", b"inner"])
    with pytest.raises(NotADirectoryError):
        here.make(b"link")


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"/etc"])
def test_a_name_never_leads_out_of_the_folder(here: Folder, name: bytes) -> None:
    for call in (here.inner, here.make, here.stat, here.unlink, here.rmdir):
        with pytest.raises(PermissionError):
            call(name)
    with pytest.raises(PermissionError):
        here.rename(b"a", here, name)


class WithoutCall:
    """A C library whose file system knows no rename that never replaces."""

    def renameat2(self, *_: object) -> int:
        ctypes.set_errno(errno.EINVAL)
        return -1


def refuse_links(*_: object, **__: object) -> None:
    raise PermissionError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("ways", ["the call", "second names", "neither"])
def test_a_rename_never_replaces_what_stands_there(
    here: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ways: str
) -> None:
    if ways != "the call":
        monkeypatch.setattr(module, "_libc", WithoutCall())
    if ways == "neither":
        monkeypatch.setattr(os, "link", refuse_links)
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    with pytest.raises(FileExistsError):
        here.rename(b"a", here, b"b")
    assert (tmp_path / "a").read_text() == "a"
    assert (tmp_path / "b").read_text() == "b"
    here.rename(b"a", here, b"c")
    assert sorted(here.names()) == [b"b", b"c"]
    assert (tmp_path / "c").read_text() == "a"


def test_descriptors_are_given_back(here: Folder, tmp_path: Path) -> None:
    (tmp_path / "deep" / "inner").mkdir(parents=True)
    before = len(os.listdir("/proc/self/fd"))
    here.below([b"deep", b"inner"]).close()
    here.make(b"new").close()
    with pytest.raises(FileNotFoundError):
        here.below([b"deep", b"gone"])
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("both", [False, True])
def test_a_moved_file_has_a_durable_name_at_any_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, both: bool
) -> None:
    old, new = (tmp_path / name for name in ("old", "new"))
    for folder in (old, new):
        folder.mkdir()
    (old / "a").write_bytes(b"video")
    if both:  # a power cut has left them
        (new / "b").hardlink_to(old / "a")
    synced: list[tuple[str, bool]] = []

    def sync(folder: Folder) -> None:
        synced.append((Path(os.fsdecode(folder.path)).name, (old / "a").exists()))

    monkeypatch.setattr(Folder, "sync", sync)
    with Folder.open(old) as source, Folder.open(new) as target:
        Files().move(Entry(source, b"a"), Entry(target, b"b"))
    assert synced == [("new", True), ("old", False)]
    assert (new / "b").read_bytes() == b"video"


def test_a_move_replaces_no_other_file(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text(name)
    with (
        Folder.open(tmp_path / "old") as source,
        Folder.open(tmp_path / "new") as target,
        pytest.raises(FileExistsError),
    ):
        Files().move(Entry(source, b"a"), Entry(target, b"a"))
    assert [(tmp_path / name / "a").read_text() for name in ("old", "new")] == ["old", "new"]
