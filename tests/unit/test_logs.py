"""The ends of log files: bounded, made printable, over a rotation, and by task."""

import json
from pathlib import Path

import pytest

from daemon.contracts.wire.words import LogSource
from daemon.core.errors import LogUnreadable
from daemon.monitoring.logs import last_lines


def texts(folder: Path, task_id: int | None = None, most: int = 100) -> list[str]:
    return [line.text for line in last_lines(folder, LogSource.DAEMON, task_id, most)]


def write(path: Path, *events: dict[str, object]) -> None:
    path.write_text("".join(json.dumps(event) + "\n" for event in events))


def test_where_there_is_no_log_there_are_no_lines(tmp_path: Path) -> None:
    assert texts(tmp_path) == []


def test_what_was_rotated_away_just_now_is_still_told(tmp_path: Path) -> None:
    write(tmp_path / "daemon.log.1", {"event": "old"}, {"event": "newer"})
    write(tmp_path / "daemon.log", {"event": "new"})
    assert texts(tmp_path) == ["old", "newer", "new"]
    assert texts(tmp_path, most=2) == ["newer", "new"]


def test_the_lines_of_a_task_are_those_that_name_it(tmp_path: Path) -> None:
    write(
        tmp_path / "daemon.log",
        {"event": "one", "task": 1},
        {"event": "several", "tasks": [1, 2]},
        {"event": "ten", "task": 10},
        {"event": "none"},
    )
    assert texts(tmp_path, task_id=1) == ["one task=1", "several tasks=[1, 2]"]


def test_a_long_file_is_read_from_its_end_alone(tmp_path: Path) -> None:
    log = tmp_path / "daemon.log"
    with log.open("wb") as file:
        file.seek(2_000_000_000)  # a hole: nothing is stored of it
        file.write(b"\nthe last\n")
    assert texts(tmp_path)[-1] == "the last"


def test_what_a_line_holds_cannot_harm_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "daemon.log").write_bytes(b"\x1b[2J\xff[red]\x00 " + b"x" * 10_000 + b"\n")
    (text,) = texts(tmp_path)
    assert text.isprintable()
    assert len(text) == 2000


def test_levels_above_the_usual_are_said(tmp_path: Path) -> None:
    write(tmp_path / "daemon.log", {"event": "careful", "level": "warning"})
    assert texts(tmp_path) == ["warning: careful"]


def test_a_log_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "daemon.log").mkdir()
    with pytest.raises(LogUnreadable, match="cannot be read"):
        texts(tmp_path)


def test_a_line_nested_without_end_is_a_line_like_every_other(tmp_path: Path) -> None:
    (tmp_path / "daemon.log").write_text("[" * 100_000 + "\n")
    (text,) = texts(tmp_path)
    assert set(text) == {"["}
