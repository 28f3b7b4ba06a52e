"""One recording handed in several times in a class: other names, places, containers and bit rates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.process_lab import ProcessLab
from tests.support.studio import ffmpeg

SAMPLES = Path(__file__).parents[2] / "samples"
WAYS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("mp4", ("-c", "copy")),
    ("webm", ("-vn", "-c:a", "libopus", "-b:a", "64k")),
    ("m4a", ("-vn", "-c:a", "aac", "-b:a", "96k")),
    ("mp3", ("-vn", "-c:a", "libmp3lame", "-b:a", "128k")),
    ("mkv", ("-vn", "-c:a", "flac")),
    ("mp4", ("-c:v", "copy", "-c:a", "aac", "-b:a", "48k")),
    ("mp3", ("-vn", "-c:a", "libmp3lame", "-b:a", "64k")),
    ("mkv", ("-c", "copy")),
    ("webm", ("-vn", "-c:a", "libopus", "-b:a", "24k")),
    ("mp4", ("-c:v", "copy", "-c:a", "aac", "-b:a", "128k")),
)


@dataclass(frozen=True)
class Spread:
    """How far the results of copies lie apart: `expected` in points, `integers` in how many criteria."""

    copies: int
    expected: float
    integers: int
    transcripts: int


def hand_in_class(
    lab: ProcessLab, recording: str, copies: int, students: int
) -> tuple[list[str], list[Path]]:
    """Make the class: the students with a copy, and all files in their order, copies spread over it."""
    folder = lab.folder / "made"
    folder.mkdir()
    others = [path for path in sorted(SAMPLES.glob("s00[1-6]*.mp4")) if path.name != recording]
    every = students // copies
    same, files = [], []
    for place in range(students):
        student = f"p{place:03d}"
        number, rest = divmod(place, every)
        if rest == every // 2 and number < copies:
            suffix, how = WAYS[number % len(WAYS)]
            made = folder / f"{student}_me.{suffix}"
            ffmpeg("-i", SAMPLES / recording, *how, made)
            same.append(student)
        else:
            made = folder / f"{student}_about.mp4"
            made.write_bytes(others[place % len(others)].read_bytes())
        files.append(made)
    return same, files


def worked_with_a_restart(
    lab: ProcessLab, files: Sequence[Path], timeout: float, runtime: str = "embedded"
) -> None:
    """Have the first half worked off by one daemon and the rest by the next one."""
    half = len(files) // 2
    for part in (files[:half], files[half:]):
        lab.hand_in(*part)
        done = lab.run("run", "--once", "--runtime", runtime, timeout=timeout)
        assert done.returncode == 0, done.stderr[-2000:]


def spread(results: Sequence[Mapping[str, Any]]) -> Spread:
    """How far apart these results lie."""
    scores = [result["evaluation"]["scores"] for result in results]
    expected = [[each[criterion]["expected"] for each in scores] for criterion in scores[0]]
    integers = [{result["evaluation"][criterion] for result in results} for criterion in scores[0]]
    return Spread(
        len(results),
        max(max(each) - min(each) for each in expected),
        sum(len(each) > 1 for each in integers),
        len({result["transcript"]["text"] for result in results}),
    )
