"""An inbox and an outbox, as those who use them do: how a video is handed in, and what results there are."""

import json
import shutil
from pathlib import Path
from typing import Any


def put(target: Path, content: str | bytes) -> None:
    """Write a file under another name, and give it its own when it is whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    part.write_bytes(content.encode() if isinstance(content, str) else content)
    part.rename(target)


def copy_in(inbox: Path, *videos: Path) -> None:
    """Hand in a copy of each video, in the same way."""
    inbox.mkdir(parents=True, exist_ok=True)
    for video in videos:
        part = inbox / f"{video.name}.part"
        shutil.copyfile(video, part)
        part.rename(inbox / video.name)


def results_by_student(outbox: Path) -> dict[str, dict[str, Any]]:
    """Every result by its student's id; two of one student fail the test."""
    found: dict[str, dict[str, Any]] = {}
    for path in outbox.glob("*/*.result.json"):
        result = json.loads(path.read_bytes())
        assert result["student_id"] not in found, f"two results of {result['student_id']}"
        found[result["student_id"]] = result
    return found
