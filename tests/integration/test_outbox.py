"""The outbox: files appear whole, with the right permissions, and never in the wrong place."""

import os
import stat
from pathlib import Path

import pytest

from daemon.core.errors import ConfigError, DeliveryError
from daemon.outbox import Outbox
from daemon.values import Document, Kind


def document(name: str = "s01/0001-intro.result.json", content: bytes = b"{}\n", id_: int = 1) -> Document:
    return Document(id_, Kind.RESULT, name, content, 1)


def everything(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def test_a_document_appears_under_its_name_and_nothing_else_does(tmp_path: Path) -> None:
    Outbox(tmp_path).publish(document())
    assert everything(tmp_path) == {"s01/0001-intro.result.json": b"{}\n"}


def test_publishing_again_changes_nothing(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    outbox.publish(document())
    before = (tmp_path / document().name).stat()
    outbox.publish(document())
    assert (tmp_path / document().name).stat() == before


def test_what_a_crash_left_half_written_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "s01").mkdir()
    (tmp_path / "s01" / ".introeval-1.tmp").write_bytes(b"{ half")
    (tmp_path / document().name).write_bytes(b"somebody else's")
    Outbox(tmp_path).publish(document())
    assert everything(tmp_path) == {document().name: b"{}\n"}


def test_the_next_tool_may_read_and_nobody_else_write(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Outbox(tmp_path, mode=0o640).publish(document())
    file, folder = (tmp_path / document().name).stat(), (tmp_path / "s01").stat()
    assert stat.S_IMODE(file.st_mode) == 0o640
    assert stat.S_IMODE(folder.st_mode) == 0o750
    assert file.st_gid == folder.st_gid == tmp_path.stat().st_gid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to any group")
def test_the_group_is_the_outboxs_or_the_configured_one(tmp_path: Path) -> None:
    os.chown(tmp_path, -1, 4321)
    Outbox(tmp_path).publish(document())
    assert (tmp_path / document().name).stat().st_gid == 4321
    Outbox(tmp_path, group=1234).publish(document("s02/0002-a.result.json", id_=2))
    assert (tmp_path / "s02").stat().st_gid == (tmp_path / "s02" / "0002-a.result.json").stat().st_gid == 1234


def test_a_group_that_does_not_exist_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no-such-group"):
        Outbox(tmp_path, group="no-such-group")


def test_an_outbox_that_is_missing_delivers_nothing_and_is_not_made(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    with pytest.raises(DeliveryError, match="outbox cannot be written"):
        outbox.publish(document())
    assert not (tmp_path / "outbox").exists()
    (tmp_path / "outbox").mkdir()
    outbox.publish(document())


def test_a_mount_that_went_away_delivers_nothing_into_the_bare_folder(tmp_path: Path) -> None:
    mounted = Path("/dev/shm")
    if not os.path.ismount(mounted):
        pytest.skip("no file system is mounted at /dev/shm")
    root = tmp_path / "outbox"
    root.symlink_to(mounted)
    outbox = Outbox(root)
    assert outbox.publish_all([]).done == []
    root.unlink()
    root.mkdir()
    with pytest.raises(DeliveryError, match="not mounted"):
        outbox.publish(document())
    assert everything(root) == {}


def test_one_document_that_fails_harms_only_itself(tmp_path: Path) -> None:
    (tmp_path / "s02").write_bytes(b"a file where a folder should be")
    published = Outbox(tmp_path).publish_all(
        [
            document(id_=1),
            document("s02/0002-a.result.json", id_=2),
            document("s03/0003-a.result.json", id_=3),
        ]
    )
    assert published.done == [1, 3]
    assert list(published.failed) == [2]
    assert "\n" not in published.failed[2]


@pytest.mark.parametrize(
    "name", ["../evil.json", "/etc/evil.json", "s01/../../evil.json", "s01/.hidden.json", ""]
)
def test_a_name_that_leaves_the_outbox_is_refused(tmp_path: Path, name: str) -> None:
    root = tmp_path / "outbox"
    root.mkdir()
    with pytest.raises(DeliveryError):
        Outbox(root).publish(document(name))
    assert everything(tmp_path) == {}
