"""One look at a real folder: every kind of entry, hostile names, and a folder that goes away."""

import os
import socket
from pathlib import Path

import pytest

from daemon.contracts.wire.words import PlaceName
from daemon.core.intake.ownership import Ownership
from daemon.intake.scan import MAX_DEPTH, InboxUnavailable, Scan, Scanner
from daemon.system.mounts import is_remote, users_mounts_within
from daemon.system.place import Place
from tests.support.places import share_at


def look(scanner: Scanner) -> Scan:
    result = scanner.scan()
    assert isinstance(result, Scan)
    return result


def names(scan: Scan, root: Path) -> set[str]:
    return {os.fsdecode(os.path.relpath(entry.path, os.fsencode(root))) for entry in scan.files}


def test_files_of_the_inbox_and_of_students_folders_are_seen(tmp_path: Path) -> None:
    for name in ("s01_a.mp4", "s02/b.mp4", "s02/week 1/c.mp4", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    scan = look(Scanner(tmp_path))
    assert names(scan, tmp_path) == {"s01_a.mp4", "s02/b.mp4", "s02/week 1/c.mp4", "notes.txt"}
    found = (tmp_path / "s01_a.mp4").stat()
    entry = next(entry for entry in scan.files if entry.path.endswith(b"s01_a.mp4"))
    assert (entry.device, entry.inode, entry.size_bytes, entry.mtime_ns, entry.special) == (
        *(found.st_dev, found.st_ino, 1, found.st_mtime_ns),
        False,
    )


def test_a_name_that_is_no_utf8_is_seen_as_its_bytes(tmp_path: Path) -> None:
    raw = os.path.join(os.fsencode(tmp_path), b"s01_\xff\xfe\n.mp4")
    os.close(os.open(raw, os.O_CREAT | os.O_WRONLY))
    assert [entry.path for entry in look(Scanner(tmp_path)).files] == [raw]


def test_ignored_names_are_not_seen_and_a_lab_can_add_some(tmp_path: Path) -> None:
    for name in (".hidden.mp4", "a.mp4.part", "@eaDir/b.mp4", "s01/keep.mp4", "s01/raw.bak"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert names(look(Scanner(tmp_path, ignore=["*.bak"])), tmp_path) == {"s01/keep.mp4"}


def test_hidden_files_of_claims_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / ".introeval-0123").write_bytes(b"x")
    scan = look(Scanner(tmp_path))
    assert scan.files == ()
    assert [entry.path for entry in scan.hidden] == [os.fsencode(tmp_path / ".introeval-0123")]


def test_links_and_special_files_are_marked_and_never_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "s09").mkdir(parents=True)
    (outside / "s09" / "secret.mp4").write_bytes(b"x")
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "s01_link.mp4").symlink_to(outside / "s09" / "secret.mp4")
    (inbox / "s02").symlink_to(outside / "s09")
    (inbox / "loop").symlink_to(inbox)
    os.mkfifo(inbox / "s03_pipe.mp4")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(inbox / "s04.sock"))
        scan = look(Scanner(inbox))
    assert names(scan, inbox) == {"s01_link.mp4", "s02", "loop", "s03_pipe.mp4", "s04.sock"}
    assert all(entry.special for entry in scan.files)


def test_a_folder_is_never_a_video_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "s01.mp4").mkdir()
    assert look(Scanner(tmp_path)).files == ()


