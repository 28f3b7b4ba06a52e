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
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from daemon.config.sections import SttSettings
from daemon.contracts.values import Decoded, SttWork, Ticket, Transcribed
from daemon.core.errors import Fault
from daemon.placement.policy import streams
from daemon.stt.decoder import MediaReader
from daemon.stt.transcriber import WhisperEngine
from daemon.system.weights import Weights
from tests.bench.clips import spoken_clips
from tests.bench.figures import Figure, Options, at_least, model_folder

T = TypeVar("T")

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


def measure(options: Options) -> list[Figure]:
    """How many times as fast ours is as the others, and how many words each of them wrote."""
    model = model_folder(f"whisper-{options.whisper}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = spoken_clips(folder, CLIPS, PARTS, LENGTH_S)
        ours_cpu_s, (ours_s, ours) = _with_cpu_s(lambda: asyncio.run(_ours(model, clips, folder)))
        loop = [str(model), str(BATCH_SIZE)]
        bare_cpu_s, (bare_s, bare) = _with_cpu_s(lambda: _python(BARE, [*loop, "with", *map(str, clips)]))
        plain_s, plain = _python(BARE, [*loop, "without", *map(str, clips)])
        fresh = [_python(FRESH, [str(model), str(clip)]) for clip in clips]
    fresh_s = sum(took for took, _ in fresh)
    return [
        Figure(f"stt {options.whisper}: ours", ours_s, "s"),
        Figure("stt: against a process a video", fresh_s / ours_s, "x as fast", FRESH_GOAL),
        Figure("stt: against a bare batched loop", bare_s / ours_s, "x as fast", BARE_GOAL),
        Figure("stt: against the same without timestamps", plain_s / ours_s, "x as fast"),
        Figure("stt: processor time against a bare batched loop", bare_cpu_s / ours_cpu_s, "x as fast"),
        Figure("stt: words of ours", _words(ours), "words"),
        Figure("stt: words of a process a video", _words([said for _, (said,) in fresh]), "words"),
        Figure("stt: words of the bare loop", _words(bare), "words"),
        Figure("stt: words of the same without timestamps", _words(plain), "words"),
    ]


def _words(said: Sequence[str]) -> int:
    return sum(len(text.split()) for text in said)


def _with_cpu_s(run: Callable[[], T]) -> tuple[float, T]:
    """The processor time of what `run` does, here and in children that end: on a busy machine it says more
    than the clock.
    """
    before = _cpu_s()
    made = run()
    return _cpu_s() - before, made


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _python(program: str, arguments: Sequence[str]) -> tuple[float, list[str]]:
    """How long a program took from start to end, and what it wrote down."""
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments], check=True, stdout=subprocess.PIPE, text=True
    )
    took = time.monotonic() - began
    said: list[str] = json.loads(ended.stdout)
    return took, said


async def _ours(model: Path, clips: Sequence[Path], folder: Path) -> tuple[float, list[str]]:
    """How long the phase took with everything that belongs to it, and what it wrote down."""
    began = time.monotonic()
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
        said = await asyncio.gather(*(one(number, ahead) for number, ahead in enumerate(decoding)))
        await engine.stop()
        took = time.monotonic() - began
    finally:
        for ahead in decoding:
            ahead.cancel()
        await engine.stop()
        await media.aclose()
    return took, said
