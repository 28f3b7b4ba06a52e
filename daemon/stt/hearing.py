"""The process of a hearing engine, whatever its model is: one protocol for all of them.

An engine is a module of its own, whose `load` gives a `Hearing`, and which is run as `run(load)`. Its streams
do the steps of `window_queue.WindowStep`. The queue, the refusals, drops and the end are the same for all.
"""

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn, Protocol

from daemon.stt.protocol import Ready, WorkerFault
from daemon.stt.window_queue import BatchedModel, Dropped, Recording, WindowQueue, is_out_of_memory
from daemon.stt.window_transcriber import WindowTranscriber
from daemon.system.child import ParentChannel, attach

_MOST_THREADS = 1000  # one for each stream, and for each recording that is heard


class Unusable(Exception):
    """The model or the device can't be used. The message gives the cause."""


class Hearing(Protocol):
    """A loaded model.

    A fault of one window or recording is a RuntimeError, ValueError, LookupError, OSError or MemoryError, and
    any other ends the process. ONNX Runtime's own errors are none of these.
    """

    @property
    def ready(self) -> Ready:
        """What the parent is told about it."""

    @property
    def streams(self) -> Sequence[BatchedModel]:
        """What transcribes windows, each in a thread of its own."""

    def transcriber(self, recording: Recording) -> WindowTranscriber:
        """Create the transcriber of a recording."""


def run(load: Callable[[argparse.Namespace], Hearing]) -> NoReturn:
    """Load the model, and answer requests until the parent closes our stdin. `load` may raise Unusable."""
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
        hearing = load(options)
    except Unusable as exc:
        wire.send({"refused": WorkerFault(code="model", message=str(exc)).model_dump()})
        sys.exit(1)
    wire.send({"ready": hearing.ready.model_dump()})
    _serve(wire, hearing)
    os._exit(0)  # a model's destructors have nothing to save, and may hang on a sick GPU


def _serve(wire: ParentChannel, hearing: Hearing) -> None:
    """Answer each request, in a thread of its own, until the parent closes our stdin."""
    speaking = Lock()

    def send(message: dict[str, Any]) -> None:
        with speaking:
            wire.send(message)

    queue = WindowQueue(
        hearing.ready.batch_size,
        patient=hearing.ready.device == "cuda",  # a processor is as fast with few windows at a time
        check=_end_if_lost,
        tell=lambda owners: send({"in_work": owners}),
    )

    def work(question: int, pcm: Path, takes_s: Sequence[float]) -> None:
        try:
            scribe = hearing.transcriber(Recording(queue, question))
            said = _answer(scribe, pcm, takes_s, lambda done: send({"id": question, "progress": done}))
            send({"id": question, **said})
        except Dropped:
            return
        finally:
            queue.leave(question)

    # Never waited for: work under way when stdin closes is not wanted.
    pool = ThreadPoolExecutor(_MOST_THREADS)
    for stream in hearing.streams:
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


def _answer(
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
