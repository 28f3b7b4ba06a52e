"""The sample class: a few synthetic introductions, for a first run from video to result."""

import shutil
from pathlib import Path

from daemon.core.errors import SamplesMissing
from daemon.core.intake.kinds import has_media_suffix, ignored
from daemon.store.models import TaskRow
from daemon.store.opening import connect

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def sample_files() -> list[Path]:
    """The clips, by name. Raises SamplesMissing."""
    clips = sorted(p for p in SAMPLES.glob("*") if has_media_suffix(p.name))
    if not clips:
        raise SamplesMissing(
            "the sample clips are only in a checkout of the repository; copy a video of your own instead"
        )
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
