"""`damage`: how much a class is held up by the bad files among it.

The same twenty videos, alone and with ten bad files of different kinds that are handed in at the same time;
real files and the real media reader, scripted engines. Measured is the time from the start of the daemon
to the delivery of the last of the twenty.
"""

import asyncio
import tempfile
import time
from pathlib import Path

from daemon.core.tasks.task import Stage
from daemon.store import open_reader, reports
from daemon.stt.decoder import MediaReader
from tests.bench.clips import short_clips
from tests.bench.figures import Figure, Options, at_most
from tests.support.inprocess import Lab, worked_off

GOOD = 20
BAD_TASKS = 8
MEDIA = Path(__file__).resolve().parents[1] / "media"
DAMAGED = ("no_audio.mp4", "damaged.mp4", "cut_short.mp4")
PLANNED_S = {Stage.STT: 10.0, Stage.EXTRACT: 20.0, Stage.RATE: 20.0}


def measure(options: Options) -> list[Figure]:
    """The ratio of the two times."""
    seconds = {stage: planned / options.scale for stage, planned in PLANNED_S.items()}
    alone = asyncio.run(_take_s(seconds, bad=False))
    together = asyncio.run(_take_s(seconds, bad=True))
    return [Figure("twenty good videos among thirty", together / alone, "x alone", at_most(1.1))]


async def _take_s(seconds: dict[Stage, float], *, bad: bool) -> float:
    students = [f"s{number:03d}" for number in range(GOOD)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lab = Lab(folder / "lab", seconds=seconds, media=MediaReader(folder / "media.log"))
        (folder / "clips").mkdir()
        for clip in (*short_clips(folder / "clips", students), *(_bad(folder) if bad else ())):
            lab.hand_in_file(clip)
        began = time.time()
        async with lab.daemon() as daemon:
            await worked_off(daemon, timeout_s=600.0)
        with open_reader(lab.config.paths.state / "introeval.db") as reader:
            tasks = reports.tasks(reader, limit=500)
    delivered = [task.delivered_at for task in tasks if task.delivered_at and task.student in students]
    if len(delivered) != GOOD or len(tasks) != GOOD + bad * BAD_TASKS:
        raise AssertionError(f"{len(delivered)} good results of {GOOD}, and {len(tasks)} tasks in all")
    return max(delivered) - began


def _bad(folder: Path) -> list[Path]:
    """Ten bad files: eight that become a failed task, and two that are refused."""
    made = []
    for number, clip in enumerate((*DAMAGED, *DAMAGED)):
        made.append(folder / f"b{number:03d}_bad.mp4")
        made[-1].write_bytes((MEDIA / clip).read_bytes() + b"\0" * number)
    for name, content in (
        ("b006_empty.mp4", b""),
        ("b007_text.mp4", b"no video"),
        ("nobody.mp4", b"x"),
        ("b008_notes.txt", b"x"),
    ):
        made.append(folder / name)
        made[-1].write_bytes(content)
    return made
