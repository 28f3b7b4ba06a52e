"""`class_hearing`: thirty recordings of 45 s through one queue of windows, against one file at a time.

Both with the same loaded model, in the worker's own parts: on the GPU if there is one, else on the processor.
Encoder calls are counted; the least is a full batch each time. The words and the times of one file at a time
are what those of the queue are held to.
"""

import tempfile
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from threading import Thread
from typing import Any

from daemon.stt.hearing import Hearing
from daemon.stt.protocol import HeardSpeech
from daemon.stt.window_queue import BatchedModel, Recording, WindowQueue, WindowStep
from daemon.stt.worker import load
from tests.acceptance.wording import errors
from tests.bench.clips import spoken_clips
from tests.bench.figures import Figure, Options, at_least, at_most, model_folder

CLIPS = 30
LENGTH_S = 45.0
PARTS = 4  # samples in a recording, of 13 s or so each
BATCHES = (8, 16, 32)
AT_ONCE = 16
HEADER = 44  # bytes of a wav file before its sound


@dataclass
class Counting:
    """A stream that counts the windows of each call of a step."""

    stream: BatchedModel
    calls: Counter[str] = field(default_factory=Counter)
    windows: Counter[str] = field(default_factory=Counter)

    def run(self, step: WindowStep, values: Sequence[Any]) -> Sequence[Any]:
        self.calls[step.name] += 1
        self.windows[step.name] += len(values)
        return self.stream.run(step, values)


@dataclass(frozen=True)
class Pass:
    """A class that was heard."""

    seconds: float
    heard: Sequence[HeardSpeech]
    counted: Counting

    @property
    def speed(self) -> float:
        """How many seconds of sound a second."""
        return CLIPS * LENGTH_S / self.seconds


def measure(options: Options) -> list[Figure]:
    """Speed, encoder calls, and how far words and times are from those of one file at a time."""
    asked = Namespace(
        model=model_folder(f"whisper-{options.whisper}"),
        **{"device": "auto", "compute_type": "auto", "batch_size": "auto", "streams": 1},
        **{"hotwords": "", "language_expected": "en"},
    )
    hearing = load(asked)
    on_gpu = hearing.ready.device == "cuda"

    with tempfile.TemporaryDirectory() as name:
        clips = [_pcm(clip) for clip in spoken_clips(Path(name), CLIPS, PARTS, LENGTH_S)]
        _hear(hearing, clips[:1], BATCHES[0], 1)  # the first call makes the GPU's kernels ready
        alone = _hear(hearing, clips, BATCHES[0], 1)
        passes = {
            batch: _hear(hearing, clips, batch, max(AT_ONCE, batch))
            for batch in (BATCHES if on_gpu else BATCHES[:1])
        }
    name = f"{options.whisper} on {hearing.ready.device}, {hearing.ready.compute_type}"
    figures = [Figure(f"{name}: one file at a time", alone.speed, "x real time")]
    for batch, queue in passes.items():
        least = ceil(queue.counted.windows["encode"] / batch)
        wrong, times_s = _apart(alone.heard, queue.heard)
        first = batch == BATCHES[0]
        figures += [
            Figure(f"batches of {batch}", queue.speed, "x real time"),
            Figure(
                "against one file at a time",
                queue.speed / alone.speed,
                "x as fast",
                at_least(3.0) if on_gpu and first else None,
            ),
            Figure(
                f"encoder calls over {least}",
                queue.counted.calls["encode"] / least,
                "x the least",
                at_most(1.1) if first else None,
            ),
            Figure("windows heard twice", queue.counted.calls["retry"], ""),
            Figure("other words", wrong, "%", at_most(0.2)),
            Figure("times of segments apart", times_s, "s", at_most(0.2)),
        ]
    return figures


def _pcm(wav: Path) -> Path:
    pcm = wav.with_suffix(".pcm")
    pcm.write_bytes(wav.read_bytes()[HEADER:])
    return pcm


def _hear(
    hearing: Hearing,
    clips: Sequence[Path],
    batch: int,
    at_once: int,
) -> Pass:
    counted = Counting(hearing.streams[0])
    queue = WindowQueue(batch, patient=True, check=_raise)
    Thread(target=queue.serve, args=(counted,), daemon=True).start()

    def one(number: int) -> HeardSpeech:
        queue.enter(number)
        try:
            return hearing.transcriber(Recording(queue, number)).transcribe(clips[number], lambda done: None)
        finally:
            queue.leave(number)

    began = time.monotonic()
    with ThreadPoolExecutor(at_once) as threads:
        heard = list(threads.map(one, range(len(clips))))
    return Pass(time.monotonic() - began, heard, counted)


def _raise(exc: Exception) -> None:
    raise exc


def _apart(alone: Sequence[HeardSpeech], queue: Sequence[HeardSpeech]) -> tuple[float, float]:
    """The percentage of words that differ, and the most seconds between the times of equal segments."""
    wrong = total = 0
    most_s = 0.0
    for one, other in zip(alone, queue, strict=True):
        differ, words = errors(*(" ".join(each.text for each in heard.segments) for heard in (one, other)))
        wrong, total = wrong + differ, total + words
        for here, there in zip(one.segments, other.segments, strict=False):
            if here.text == there.text:
                most_s = max(most_s, abs(here.start_s - there.start_s), abs(here.end_s - there.end_s))
    return 100 * wrong / total, most_s
