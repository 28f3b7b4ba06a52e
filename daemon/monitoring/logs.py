"""The last lines of the log files, read from the end, so that long files cost no more."""

import json
import os
from pathlib import Path
from typing import Any

from daemon.contracts.wire.base import LogLine
from daemon.contracts.wire.words import LogSource
from daemon.core.errors import LogUnreadable
from daemon.core.intake.naming import printable

_MOST_BYTES = 1_000_000  # of a file's end
_MOST_CHARS = 2_000  # of a line
_TASK_KEYS = ("task", "task_id", "tasks")
_KNOWN = {"timestamp", "level", "event"}


def last_lines(folder: Path, source: LogSource, task_id: int | None, most: int) -> list[LogLine]:
    """At most `most` lines of one log of `folder`, oldest first; with `task_id`, those that name the task.

    Only the last megabyte is read. Lines are made printable. Raises LogUnreadable.
    """
    path = folder / f"{source.value}.log"
    lines = _end_of(path)
    if len(lines) < most:
        lines = _end_of(path.with_name(f"{path.name}.1")) + lines  # the file may have been rotated just now
    read = (_read(line, source) for line in lines)
    found = [line for line, tasks in read if task_id is None or task_id in tasks]
    return found[-most:]


def _end_of(path: Path) -> list[bytes]:
    """The whole lines at the end of a file; none where there is no file. Raises LogUnreadable."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _MOST_BYTES))
            lines = file.read(_MOST_BYTES).splitlines()
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise LogUnreadable(f"{path} cannot be read: {exc.strerror}; check its owner and rights") from exc
    return lines[1:] if size > _MOST_BYTES else lines


def _read(line: bytes, source: LogSource) -> tuple[LogLine, list[Any]]:
    """A line, and the tasks that it names. The daemon's lines are JSON; engines write any text."""
    text = line.decode(errors="replace")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):  # an engine's line
        said = None
    if not isinstance(said, dict):
        return LogLine(at=None, source=source, text=printable(text)[:_MOST_CHARS]), []
    told = [str(said.get("event", "")), *(f"{k}={v}" for k, v in said.items() if k not in _KNOWN)]
    level = str(said.get("level", "info"))
    shown = " ".join(told if level == "info" else [f"{level}:", *told])
    at = said.get("timestamp")
    tasks: list[Any] = []
    for named in (said.get(key) for key in _TASK_KEYS):
        tasks += named if isinstance(named, list) else [named]
    line_ = LogLine(
        at=at if isinstance(at, str) else None, source=source, text=printable(shown)[:_MOST_CHARS]
    )
    return line_, tasks