def test_a_folder_that_lies_too_deep_is_told_of(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * (MAX_DEPTH + 1))
    deep.mkdir(parents=True)
    (deep / "a.mp4").write_bytes(b"x")
    (deep.parent / "b.mp4").write_bytes(b"x")
    scan = look(Scanner(tmp_path))
    assert {Path(os.fsdecode(entry.path)).name for entry in scan.files} == {"b.mp4"}
    assert [alarm.code for alarm in scan.alarms] == ["folder_too_deep"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_told_of_and_the_rest_is_seen(tmp_path: Path) -> None:
    (tmp_path / "s01_a.mp4").write_bytes(b"x")
    (tmp_path / "s02").mkdir(mode=0)
    scan = look(Scanner(tmp_path))
    assert names(scan, tmp_path) == {"s01_a.mp4"}
    assert [alarm.code for alarm in scan.alarms] == ["folder_unreadable"]


def test_with_a_done_marker_a_file_counts_once_its_marker_is_there(tmp_path: Path) -> None:
    scanner = Scanner(tmp_path, done_marker=".done")
    (tmp_path / "s01_a.mp4").write_bytes(b"x")
    (tmp_path / "s02_b.mp4.done").touch()
    assert look(scanner).files == ()
    (tmp_path / "s01_a.mp4.done").touch()
    assert names(look(scanner), tmp_path) == {"s01_a.mp4"}


def test_an_inbox_that_is_missing_is_unavailable_and_comes_back(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    scanner = Scanner(inbox)
    away = scanner.scan()
    assert isinstance(away, InboxUnavailable)
    assert str(inbox) in away.message
    inbox.mkdir()
    assert not look(scanner).replaced
    (inbox / "a.mp4").write_bytes(b"x")
    assert not look(scanner).replaced


def test_an_inbox_that_is_a_file_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "inbox").write_bytes(b"x")
    assert isinstance(Scanner(tmp_path / "inbox").scan(), InboxUnavailable)


def test_an_inbox_that_was_replaced_is_looked_at_and_told_of_once(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    scanner = Scanner(inbox)
    look(scanner)
    inbox.rename(tmp_path / "old")
    inbox.mkdir()
    (inbox / "a.mp4").write_bytes(b"x")
    scan = look(scanner)
    assert scan.replaced
    assert names(scan, inbox) == {"a.mp4"}
    assert not look(scanner).replaced


def test_a_mount_that_went_away_leaves_an_inbox_that_is_unavailable_whatever_lies_in_the_bare_folder(
    tmp_path: Path,
) -> None:
    inbox = tmp_path / "inbox"
    with share_at(inbox) as share:
        scanner = Scanner(inbox, place=Place(PlaceName.INBOX, inbox))
        look(scanner)
        share.take_away()
        assert isinstance(scanner.scan(), InboxUnavailable)
        (inbox / "a.mp4").write_bytes(b"x")
        away = scanner.scan()
        assert isinstance(away, InboxUnavailable)
        assert "introeval accept inbox" in away.message
        (inbox / "a.mp4").unlink()
        share.show()
        assert not look(scanner).replaced


MOUNTS = r"""21 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 21 0:30 / /srv/share rw - cifs //nas/share rw
41 21 0:31 / /srv/my\040disk rw - fuseblk /dev/sdb1 rw
42 21 0:32 / /srv/my\040disk/inbox/s01 rw - nfs4 nas:/s01 rw
43 21 0:33 / /srv/keys rw - fuse.sshfs me@there: rw
44 21 0:34 / /srv/twice rw shared:1 - nfs nas:/a rw
45 21 0:35 / /srv/twice rw shared:2 master:1 - tmpfs tmpfs rw
46 21 0:36 / /srv/local rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/srv/share", True),
        ("/srv/share/inbox", True),
        ("/srv/shared", False),
        ("/srv/my disk", True),  # a folder in it is remote
        ("/srv/my disk/other", False),
        ("/srv/keys/inbox", True),
        ("/srv/twice", False),  # the later mount covers the earlier
        ("/srv/local/inbox", False),
        ("/somewhere", False),
    ],
)
def test_a_network_file_system_is_found_by_its_mount(tmp_path: Path, folder: str, *, expected: bool) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS)
    assert is_remote(Path(folder), table) is expected


def test_without_a_mount_table_nothing_is_remote(tmp_path: Path) -> None:
    assert not is_remote(tmp_path, tmp_path / "missing")


def test_what_users_have_mounted_below_a_folder_is_found_by_the_table_alone(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    of_a_user = "99 25 0:70 / /srv/my\\040disk/inbox/s09 rw - fuse.sshfs x rw,user_id=1000,group_id=1000\n"
    of_root = "98 25 0:71 / /srv/my\\040disk/inbox/s08 rw - fuse.sshfs x rw,user_id=0,group_id=0\n"
    table.write_text(MOUNTS + of_a_user + of_root)
    assert users_mounts_within(Path("/srv/my disk"), table) == {b"/srv/my disk/inbox/s09"}
    assert users_mounts_within(Path("/srv/share"), table) == frozenset()
    assert users_mounts_within(tmp_path, tmp_path / "missing") == frozenset()


@pytest.mark.parametrize("name", ["s01", "s01_b.mp4", ".introeval-0123"])
def test_nothing_that_a_user_has_mounted_below_the_inbox_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It may be a student's own file system, which never answers."""
    mounted = tmp_path / name
    if "." in name:
        mounted.write_bytes(b"x")
    else:
        mounted.mkdir()
        (mounted / "a.mp4").write_bytes(b"x")
    (tmp_path / "s02_b.mp4").write_bytes(b"x")
    monkeypatch.setattr(
        "daemon.intake.scan.users_mounts_within", lambda root: frozenset({os.fsencode(mounted)})
    )
    scan = look(Scanner(tmp_path))
    assert names(scan, tmp_path) == {"s02_b.mp4"}
    assert scan.hidden == ()
    told = [(alarm.code, alarm.path) for alarm in scan.alarms]
    assert told == ([] if name.startswith(".") else [("mounted_inside", str(mounted))])


MALLORY, ERIN, TUTOR = 61_001, 61_002, 61_003


def folder_of(root: Path, owner: int, *files: int) -> Path:
    """The folder `erin` of an account, with a file of each of these."""
    folder = root / "erin"
    folder.mkdir()
    os.chown(folder, owner, -1)
    for number, account in enumerate(files):
        (folder / f"{number}.mp4").write_bytes(b"x")
        os.chown(folder / f"{number}.mp4", account, -1)
    return folder


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to other accounts")
def test_a_folder_that_another_account_has_made_is_told_of_until_it_is_the_students(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, MALLORY, ERIN)
    scanner = Scanner(tmp_path, ownership=Ownership())
    (alarm,) = look(scanner).alarms
    assert (alarm.code, alarm.path) == ("folder_of_another", str(folder))
    assert f"belongs to the account {MALLORY}" in str(alarm.trouble)
    (folder / "0.mp4").unlink()  # taken
    assert look(scanner).alarms == (alarm,)
    os.chown(folder, ERIN, -1)
    assert look(scanner).alarms == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to other accounts")
@pytest.mark.parametrize(
    ("owner", "ownership"),
    [
        (ERIN, Ownership()),
        (0, Ownership()),
        (TUTOR, Ownership(for_everybody=frozenset({str(TUTOR)}))),
        (MALLORY, Ownership("ignore")),
    ],
    ids=["the student's", "root's", "a shared account's", "accounts mean nothing"],
)
def test_a_folder_of_who_may_have_it_is_no_alarm(tmp_path: Path, owner: int, ownership: Ownership) -> None:
    folder_of(tmp_path, owner, ERIN)
    assert look(Scanner(tmp_path, ownership=ownership)).alarms == ()
