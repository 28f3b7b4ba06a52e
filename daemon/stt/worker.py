"""The Whisper worker: a child that loads the model once and transcribes what it is handed.

The only module that imports faster_whisper. Ending this process is the one way to get all of the
GPU's memory back, so it holds the engine's lock for as long as it lives and is ended after each phase.
"""

import argparse
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from daemon.child import Wire, attach
from daemon.stt.protocol import Ready, Refusal
from daemon.stt.scribe import Audio, OnePass, Scribe, is_out_of_memory
from daemon.stt.windows import LIMIT, PADDING, RATE, Piece

VAD: dict[str, Any] = {
    "min_silence_duration_ms": 160,  # a shorter pause does not end a stretch of speech
    "min_speech_duration_ms": 100,  # a shorter sound is a click
    "speech_pad_ms": 0,  # padded by `windows`, so that the speaking figures see the bare speech
    "max_speech_duration_s": (LIMIT - 2 * PADDING) / RATE,  # without it, what is beyond a window is lost
}
NEEDED = ("model.bin", "config.json", "tokenizer.json")
VOCABULARY = ("vocabulary.txt", "vocabulary.json")


class Unusable(Exception):
    """The model or the device can't be used; the message says what to do."""


def main() -> None:
    """Serve the parent until it closes our stdin."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--compute-type", default="auto")
    parser.add_argument("--batch-size", default="auto")
    parser.add_argument("--language-expected", default="")
    parser.add_argument("--lock", type=Path, required=True)
    options = parser.parse_args()
    wire = attach(options.lock)
    os.environ["HF_HUB_OFFLINE"] = "1"  # a missing file is an error here, never a download
    try:
        scribe, ready = load(options)
    except Unusable as exc:
        wire.send({"refused": Refusal(code="model", message=str(exc)).model_dump()})
        sys.exit(1)
    wire.send({"ready": ready.model_dump()})
    while (request := wire.receive()) is not None:
        wire.send(answer(scribe, wire, Path(request["pcm"])))
    os._exit(0)  # CTranslate2's destructors have nothing to save, and may hang on a sick GPU


def answer(scribe: Scribe, wire: Wire, pcm: Path) -> dict[str, Any]:
    """Transcribe one recording; a fault that leaves the worker sane is an answer as well."""
    try:
        heard = scribe.transcribe(pcm, lambda done: wire.send({"progress": done}))
    except MemoryError as exc:
        refusal = Refusal(code="out_of_memory", message=f"not even one window fits into the memory: {exc}")
    except (RuntimeError, ValueError, LookupError, OSError) as exc:
        if "cuda" in str(exc).lower() or "cudnn" in str(exc).lower():
            raise  # the context is lost: nothing that this process says can be trusted from here
        refusal = Refusal(code="stt_error", message=f"{type(exc).__name__}: {exc}")
    else:
        return {"heard": heard.model_dump()}
    return {"refused": refusal.model_dump()}


def load(options: argparse.Namespace) -> tuple[Scribe, Ready]:
    """The model on its device. Raises Unusable."""
    folder: Path = options.model
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if not any((folder / name).is_file() for name in VOCABULARY):
        missing.append(VOCABULARY[0])
    if missing:
        raise Unusable(
            f"the Whisper model in {folder} lacks {', '.join(missing)}; run: introeval models pull"
        )

    import ctranslate2
    from faster_whisper import BatchedInferencePipeline, WhisperModel
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    # `auto` is resolved here: left to CTranslate2, a GPU that is missing shows in a log line alone.
    device = options.device
    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    compute_type = options.compute_type
    if compute_type == "auto":
        compute_type = "int8_float16" if device == "cuda" else "int8"
    try:
        model = WhisperModel(
            str(folder),
            device=device,
            compute_type=compute_type,
            cpu_threads=len(os.sched_getaffinity(0)),  # CTranslate2's own default is four
            local_files_only=True,
        )
    except (RuntimeError, ValueError, OSError) as exc:
        if is_out_of_memory(exc):
            raise Unusable(f"the {device} has no room for the Whisper model in {folder}: {exc}") from exc
        raise Unusable(f"Whisper does not load from {folder} on {device} as {compute_type}: {exc}") from exc

    def find_speech(audio: Audio) -> list[Piece]:
        found = get_speech_timestamps(audio, VadOptions(**VAD))
        return [(int(piece["start"]), int(piece["end"])) for piece in found]

    one_pass = OnePass(model)
    scribe = Scribe(
        model,
        one_pass,
        BatchedInferencePipeline(one_pass),
        find_speech,
        batch_size=8 if options.batch_size == "auto" else int(options.batch_size),
        expected=options.language_expected or None,
    )
    ready = Ready(
        device=device,
        compute_type=model.model.compute_type,
        batch_size=scribe.batch_size,
        languages=model.model.is_multilingual,
        versions={name: version(name) for name in ("faster-whisper", "ctranslate2")},
        vad=VAD,
    )
    return scribe, ready


if __name__ == "__main__":
    main()
