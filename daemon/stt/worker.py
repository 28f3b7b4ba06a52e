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
from queue import SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.stt.languages import Audio, Cut, Languages, OnePass
from daemon.stt.protocol import Ready, WorkerFault
from daemon.stt.window_transcriber import WindowTranscriber, is_out_of_memory
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
        transcribers, ready = load(options)
    except Unusable as exc:
        wire.send({"refused": WorkerFault(code="model", message=str(exc)).model_dump()})
        sys.exit(1)
    wire.send({"ready": ready.model_dump()})
    serve(wire, transcribers)
    os._exit(0)  # CTranslate2's destructors have nothing to save, and may hang on a sick GPU


def serve(wire: ParentChannel, transcribers: Sequence[WindowTranscriber]) -> None:
    """Answer each request with a free transcriber, until the parent closes our stdin."""
    free: SimpleQueue[WindowTranscriber] = SimpleQueue()
    for transcriber in transcribers:
        free.put(transcriber)
    speaking = Lock()

    def send(message: dict[str, Any]) -> None:
        with speaking:
            wire.send(message)

    def work(question: int, pcm: Path, takes_s: Sequence[float]) -> None:
        transcriber = free.get()
        try:
            said = answer(transcriber, pcm, takes_s, lambda done: send({"id": question, "progress": done}))
            send({"id": question, **said})
        finally:
            free.put(transcriber)

    # Never waited for: work under way when stdin closes is not wanted.
    pool = ThreadPoolExecutor(len(transcribers))
    while (request := wire.receive()) is not None:
        asked = pool.submit(work, request["id"], Path(request["pcm"]), request["takes"])
        asked.add_done_callback(_end_if_broken)


def _end_if_broken(done: Future[None]) -> None:
    """End the process after an unexpected error, since it can't be trusted: the parent notices that."""
    if (error := done.exception()) is not None:
        traceback.print_exception(error)
        os._exit(1)


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
        if "cuda" in str(exc).lower() or "cudnn" in str(exc).lower():
            raise  # the CUDA context is lost: no later answer of this process can be trusted
        refusal = WorkerFault(code="stt_error", message=f"{type(exc).__name__}: {exc}")
    else:
        return {"heard": heard.model_dump()}
    return {"refused": refusal.model_dump()}


def load(options: argparse.Namespace) -> tuple[list[WindowTranscriber], Ready]:
    """Load the model on its device. Gives a transcriber for each stream. Raises Unusable."""
    check_whole(options.model)
    device, compute_type = choose_device(options.device, options.compute_type)
    model = load_model(options.model, device, compute_type, options.streams)
    batch_size = 8 if options.batch_size == "auto" else int(options.batch_size)
    transcribers = [make_scribe(model, batch_size, options) for _ in range(options.streams)]
    ready = Ready(
        device=device,
        compute_type=model.model.compute_type,
        batch_size=batch_size,
        languages=model.model.is_multilingual,
        versions={name: version(name) for name in ("faster-whisper", "ctranslate2")},
        vad=VAD,
    )
    return transcribers, ready


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


def make_scribe(model: "WhisperModel", batch_size: int, options: argparse.Namespace) -> WindowTranscriber:
    """Create the transcriber of one stream of the model."""
    from faster_whisper import BatchedInferencePipeline

    one_pass = OnePass(model)
    expected = options.language_expected or None
    return WindowTranscriber(
        model,
        one_pass,
        BatchedInferencePipeline(one_pass),
        find_speech,
        Languages(one_pass, crop, expected),
        batch_size=batch_size,
        expected=expected,
        hotwords=options.hotwords or None,
    )


def crop(encoded: Any, cuts: Sequence[Cut], frames: int) -> Any:
    """The encoder's output for so many frames from each cut on, as a batch."""
    import ctranslate2

    whole = np.array(encoded.to(ctranslate2.DataType.float32).to_device(ctranslate2.Device.cpu))
    batch = np.stack([whole[window, frame : frame + frames] for window, frame in cuts])
    return ctranslate2.StorageView.from_array(batch)


def find_speech(audio: Audio, threshold: float) -> list[Samples]:
    """The spans of speech, in samples, by the voice detector's threshold of 0 to 1."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    found = get_speech_timestamps(audio, VadOptions(**VAD, threshold=threshold))
    return [(int(piece["start"]), int(piece["end"])) for piece in found]


if __name__ == "__main__":
    main()
