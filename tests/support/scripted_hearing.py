"""A hearing engine that is not Whisper: it hears how many seconds a window has, and what these make it do."""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Barrier, Event
from typing import Any

import numpy as np

from daemon.core.content.document import Segment
from daemon.stt.hearing import Unusable, run
from daemon.stt.model_stream import Audio, Encoded
from daemon.stt.protocol import Ready
from daemon.stt.window_queue import Recording, WindowStep
from daemon.stt.window_transcriber import WindowTranscriber
from daemon.stt.windows import RATE, Samples

POISON_S, FULL_S, DEADLY_S, RELEASE_S, HELD_S = 7, 8, 9, 13, 29  # of a window
BATCH = 4
WORDS = "of somebody who likes chess and long walks along the river with a dog."
FRAME = RATE // 100
_UNTIL_S = 60  # a test that waits longer has failed


@dataclass
class Stream:
    """Hears `HELD_S` once, and then not before a recording of `RELEASE_S` was asked for."""

    released: Event
    heard: list[int] = field(default_factory=list)

    def run(self, step: WindowStep, values: Sequence[Any]) -> Sequence[Any]:
        if step.name == "encode":
            return [Encoded(np.array(each.features.sum()), {}, ()) for each in values]
        return self._written([int(each.output) // 100 for each in values])

    def _written(self, lengths: Sequence[int]) -> list[list[Segment]]:
        print("batch", *lengths, file=sys.stderr, flush=True)
        if POISON_S in lengths:
            raise RuntimeError("a poisoned window")
        if FULL_S in lengths and len(lengths) > 1:
            raise RuntimeError("Failed to allocate memory for requested buffer")
        if DEADLY_S in lengths:
            os._exit(3)
        if HELD_S in lengths and HELD_S in self.heard:
            self.released.wait(_UNTIL_S)
        self.heard += lengths
        return [[_segment(length)] for length in lengths]


def _segment(length: int) -> Segment:
    times = {"start_s": 0.0, "end_s": float(length)}
    gauges = {"avg_logprob": -0.1, "no_speech_prob": 0.0, "compression_ratio": 1.0}
    return Segment(text=f"{length} seconds {WORDS}", **times, **gauges)


@dataclass
class Features:
    """A frame of 10 ms is 1 where there is sound."""

    nb_max_frames: int = 3000

    def __call__(self, clip: Audio) -> Audio:
        frames = clip[: len(clip) // FRAME * FRAME].reshape(-1, FRAME)
        return np.append(np.any(frames, axis=1), False)[np.newaxis].astype(np.float32)


@dataclass
class ScriptedHearing:
    """Implements `hearing.Hearing`. Recordings of FULL_S begin together, and two of them fill the memory."""

    ready: Ready
    streams: Sequence[Stream]
    released: Event
    together: Barrier = field(default_factory=lambda: Barrier(BATCH, timeout=_UNTIL_S))

    def transcriber(self, recording: Recording) -> WindowTranscriber:
        return WindowTranscriber(self._whole, Features(), "en", recording)

    def _whole(self, audio: Audio, threshold: float) -> list[Samples]:
        if len(audio) == RELEASE_S * RATE:
            self.released.set()
        if len(audio) == FULL_S * RATE:
            self.together.wait()
        return [(0, len(audio))]


def load(options: argparse.Namespace) -> ScriptedHearing:
    if not (options.model / "model.bin").read_bytes():
        raise Unusable("the scripted model is empty")
    ready = Ready(
        device="cuda",  # so that the queue waits for full batches
        compute_type="scripted",
        batch_size=BATCH,
        languages=False,
        versions={"scripted-hearing": "1.0"},
        vad={},
    )
    released = Event()
    return ScriptedHearing(ready, [Stream(released)], released)


if __name__ == "__main__":
    run(load)
