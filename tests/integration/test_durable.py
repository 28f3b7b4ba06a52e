"""Files that appear whole or not at all."""

from pathlib import Path

import pytest

from daemon.system.durable import whole_file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole_with_its_mode_in_place_of_what_stood_there(tmp_path: Path) -> None:
    target = tmp_path / "record.json"
    target.write_bytes(b"before")
    with whole_file(target, 0o600) as file:
        file.write(b"after")
        assert target.read_bytes() == b"before"
    assert target.read_bytes() == b"after"
    assert target.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["record.json"]


def test_what_breaks_in_the_middle_leaves_what_stood_there_and_the_next_try_succeeds(tmp_path: Path) -> None:
    target = tmp_path / "record.json"
    target.write_bytes(b"before")

    def broken() -> None:
        with whole_file(target) as file:
            file.write(b"half")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"):
        broken()
    assert target.read_bytes() == b"before"
    with whole_file(target) as file:
        file.write(b"after")
    assert target.read_bytes() == b"after"
    assert names(tmp_path) == ["record.json"]
