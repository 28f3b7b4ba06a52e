"""The Whisper worker: a child that loads the model once and transcribes recordings.

The only module that imports faster_whisper. Nothing but the end of this process frees all of its GPU memory,
so it holds the engine's lock as long as it lives, and is stopped after each phase.
"""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from daemon.stt.hearing import Unusable, run
from daemon.stt.model_stream import Audio, EncodedModel, ModelStream
from daemon.stt.protocol import Ready
from daemon.stt.window_queue import Recording, is_out_of_memory
from daemon.stt.window_transcriber import WindowTranscriber
from daemon.stt.windows import LIMIT, PADDING, RATE, Samples

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

VAD: dict[str, Any] = {
    "min_silence_duration_ms": 160,  # a shorter pause does not end a stretch of speech
    "min_speech_duration_ms": 100,  # a shorter sound is a click
    "speech_pad_ms": 0,  # `windows` pads, so that the figures of speaking are of the bare speech
    "max_speech_duration_s": (LIMIT - 2 * PADDING) / RATE,  # without it the part beyond a window is lost
}
NEEDED = ("model.bin", "config.json", "tokenizer.json")
VOCABULARY = ("vocabulary.txt", "vocabulary.json")


@dataclass(frozen=True, slots=True)
class WhisperHearing:
    """The loaded model, with its streams. Implements `hearing.Hearing`."""

    ready: Ready
    streams: Sequence[ModelStream]
    features: Any
    expected: str | None

    def transcriber(self, recording: Recording) -> WindowTranscriber:
        """Create the transcriber of a recording."""
        return WindowTranscriber(find_speech, self.features, self.expected, recording)


def load(options: argparse.Namespace) -> WhisperHearing:
    """Load the model on its device, with its streams. Raises Unusable."""
    check_whole(options.model)
    device, compute_type = choose_device(options.device, options.compute_type)
    streams = 1 if device == "cuda" else options.streams
    model = load_model(options.model, device, compute_type, streams)
    ready = Ready(
        device=device,
        compute_type=model.model.compute_type,
        batch_size=8 if options.batch_size == "auto" else int(options.batch_size),
        languages=model.model.is_multilingual,
        versions={name: version(name) for name in ("faster-whisper", "ctranslate2")},
        vad=VAD,
    )
    made = [make_stream(model, options.hotwords or None) for _ in range(streams)]
    return WhisperHearing(ready, made, model.feature_extractor, options.language_expected or None)


def check_whole(folder: Path) -> None:
    """Raise Unusable if a file of the model is missing."""
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if not any((folder / name).is_file() for name in VOCABULARY):
        missing.append(VOCABULARY[0])
    if missing:
        raise Unusable(
            f"the Whisper model in {folder} lacks {', '.join(missing)}; run: introeval models pull"
        )


def choose_device(device: str, compute_type: str) -> tuple[str, str]:
    """Resolve `auto`. CTranslate2's own would report a missing GPU only in a line of the log."""
    import ctranslate2

    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    if compute_type == "auto":
        compute_type = "int8_float16" if device == "cuda" else "int8"
    return device, compute_type


def load_model(folder: Path, device: str, compute_type: str, streams: int) -> "WhisperModel":
    """Load faster-whisper's model. Raises Unusable."""
    from faster_whisper import WhisperModel

    try:
        return WhisperModel(
            str(folder),
            device=device,
            compute_type=compute_type,
            # One stream on each of two cores is 1.4 times as fast as one on both (tiny.en), and four threads,
            # CTranslate2's default, are slower than as many as there are cores.
            cpu_threads=max(1, len(os.sched_getaffinity(0)) // streams),
            num_workers=streams,
            local_files_only=True,
        )
    except (RuntimeError, ValueError, OSError) as exc:
        if is_out_of_memory(exc):
            raise Unusable(f"the {device} has no room for the Whisper model in {folder}: {exc}") from exc
        raise Unusable(f"Whisper does not load from {folder} on {device} as {compute_type}: {exc}") from exc


def make_stream(model: "WhisperModel", hotwords: str | None) -> ModelStream:
    """Create a stream of the model."""
    from faster_whisper import BatchedInferencePipeline
    from faster_whisper.tokenizer import Tokenizer

    def tokenizer(language: str) -> Tokenizer:
        several = model.model.is_multilingual
        return Tokenizer(model.hf_tokenizer, several, "transcribe", language if several else "en")

    pipeline = BatchedInferencePipeline(EncodedModel(model))
    return ModelStream(model, pipeline, fetch, store, tokenizer, hotwords)


def fetch(encoded: Any) -> NDArray[Any]:
    """The encoder's output as an array in main memory."""
    import ctranslate2

    return np.array(encoded.to(ctranslate2.DataType.float32).to_device(ctranslate2.Device.cpu))


def store(outputs: NDArray[Any]) -> Any:
    """An array as the encoder's output."""
    import ctranslate2

    return ctranslate2.StorageView.from_array(np.ascontiguousarray(outputs))


def find_speech(audio: Audio, threshold: float) -> list[Samples]:
    """The spans of speech, in samples, by the voice detector's threshold of 0 to 1."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    found = get_speech_timestamps(audio, VadOptions(**VAD, threshold=threshold))
    return [(int(piece["start"]), int(piece["end"])) for piece in found]


if __name__ == "__main__":
    run(load)
