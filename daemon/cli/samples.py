"""The sample class: a few synthetic introductions, for a first run from video to result."""

import json
import shutil
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from daemon.core.errors import SamplesMissing
from daemon.core.intake.kinds import has_media_suffix, ignored
from daemon.store.models import TaskRow
from daemon.store.opening import connect

_INSTALLED = Path(__file__).resolve().parents[1] / "samples"
SAMPLES = _INSTALLED if _INSTALLED.is_dir() else _INSTALLED.parents[1] / "samples"
"""The folder of the clips: in the installed program, else in the checkout."""

CLIP_S = 18.6
"""The mean length in seconds of the clips in which somebody speaks."""


def sample_files() -> list[Path]:
    """The clips, by name. Raises SamplesMissing."""
    clips = sorted(p for p in SAMPLES.glob("*") if has_media_suffix(p.name))
    if not clips:
        raise SamplesMissing(f"the sample clips are not in {SAMPLES}; install the program again")
    return clips


def hand_in(inbox: Path, database: Path) -> list[Path]:
    """Copy the sample class into the inbox, and return the copies. Raises SamplesMissing, StoreError.

    Copies nothing when the inbox holds files, or when the database has a task of a sample student.
    """
    clips = sample_files()
    inbox.mkdir(parents=True, exist_ok=True)
    if any(not ignored(entry.relative_to(inbox)) for entry in inbox.iterdir()):
        return []
    if database.exists():
        students = [clip.name.partition("_")[0] for clip in clips]
        with connect(database, read_only=True) as db:  # also an older one, which the run migrates
            if TaskRow.select(TaskRow.id).where(TaskRow.user_id.in_(students)).limit(1).exists(db):
                return []
    copies = []
    for clip in clips:
        part = inbox / f"{clip.name}.part"
        shutil.copyfile(clip, part)
        copies.append(part.rename(inbox / clip.name))
    return copies


def synthetic_class(students: int) -> Iterator[Callable[[], bytes]]:
    """Give for each student what reads the content of a video. No two are the same bytes.

    The clips in which somebody speaks take turns; each copy ends in a `free` box of its own, which players
    and decoders skip (ISO/IEC 14496-12, 8.1.2). Raises SamplesMissing.
    """
    words = json.loads((SAMPLES / "words.json").read_text()) if sample_files() else {}
    spoken = [SAMPLES / name for name, clip in words.items() if clip["words"]]
    for number in range(students):
        yield partial(_numbered, spoken[number % len(spoken)], number)


def _numbered(clip: Path, number: int) -> bytes:
    return clip.read_bytes() + struct.pack(">I4sQ", 16, b"free", number)
