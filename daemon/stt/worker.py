"""The Whisper worker: a child that loads the model once and transcribes recordings.

The only module that imports faster_whisper. Nothing but the end of this process frees all of its GPU memory,
so it holds the engine's lock as long as it lives, and is stopped after each phase.
"""

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from daemon.stt.model_stream import Audio, EncodedModel, ModelStream
from daemon.stt.protocol import Ready, WorkerFault
from daemon.stt.window_queue import Dropped, Recording, WindowQueue, is_out_of_memory
from daemon.stt.window_transcriber import WindowTranscriber
from daemon.stt.windows import LIMIT, PADDING, RATE, Samples
from daemon.system.child import ParentChannel, attach

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

VAD: dict[str, Any] = {
    "min_silence_duration_ms": 160,  # a shorter pause does not end a stretch of speech
    "min_speech_duration_ms": 100,  # a shorter sound is a click
    "speech_pad_ms": 0,  # `windows` pads, so that the figures of speaking are of the bare speech
    "max_speech_duration_s": (LIMIT - 2 * PADDING) / RATE,  # without it the part beyond a window is lost
}
NEEDED = ("model.bin", "config.json", "tokenizer.json")
_MOST_THREADS = 1000  # one for each stream, and for each recording that is heard
VOCABULARY = ("vocabulary.txt", "vocabulary.json")


class Unusable(Exception):
    """The model or the device can't be used. The message gives the cause."""


def main() -> None:
    """Load the model, and answer requests until the parent closes our stdin."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--compute-type", default="auto")
    parser.add_argument("--batch-size", default="auto")
    parser.add_argument("--language-expected", default="")
    parser.add_argument("--hotwords", default="")
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--lock", type=Path, required=True)
    options = parser.parse_args()
    wire = attach(options.lock)
    os.environ["HF_HUB_OFFLINE"] = "1"  # a missing file is an error here, never a download
    try:
        model, streams, ready = load(options)
    except Unusable as exc:
        wire.send({"refused": WorkerFault(code="model", message=str(exc)).model_dump()})
        sys.exit(1)
    wire.send({"ready": ready.model_dump()})
    serve(wire, streams, lambda recording: make_transcriber(model, recording, options), ready)
    os._exit(0)  # CTranslate2's destructors have nothing to save, and may hang on a sick GPU


def serve(
    wire: ParentChannel,
    streams: Sequence[ModelStream],
    transcriber: Callable[[Recording], WindowTranscriber],
    ready: Ready,
) -> None:
    """Answer each request, in a thread of its own, until the parent closes our stdin."""
    speaking = Lock()

    def send(message: dict[str, Any]) -> None:
        with speaking:
            wire.send(message)

    queue = WindowQueue(
        ready.batch_size,
        patient=ready.device == "cuda",  # a processor is as fast with few windows at a time
        check=_end_if_lost,
        tell=lambda owners: send({"in_work": owners}),
    )

    def work(question: int, pcm: Path, takes_s: Sequence[float]) -> None:
        try:
            scribe = transcriber(Recording(queue, question))
            said = answer(scribe, pcm, takes_s, lambda done: send({"id": question, "progress": done}))
            send({"id": question, **said})
        except Dropped:
            return
        finally:
            queue.leave(question)

    # Never waited for: work under way when stdin closes is not wanted.
    pool = ThreadPoolExecutor(_MOST_THREADS)
    for stream in streams:
        pool.submit(queue.serve, stream).add_done_callback(_end_if_failed)
    while (request := wire.receive()) is not None:
        if "drop" in request:
            queue.leave(request["drop"])
            continue
        queue.enter(request["id"])
        asked = request["id"], Path(request["pcm"]), request["takes"]
        pool.submit(work, *asked).add_done_callback(_end_if_failed)


def _end_if_lost(exc: Exception) -> None:
    """End the process after an error of CUDA: its context is lost, and no later answer can be trusted."""
    if ("cuda" in str(exc).lower() or "cudnn" in str(exc).lower()) and not is_out_of_memory(exc):
        _end(exc)


def _end_if_failed(done: Future[None]) -> None:
    """End the process after an unexpected error, since it can't be trusted."""
    if (error := done.exception()) is not None:
        _end(error)


def _end(error: BaseException) -> NoReturn:
    traceback.print_exception(error)
    sys.stderr.flush()
    os._exit(1)  # the parent notices that


def answer(
    transcriber: WindowTranscriber, pcm: Path, takes_s: Sequence[float], progress: Callable[[float], None]
) -> dict[str, Any]:
    """Transcribe one recording. An error that leaves the worker usable is an answer, too."""
    try:
        heard = transcriber.transcribe(pcm, progress, takes_s)
    except MemoryError as exc:
        message = f"not even one window fits into the memory: {exc}"
        refusal = WorkerFault(code="out_of_memory", message=message)
    except (RuntimeError, ValueError, LookupError, OSError) as exc:
        refusal = WorkerFault(code="stt_error", message=f"{type(exc).__name__}: {exc}")
    else:
        return {"heard": heard.model_dump()}
    return {"refused": refusal.model_dump()}


def load(options: argparse.Namespace) -> "tuple[WhisperModel, list[ModelStream], Ready]":
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
    return model, [make_stream(model, options.hotwords or None) for _ in range(streams)], ready


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


def make_transcriber(
    model: "WhisperModel", recording: Recording, options: argparse.Namespace
) -> WindowTranscriber:
    """Create the transcriber of a recording."""
    return WindowTranscriber(
        find_speech, model.feature_extractor, options.language_expected or None, recording
    )


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
    main()
