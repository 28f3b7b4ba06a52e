"""A place is known by its mark and its file system: what is taken for the same folder, and what is not."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from daemon.contracts.wire.words import PlaceName, PlaceState
from daemon.core.errors import PlaceError, StoreError
from daemon.core.intake.place import KnownPlace
from daemon.system.folder import Folder
from daemon.system.mounts import file_system
from daemon.system.place import Place
from tests.support.places import Mount, Share, mark_of, mount_at, share_at


class Kept:
    """A database that remembers one place, through restarts of the daemon."""

    def __init__(self, name: PlaceName, path: Path) -> None:
        self.name, self.path = name, path
        self.memory: KnownPlace | None = None
        self.times = 0

    def keep(self, memory: KnownPlace) -> None:
        self.memory = memory
        self.times += 1

    def place(self) -> Place:
        """The place as a daemon sees it that has just started."""
        return Place(self.name, self.path, self.memory, self.keep)


@pytest.fixture(params=list(PlaceName))
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    (tmp_path / "place").mkdir()
    return Kept(request.param, tmp_path / "place")


def known(place: Place) -> None:
    with place.open():
        assert (place.state, place.detail) == (PlaceState.KNOWN, "")


def unknown(place: Place) -> str:
    with pytest.raises(PlaceError) as raised:
        place.open()
    assert place.state is PlaceState.UNKNOWN
    message = str(raised.value)
    assert place.detail == message
    assert "\n" not in message
    return message


def test_the_first_folder_is_accepted_gets_a_mark_and_is_known_after_a_restart(kept: Kept) -> None:
    known(kept.place())
    assert kept.memory is not None
    assert kept.memory.mark is not None
    assert kept.memory.mark in mark_of(kept.path).read_text()
    known(kept.place())
    assert kept.times == 1


def test_a_mark_that_is_there_already_is_adopted(kept: Kept, tmp_path: Path) -> None:
    known(kept.place())
    before = mark_of(kept.path).read_bytes()
    known(Kept(kept.name, kept.path).place())
    assert mark_of(kept.path).read_bytes() == before


@pytest.mark.parametrize("at", [share_at, mount_at])
def test_a_bare_folder_is_unknown_after_a_restart_until_the_share_is_back(
    tmp_path: Path, at: Callable[[Path], AbstractContextManager[Share | Mount]]
) -> None:
    for name in PlaceName:
        with at(tmp_path / name) as share:
            kept = Kept(name, tmp_path / name)
            known(kept.place())
            share.take_away()
            place = kept.place()
            assert f"introeval accept {name}" in unknown(place)
            assert list(kept.path.iterdir()) == []
            share.show()
            known(place)
            assert kept.times == 1


def test_a_share_that_goes_away_between_two_looks_is_noticed(tmp_path: Path) -> None:
    with share_at(tmp_path / "place") as share:
        place = Kept(PlaceName.OUTBOX, share.at).place()
        known(place)
        share.take_away()
        unknown(place)
        share.show()
        known(place)


@pytest.mark.parametrize("damage", ["gone", "empty", "other", "link", "folder", "huge", "fifo", "socket"])
def test_a_mark_that_a_student_destroyed_is_written_anew_on_the_same_file_system(
    tmp_path: Path, damage: str
) -> None:
    kept = Kept(PlaceName.INBOX, tmp_path / "inbox")
    kept.path.mkdir()
    known(kept.place())
    mark, whole = mark_of(kept.path), mark_of(kept.path).read_bytes()
    mark.unlink()
    _damage(mark, damage, outside=tmp_path / "outside")
    known(kept.place())
    if damage != "folder":
        assert mark.read_bytes() == whole
        assert mark.is_file()
        assert not mark.is_symlink()
    if damage == "link":
        assert (tmp_path / "outside").read_text() == "introeval place " + "0" * 32 + "\n"
    known(kept.place())


def _damage(mark: Path, damage: str, outside: Path) -> None:
    foreign = "introeval place " + "0" * 32 + "\n"
    match damage:
        case "empty":
            mark.touch()
        case "other":
            mark.write_text(foreign)
        case "link":
            outside.write_text(foreign)
            mark.symlink_to(outside)
        case "folder":
            mark.mkdir()
            (mark / "full").touch()
        case "huge":
            with mark.open("wb") as file:
                file.truncate(15 * 2**30)
        case "fifo":
            os.mkfifo(mark)
        case "socket":
            os.mknod(mark, 0o140600)


def test_the_mark_of_another_outbox_is_another_place_on_the_same_file_system_too(tmp_path: Path) -> None:
    kept, other = (Kept(PlaceName.OUTBOX, tmp_path / name) for name in ("outbox", "other"))
    for each in (kept, other):
        each.path.mkdir()
        known(each.place())
    kept.path.rename(tmp_path / "old")
    other.path.rename(kept.path)
    unknown(kept.place())


def test_a_matching_mark_wins_over_another_file_system_which_is_then_remembered(tmp_path: Path) -> None:
    with share_at(tmp_path / "place") as share:
        kept = Kept(PlaceName.OUTBOX, share.at)
        known(kept.place())
        mark = mark_of(share.at).read_bytes()
        share.take_away()
        mark_of(share.at).write_bytes(mark)
        known(kept.place())
        assert kept.times == 2
        mark_of(share.at).unlink()
        known(kept.place())


def test_an_empty_share_in_the_place_of_the_known_one_is_unknown_until_it_is_accepted(tmp_path: Path) -> None:
    kept = Kept(PlaceName.OUTBOX, tmp_path / "place")
    kept.path.mkdir()
    known(kept.place())
    kept.path.rename(tmp_path / "old")
    with share_at(kept.path) as share:
        place = kept.place()
        unknown(place)
        assert list(share.folder.iterdir()) == []
        place.accept(kept.keep)
        assert place.state is PlaceState.KNOWN
        known(place)
        known(kept.place())
        share.take_away()
        unknown(kept.place())


def test_a_folder_in_which_no_mark_can_be_written_is_known_by_its_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Folder.open_file

    def read_only(self: Folder, name: bytes, flags: int, mode: int = 0o600) -> int:
        if flags & os.O_CREAT:
            raise OSError(30, "Read-only file system")
        return real(self, name, flags, mode)

    monkeypatch.setattr(Folder, "open_file", read_only)
    with share_at(tmp_path / "place") as share:
        kept = Kept(PlaceName.INBOX, share.at)
        known(kept.place())
        assert list(share.at.iterdir()) == []
        known(kept.place())
        assert kept.times == 1
        share.take_away()
        unknown(kept.place())
        share.show()
        monkeypatch.undo()
        known(kept.place())
        assert mark_of(share.at).exists()
        assert kept.times == 2


def test_what_cannot_be_remembered_is_not_used(tmp_path: Path) -> None:
    def keep(memory: KnownPlace) -> None:
        raise StoreError("the disk is full")

    place = Place(PlaceName.OUTBOX, tmp_path, None, keep)
    with pytest.raises(StoreError):
        place.open()
    assert place.state is not PlaceState.KNOWN


def test_a_look_changes_nothing(tmp_path: Path) -> None:
    kept = Kept(PlaceName.OUTBOX, tmp_path / "place")
    kept.path.mkdir()
    place = kept.place()
    place.look()
    assert (place.state, list(kept.path.iterdir())) == (PlaceState.UNSEEN, [])
    known(kept.place())
    mark_of(kept.path).unlink()
    place = kept.place()
    place.look()
    assert (place.state, list(kept.path.iterdir())) == (PlaceState.KNOWN, [])
    kept.path.rename(tmp_path / "old")
    place.look()
    assert place.state is PlaceState.AWAY


def test_the_folder_of_a_known_place_is_made_on_its_own_file_system_alone(tmp_path: Path) -> None:
    with share_at(tmp_path / "share") as share:
        kept = Kept(PlaceName.OUTBOX, share.at / "outbox")
        kept.place().prepare()
        known(kept.place())
        share.take_away()
        kept.place().prepare()
        assert list(share.at.iterdir()) == []
        with pytest.raises(PlaceError, match="mount it again"):
            kept.place().open()
        share.show()
        known(kept.place())
    local = Kept(PlaceName.OUTBOX, tmp_path / "local")
    local.place().prepare()
    known(local.place())
    mark_of(local.path).unlink()
    local.path.rmdir()
    local.place().prepare()
    known(local.place())


def test_a_check_of_what_has_not_changed_costs_four_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Kept(PlaceName.OUTBOX, tmp_path).place()
    known(place)
    calls: list[str] = []

    def counted(name: str) -> None:
        real = getattr(os, name)

        def call(*args: Any, **named: Any) -> Any:
            calls.append(name)
            return real(*args, **named)

        monkeypatch.setattr(os, name, call)

    with Folder.open(tmp_path) as folder:
        for name in ("open", "fstat", "read", "close", "stat", "statvfs", "readlink"):
            counted(name)
        place.check(folder)
        assert calls == ["fstat", "open", "read", "close"]


TABLE = r"""21 1 254:0 / / rw,relatime - ext4 /dev/vda rw
{} 21 0:30 /exports\040a {} rw shared:1 - nfs4 nas:/srv/my\040class rw
"""


def test_a_network_file_system_is_told_by_its_address(tmp_path: Path) -> None:
    with Folder.open(tmp_path) as folder:
        lines = Path(f"/proc/self/fdinfo/{folder.fd}").read_text().splitlines()
        (mount_id,) = (line.split()[1] for line in lines if line.startswith("mnt_id"))
        table = tmp_path / "mountinfo"
        table.write_text(TABLE.format(mount_id, tmp_path))
        found = file_system(folder.fd, table)
        assert (found.type, found.key, found.root) == ("nfs4", "nas:/srv/my class", "/exports a")
        assert found.mounted
        assert str(found) == "nfs4 nas:/srv/my class, mounted there"
        table.write_text(TABLE.format(mount_id, tmp_path.parent))
        assert not file_system(folder.fd, table).mounted
        assert file_system(folder.fd, tmp_path / "missing").type == ""


def test_a_real_mount_is_told_from_the_folder_below_it_on_the_same_file_system(tmp_path: Path) -> None:
    with mount_at(tmp_path / "place") as mount:
        with Folder.open(mount.at) as shown:
            above = file_system(shown.fd)
        mount.take_away()
        with Folder.open(mount.at) as bare:
            below = file_system(bare.fd)
    assert (above.key, above.mounted) == (below.key, True)
    assert above != below
