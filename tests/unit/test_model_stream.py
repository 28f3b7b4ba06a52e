"""A stream of a model on a scripted faster-whisper: what reaches it, and times beside neighbours."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from daemon.stt.model_stream import Encoded, ModelStream
from daemon.stt.window_queue import WindowStep

PAUSE_S = 4.0  # as faster-whisper: a word that ends so long after the last one is shortened


@dataclass
class Whisper:
    """Shortens the first word of a window, as faster-whisper does, if no word ended just before it."""

    hotwords: list[str | None] = field(default_factory=list)
    last_speech_timestamp: float = 0.0

    def transcribe(self, sound: Any, *, hotwords: str | None, **_: Any) -> Any:
        self.hotwords.append(hotwords)
        return iter(()), SimpleNamespace(transcription_options="options")

    def forward(self, encoded: Any, tokenizer: Any, places: Sequence[Any], options: Any) -> list[Any]:
        return [[self._segment(place["offset"])] for place in places]

    def _segment(self, offset: float) -> dict[str, Any]:
        start = 1.0 if offset + 2.0 - self.last_speech_timestamp > PAUSE_S else 0.0
        self.last_speech_timestamp = offset + 29.9
        word = {"word": " Hello.", "start": offset + start, "end": offset + 2.0, "probability": 0.9}
        gauges = {"avg_logprob": -0.2, "no_speech_prob": 0.01, "compression_ratio": 1.0}
        return {"text": " Hello.", "start": offset, "end": offset + 2.0, "words": [word], **gauges}


def stream(whisper: Whisper, hotwords: str | None = None) -> ModelStream:
    return ModelStream(whisper, whisper, np.asarray, np.asarray, str, hotwords)


def windows(count: int) -> list[Encoded]:
    return [Encoded(np.zeros((4, 2)), {}, ()) for _ in range(count)]


def test_the_times_of_a_window_are_the_same_beside_any_neighbours() -> None:
    [alone] = stream(Whisper()).run(WindowStep("write", "en"), windows(1))
    among = stream(Whisper()).run(WindowStep("write", "en"), windows(5))
    assert among == [alone] * 5


def test_hotwords_reach_the_model_both_times() -> None:
    whisper = Whisper()
    mira = stream(whisper, "Mira")
    mira.run(WindowStep("write", "en"), windows(1))
    mira.run(WindowStep("retry", "en"), [np.zeros(16_000, dtype=np.float32)])
    assert whisper.hotwords == ["Mira", "Mira"]
