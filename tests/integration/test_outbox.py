"""The outbox: files appear whole, with the right permissions, and never in the wrong place."""

import os
import stat
from pathlib import Path

import pytest

from daemon.contracts.documents import Document, Kind
from daemon.core.errors import ConfigError, DeliveryError
from daemon.delivery.outbox import Outbox
from tests.support.places import mark_of, outlet


def document(name: str = "s01/0001-intro.result.json", content: bytes = b"{}\n", id_: int = 1) -> Document:
    return Document(id_, Kind.RESULT, name, content, 1)


def everything(root: Path) -> dict[str, bytes]:
    """Every file below a folder but the mark."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path != mark_of(root)
    }


def publish(outbox: Outbox, *documents: Document) -> None:
    """Publish, all of them."""
    published = outbox.publish_all(documents)
    assert not published.failed | published.blocked
    assert published.done == [each.id for each in documents]


def test_a_document_appears_under_its_name_and_nothing_else_does(tmp_path: Path) -> None:
    publish(Outbox(outlet(tmp_path)), document())
    assert everything(tmp_path) == {"s01/0001-intro.result.json": b"{}\n"}


def test_publishing_again_changes_nothing(tmp_path: Path) -> None:
    outbox = Outbox(outlet(tmp_path))
    publish(outbox, document())
    before = (tmp_path / document().name).stat()
    publish(outbox, document())
    assert (tmp_path / document().name).stat() == before


def test_what_a_crash_left_half_written_is_replaced(tmp_path: Path) -> None:
    (tmp_path / ".introeval-s01.tmp").mkdir()
    publish(Outbox(outlet(tmp_path)), document())
    (tmp_path / "s01" / ".introeval-2.tmp").write_bytes(b"{ half")
    publish(Outbox(outlet(tmp_path)), document("s01/0002-intro.result.json", id_=2))
    assert everything(tmp_path) == {document().name: b"{}\n", "s01/0002-intro.result.json": b"{}\n"}
    assert sorted(path.name for path in tmp_path.iterdir()) == [mark_of(tmp_path).name, "s01"]


def test_what_a_crash_left_under_both_names_is_put_right(tmp_path: Path) -> None:
    """Where a rename never replaces by a second name, a crash can leave both."""
    publish(Outbox(outlet(tmp_path)), document())
    half = tmp_path / "s01" / ".introeval-1.tmp"
    half.hardlink_to(tmp_path / document().name)
    publish(Outbox(outlet(tmp_path)), document())
    assert not half.exists()


def test_another_file_under_a_name_is_never_overwritten_and_all_others_go_through(tmp_path: Path) -> None:
    for content in (b"xx\n", b"somebody else's"):
        (tmp_path / "s01").mkdir(exist_ok=True)
        (tmp_path / document().name).write_bytes(content)
        other = document("s01/0002-a.result.json", id_=2)
        published = Outbox(outlet(tmp_path)).publish_all([document(), other])
        assert published.done == [2]
        message = published.blocked[1]
        assert str(tmp_path / document().name) in message
        assert "is not the result that belongs there" in message
        assert "\n" not in message
        assert everything(tmp_path) == {document().name: content, other.name: b"{}\n"}
    (tmp_path / document().name).unlink()
    publish(Outbox(outlet(tmp_path)), document())


@pytest.mark.parametrize("kind", ["link", "dangling", "folder", "fifo"])
def test_what_is_no_file_is_never_followed_or_replaced(tmp_path: Path, kind: str) -> None:
    root, outside = tmp_path / "outbox", tmp_path / "outside"
    target = root / document().name
    target.parent.mkdir(parents=True)
    outside.write_bytes(b"{}\n")
    match kind:
        case "link":
            target.symlink_to(outside)
        case "dangling":
            target.symlink_to(tmp_path / "nowhere")
        case "folder":
            target.mkdir()
        case "fifo":
            os.mkfifo(target)
    before = target.lstat()
    published = Outbox(outlet(root)).publish_all([document()])
    assert (published.done, list(published.blocked)) == ([], [1])
    assert target.lstat() == before
    assert outside.read_bytes() == b"{}\n"
    assert not (tmp_path / "nowhere").exists()


def test_a_student_folder_that_was_exchanged_for_a_link_is_never_written_through(tmp_path: Path) -> None:
    root, victim = tmp_path / "outbox", tmp_path / "victim"
    root.mkdir()
    victim.mkdir()
    (root / "s01").symlink_to(victim)
    outbox = Outbox(outlet(root))
    published = outbox.publish_all([document(), document("s02/0002-a.result.json", id_=2)])
    assert published.done == [2]
    assert str(root / "s01") in published.blocked[1]
    assert list(victim.iterdir()) == []
    (root / "s01").unlink()
    publish(outbox, document())


def test_links_under_our_temporary_names_are_never_written_through(tmp_path: Path) -> None:
    root, victim = tmp_path / "outbox", tmp_path / "victim"
    (root / "s01").mkdir(parents=True)
    victim.mkdir()
    (victim / "file").write_bytes(b"mine")
    (root / "s01" / ".introeval-1.tmp").symlink_to(victim / "file")
    (root / ".introeval-s02.tmp").symlink_to(victim)
    publish(Outbox(outlet(root)), document(), document("s02/0002-a.result.json", id_=2))
    assert everything(victim) == {"file": b"mine"}


def test_a_file_that_comes_in_the_last_moment_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def fsync(fd: int) -> None:
        real(fd)
        target = tmp_path / document().name
        if target.parent.exists() and not target.exists():
            target.write_bytes(b"theirs")

    publish(Outbox(outlet(tmp_path)), document("s01/0002-a.result.json", id_=2))
    monkeypatch.setattr(os, "fsync", fsync)
    published = Outbox(outlet(tmp_path)).publish_all([document()])
    assert list(published.blocked) == [1]
    assert everything(tmp_path) == {document().name: b"theirs", "s01/0002-a.result.json": b"{}\n"}


def test_the_next_tool_may_read_and_nobody_else_write(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    publish(Outbox(outlet(tmp_path), mode=0o640), document())
    file, folder = (tmp_path / document().name).stat(), (tmp_path / "s01").stat()
    assert stat.S_IMODE(file.st_mode) == 0o640
    assert stat.S_IMODE(folder.st_mode) == 0o750
    assert file.st_gid == folder.st_gid == tmp_path.stat().st_gid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to any group")
def test_the_group_is_the_outboxs_or_the_configured_one(tmp_path: Path) -> None:
    os.chown(tmp_path, -1, 4321)
    publish(Outbox(outlet(tmp_path)), document())
    assert (tmp_path / document().name).stat().st_gid == 4321
    publish(Outbox(outlet(tmp_path), group=1234), document("s02/0002-a.result.json", id_=2))
    assert (tmp_path / "s02").stat().st_gid == (tmp_path / "s02" / "0002-a.result.json").stat().st_gid == 1234


def test_a_group_may_be_told_by_its_number(tmp_path: Path) -> None:
    publish(Outbox(outlet(tmp_path), group=str(os.getegid())), document())
    assert (tmp_path / document().name).stat().st_gid == os.getegid()
    with pytest.raises(ConfigError, match="does not exist"):
        Outbox(outlet(tmp_path), group="99999999999")


def test_a_group_that_does_not_exist_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no-such-group"):
        Outbox(outlet(tmp_path), group="no-such-group")


def test_an_outbox_that_is_missing_delivers_nothing_and_is_not_made(tmp_path: Path) -> None:
    outbox = Outbox(outlet(tmp_path / "outbox"))
    with pytest.raises(DeliveryError, match="outbox cannot be used"):
        publish(outbox, document())
    assert not (tmp_path / "outbox").exists()
    (tmp_path / "outbox").mkdir()
    publish(outbox, document())


def test_one_document_that_fails_harms_only_itself(tmp_path: Path) -> None:
    long = document(f"s02/{'x' * 300}.result.json", id_=2)
    other = document("s03/0003-a.result.json", id_=3)
    published = Outbox(outlet(tmp_path)).publish_all([document(id_=1), long, other])
    assert published.done == [1, 3]
    assert list(published.failed) == [2]
    assert "\n" not in published.failed[2]


@pytest.mark.parametrize(
    "name", ["../evil.json", "/etc/evil.json", "s01/../../evil.json", "s01/.hidden.json", ""]
)
def test_a_name_that_leaves_the_outbox_is_refused(tmp_path: Path, name: str) -> None:
    root = tmp_path / "outbox"
    root.mkdir()
    assert list(Outbox(outlet(root)).publish_all([document(name)]).failed) == [1]
    assert everything(tmp_path) == {"outbox/.introeval.place": mark_of(root).read_bytes()}
