"""One stream of a loaded Whisper model. Runs only in the Whisper worker.

The encoder's output of a window is kept in main memory until its text is written, so that windows of many
recordings may wait for their languages, and each batch is filled anew.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.core.content.document import Segment
from daemon.stt.segments import segment_of, sentences
from daemon.stt.stretches import Likely
from daemon.stt.window_queue import WindowStep
from daemon.stt.windows import LIMIT, RATE

Audio = NDArray[np.float32]

FRAME = RATE // 50  # samples for each frame of the encoder's output
GUESSED = 200  # frames
_APART_S = 1000  # between the windows of a batch: the words of one say nothing about the times of the next


@dataclass(frozen=True, slots=True)
class Unheard:
    """The features of a window, and the frames at which a guess of the language begins."""

    features: Audio
    cuts: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Encoded:
    """The encoder's output of a window.

    A multilingual model also gives the likely languages of the window and at each cut.
    """

    output: NDArray[Any]
    likely: Likely
    guesses: Sequence[Likely]


class EncodedModel:
    """A faster_whisper.WhisperModel for the batched pipeline, which gets what was encoded before."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def encode(self, encoded: Any) -> Any:
        """What is encoded already."""
        return encoded


class ModelStream:
    """Implements `window_queue.BatchedModel`.

    `model` is a faster_whisper.WhisperModel, `pipeline` a BatchedInferencePipeline over its EncodedModel;
    `fetch` gives an output of the encoder as an array, `store` an array as one. `tokenizer` makes the one of
    a language.
    """

    def __init__(
        self,
        model: Any,
        pipeline: Any,
        fetch: Callable[[Any], NDArray[Any]],
        store: Callable[[NDArray[Any]], Any],
        tokenizer: Callable[[str], Any],
        hotwords: str | None,
    ) -> None:
        self._model, self._pipeline = model, pipeline
        self._fetch, self._store = fetch, store
        self._tokenizer = tokenizer
        self._hotwords = hotwords

    def run(self, step: WindowStep, values: Sequence[Any]) -> Sequence[Any]:
        """Encode `Unheard` windows, write the text of `Encoded` ones, or, of a single clip, `retry` to write
        it or `detect` its languages.
        """
        match step.name:
            case "encode":
                return self._encode(values)
            case "write":
                return self._write(values, step.language)
            case "retry":
                return [self._retry(clip, step.language) for clip in values]
            case _:
                return [self._detect(self._model.encode(features[np.newaxis]))[0] for features in values]

    def _encode(self, windows: Sequence[Unheard]) -> list[Encoded]:
        encoded = self._model.encode(np.stack([window.features for window in windows]))
        outputs = self._fetch(encoded)
        if not self._model.model.is_multilingual:
            return [Encoded(output, {}, ()) for output in outputs]
        likely = self._detect(encoded)
        cuts = [
            output[frame : frame + GUESSED]
            for output, window in zip(outputs, windows, strict=True)
            for frame in window.cuts
        ]
        guesses = iter(self._detect(self._store(np.stack(cuts))) if cuts else ())
        return [
            Encoded(output, here, tuple(next(guesses) for _ in window.cuts))
            for output, here, window in zip(outputs, likely, windows, strict=True)
        ]

    def _detect(self, encoded: Any) -> list[Likely]:
        found = self._model.model.detect_language(encoded)
        return [{token[2:-2]: share for token, share in each} for each in found]  # "<|en|>"

    def _write(self, windows: Sequence[Encoded], language: str) -> list[list[Segment]]:
        """The segments of each window, with times from its beginning.

        The times are those of the words. With timestamps in the text the model often ends a window early for
        the next one to continue there; batched inference does not, and would lose the rest.
        """
        _, asked = self._pipeline.transcribe(
            np.zeros(RATE, dtype=np.float32),
            language=language,
            word_timestamps=True,
            hotwords=self._hotwords,
            clip_timestamps=[{"start": 0, "end": 1}],
        )
        starts = range(0, _APART_S * len(windows), _APART_S)
        self._pipeline.last_speech_timestamp = -_APART_S
        made = self._pipeline.forward(
            self._store(np.stack([window.output for window in windows])),
            self._tokenizer(language),
            [{"offset": start, "duration": LIMIT / RATE} for start in starts],
            asked.transcription_options,
        )
        return [
            [
                segment
                for each in window
                if each["text"].strip()
                for segment in sentences(_as_segment(each), -start)
            ]
            for window, start in zip(made, starts, strict=True)
        ]

    def _retry(self, clip: Audio, language: str) -> list[Segment]:
        """The segments of a clip, with Whisper's own checks."""
        made, _ = self._model.transcribe(
            clip,
            language=language,
            hotwords=self._hotwords,
            vad_filter=False,
            condition_on_previous_text=False,
            temperature=0.0,  # higher ones are random: the same recording would give another text
        )
        return [segment_of(segment, 0.0) for segment in made]


def _as_segment(made: dict[str, Any]) -> SimpleNamespace:
    """What the pipeline's generator makes of the parts of a window."""
    words = [SimpleNamespace(**word) for word in made["words"]]
    return SimpleNamespace(**{**made, "words": words})
