"""`stt`: a whole stt phase of ours against what one would write without us.

Ours is the real engine: decoding ahead, one child that loads the model, is proven, transcribes ten
recordings of about 45 s, and is ended. Against it: a fresh process for each video with faster-whisper's
defaults, and one process with a bare loop of batched inference, its own voice detection and segments with
times as ours; both with the model, compute type and batch size that ours has. All in the same run, each
from nothing to its end.

The bare loop hears less: where the answer to a window of 30 s breaks off, batched inference goes on with
the next window, without a word. So the words that each wrote stand beside the times, and the bare loop
without times in the segments, which loses the least.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from daemon.config.sections import SttSettings
from daemon.contracts.values import Decoded, SttWork, Ticket, Transcribed
from daemon.core.errors import Fault
from daemon.placement.policy import streams
from daemon.stt.decoder import MediaReader
from daemon.stt.transcriber import WhisperEngine
from daemon.system.weights import Weights
from tests.bench.clips import spoken_clips
from tests.bench.figures import ROUNDS, Figure, Options, at_least, in_turn, median_of, model_folder, ratio_of
from tests.bench.process import cpu_s

CLIPS = 10
LENGTH_S = 45.0
PARTS = 3  # samples in a recording, of 18 s or so each
BATCH_SIZE = 8
FRESH_GOAL = at_least(2.0)
BARE_GOAL = at_least(0.95)

FRESH = """
import json, sys
from faster_whisper import WhisperModel
model, path = sys.argv[1:]
segments, _ = WhisperModel(model, device="cpu", compute_type="int8").transcribe(path)
print(json.dumps(["".join(segment.text for segment in segments)]))
"""

BARE = """
import json, sys
from faster_whisper import BatchedInferencePipeline, WhisperModel
model, size, timestamps, *paths = sys.argv[1:]
pipeline = BatchedInferencePipeline(WhisperModel(model, device="cpu", compute_type="int8"))
said = []
for path in paths:
    segments, _ = pipeline.transcribe(path, batch_size=int(size), without_timestamps=timestamps == "without")
    said.append("".join(segment.text for segment in segments))
print(json.dumps(said))
"""


@dataclass(frozen=True, slots=True)
class Took:
    """One way through all clips: by the clock, of the processor, and how many words came of it."""

    seconds: float
    cpu_s: float
    words: int


def measure(options: Options) -> list[Figure]:
    """How many times as fast ours is as the others, and how many words each of them wrote."""
    model = model_folder(f"whisper-{options.whisper}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = spoken_clips(folder, CLIPS, PARTS, LENGTH_S)
        every = [str(clip) for clip in clips]

        def loop(timestamps: str) -> list[str]:
            return _python(BARE, str(model), str(BATCH_SIZE), timestamps, *every)

        ways = {
            "ours": lambda: asyncio.run(_ours(model, clips, folder)),
            "a process a video": lambda: [
                text for clip in every for text in _python(FRESH, str(model), clip)
            ],
            "a bare batched loop": lambda: loop("with"),
            "the same without timestamps": lambda: loop("without"),
        }
        took = in_turn({name: partial(_took, way) for name, way in ways.items()}, ROUNDS)
    seconds = {name: [each.seconds for each in rounds] for name, rounds in took.items()}
    cpu_s = {name: [each.cpu_s for each in rounds] for name, rounds in took.items()}
    ours, bare = "ours", "a bare batched loop"
    goals = {"a process a video": FRESH_GOAL, bare: BARE_GOAL}
    return [
        median_of(f"ours, {options.whisper}", seconds[ours], "s"),
        *(
            ratio_of(f"against {name}", seconds[name], seconds[ours], "x as fast", goals.get(name))
            for name in list(ways)[1:]
        ),
        ratio_of(f"processor time against {bare}", cpu_s[bare], cpu_s[ours], "x as fast"),
        *(median_of(f"words of {name}", [each.words for each in took[name]], "words") for name in ways),
    ]


def _took(way: Callable[[], Sequence[str]]) -> Took:
    """Processor time counts here and in children that end: on a busy machine it says more than the clock."""
    began, before = time.monotonic(), cpu_s(psutil.Process())
    said = way()
    return Took(
        time.monotonic() - began,
        cpu_s(psutil.Process()) - before,
        sum(len(text.split()) for text in said),
    )


def _python(program: str, *arguments: str) -> list[str]:
    """The texts that a program wrote down."""
    ended = subprocess.run([sys.executable, "-c", program, *arguments], check=True, stdout=subprocess.PIPE)
    said: list[str] = json.loads(ended.stdout)
    return said


async def _ours(model: Path, clips: Sequence[Path], folder: Path) -> list[str]:
    """The texts of a phase with everything that belongs to it."""
    media = MediaReader(max_duration_s=900.0, log=folder / "media.log")
    engine = WhisperEngine(
        Weights.unpinned(model),
        state=folder,
        log=folder / "stt.log",
        device="cpu",
        compute_type="int8",
        batch_size=BATCH_SIZE,
        streams=streams(SttSettings(device="cpu")),
        language="en",
    )
    free = asyncio.Semaphore(streams(SttSettings(device="cpu")))
    decoding = [asyncio.create_task(media.decode(clip, clip.with_suffix(".pcm"))) for clip in clips]

    async def one(number: int, ahead: "asyncio.Task[Decoded | Fault]") -> str:
        decoded = await ahead
        assert isinstance(decoded, Decoded), decoded
        work = SttWork(Ticket(number, 1, 1), decoded.pcm, decoded.takes)
        async with free:
            outcome = await engine.transcribe(work, lambda ticket, done: None)
        assert isinstance(outcome, Transcribed), outcome
        return outcome.transcript.text

    try:
        await engine.start()
        return await asyncio.gather(*(one(number, ahead) for number, ahead in enumerate(decoding)))
    finally:
        for ahead in decoding:
            ahead.cancel()
        await engine.stop()
        await media.aclose()
