"""The Whisper engine: the parent of the worker. Implements ports.Transcriber."""

import asyncio
import importlib.util
import os
import time
import wave
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from daemon.contracts.values import (
    Failed,
    OnAlarm,
    OnProgress,
    Provenance,
    StageOutcome,
    SttWork,
)
from daemon.contracts.wire.status import EngineReport
from daemon.core.alarms import trouble
from daemon.core.content.provenance_identity import identity
from daemon.core.errors import Blame, EngineError, Fault, ModelError
from daemon.core.learnt_limit import LearntLimit
from daemon.core.tasks.task import Stage
from daemon.stt.outcome import outcome_of
from daemon.stt.protocol import HeardSpeech, Ready, WorkerFault
from daemon.stt.start_faults import advised, last_words
from daemon.stt.worker_session import WorkerLost, WorkerSession
from daemon.system.child import Child, ChildDied, memory_share
from daemon.system.lock import gone
from daemon.system.weights import Weights

PROBE = Path(__file__).with_name("probe.wav")
WORKER = "daemon.stt.worker"


class WhisperEngine:
    """Transcribes videos with a model whose bytes are verified before each load.

    On a processor `streams` of them at a time: one for each core is the fastest. On a GPU their windows are
    taken together, `batch_size` at a time. `device`, `compute_type` and `batch_size` may be "auto"; the batch
    is then what `fitting` gives, else 8. `language` is the expected one, or None; `hotwords` are names and
    terms that Whisper should expect. The worker's lock is `state/engines/stt.lock`; its output goes to `log`.
    While a video waits, the worker may be silent for `limit_s` and `limit_factor` times the length of its
    recording, and longer where the probe clip took long; a start may take `start_limit_s`, and longer after
    one that this ended. A start on the processor of a machine that `has_gpu`, with `device` "auto", is an
    alarm until the next start. `worker` is the module of the child; see `hearing`.
    """

    stage = Stage.STT

    def __init__(
        self,
        weights: Weights,
        state: Path,
        log: Path,
        *,
        device: str = "auto",
        compute_type: str = "auto",
        batch_size: int | str = "auto",
        streams: int = 1,
        language: str | None = "en",
        hotwords: str = "",
        probe: Path = PROBE,
        worker: str = WORKER,
        limit_s: float = 30.0,
        limit_factor: float = 6.0,
        start_limit_s: float = 180.0,
        fitting: Callable[[], Awaitable[int]] | None = None,
        has_gpu: Callable[[], Awaitable[bool]] | None = None,
        on_alarm: OnAlarm = lambda code, message: None,
    ) -> None:
        self.lock = state / "engines" / "stt.lock"
        self._weights = weights
        self._model = weights.path
        self._log = log
        self._device = device
        self._compute_type = compute_type
        self._batch_size = batch_size
        self._streams = streams
        self._language = language
        self._hotwords = hotwords
        self._probe = probe
        self._worker = worker
        self._limit_s = limit_s
        self._limit_factor = limit_factor
        self._start_limit = LearntLimit(start_limit_s)
        self._attempt_limit = LearntLimit(1.0)  # times `limit_s` and `limit_factor`
        self._fitting = fitting
        self._has_gpu = has_gpu
        self._on_alarm = on_alarm
        self._child: Child | None = None
        self._ready: Ready | None = None
        self._digest = ""
        self._session: WorkerSession | None = None

    @property
    def alive(self) -> bool:
        """Whether the worker runs."""
        return self._child is not None and self._child.alive

    @property
    def pid(self) -> int | None:
        """The worker's process id while it runs."""
        return self._child.pid if self._child is not None and self._child.alive else None

    def report(self) -> EngineReport:
        """The worker's state, as shown to the operator."""
        state = "stopped" if not self.alive else "starting" if self._session is None else "ready"
        return EngineReport(
            stage=self.stage,
            name="whisper",
            state=state,
            detail="" if self._ready is None or not self.alive else f"{self._ready.device}",
            model=self._model.name,
        )

    def identity(self) -> Provenance:
        """What a transcript depends on beside the recording; empty while no worker runs."""
        return identity(self._loaded(self._ready)) if self.alive and self._ready is not None else {}

    async def start(self) -> None:
        """Load the model and test it with the probe clip. Raises EngineError, and then no worker runs."""
        await self.stop()
        try:
            self._digest = await asyncio.to_thread(self._weights.verify)
        except ModelError as exc:
            raise EngineError(str(exc)) from exc
        batch_size = self._batch_size
        if batch_size == "auto" and self._fitting is not None:
            batch_size = await self._fitting()
        arguments = [
            *("--model", str(self._model), "--lock", str(self.lock)),
            *("--device", self._device, "--compute-type", self._compute_type),
            *("--batch-size", str(batch_size), "--language-expected", self._language or ""),
            *("--streams", str(self._streams), f"--hotwords={self._hotwords}"),
        ]
        limit_s, began = self._start_limit.now, time.monotonic()
        written = self._log.stat().st_size if self._log.exists() else 0
        try:
            async with asyncio.timeout(limit_s):
                self._child = await Child.spawn(
                    "Whisper worker",
                    self._worker,
                    arguments,
                    log=self._log,
                    env=_environment(),
                    memory_limit=memory_share(self._weights.size),
                )
                answer = await self._child.receive()
                if "refused" in answer:
                    raise EngineError(advised(WorkerFault(**answer["refused"]).message, self._log))
                self._ready = Ready(**answer["ready"])
                self._session = WorkerSession(self._child)
                await self._prove()
            self._start_limit = self._start_limit.passed(time.monotonic() - began)
            await self._tell_where_it_runs(self._ready)
        except TimeoutError as exc:
            self._start_limit = self._start_limit.ran_out(limit_s)
            await self._stop_and_verify()
            why = f"the Whisper worker is not ready after {limit_s:g} s"
            raise EngineError(advised(why, self._log)) from exc
        except (ChildDied, WorkerLost, OSError, wave.Error) as exc:
            await self._stop_and_verify()
            said = last_words(self._log, written)
            why = f"the Whisper worker does not start: {exc}" + (f" ({said})" if said else "")
            raise EngineError(advised(why, self._log)) from exc
        except BaseException:
            await self._stop_and_verify()
            raise

    async def stop(self) -> None:
        """Stop the worker, also one of an earlier daemon, and verify that it is gone. Raises EngineError."""
        child, self._child = self._child, None
        session, self._session = self._session, None
        if session is not None:
            await session.aclose()
        if child is not None:
            await child.stop(grace_s=2.0)
        await gone(self.lock)

    async def transcribe(self, work: SttWork, progress: OnProgress) -> StageOutcome:
        """Transcribe one video. Gives a Transcribed, an Unscorable or a Failed."""
        session, ready = self._session, self._ready
        if session is None or ready is None or not self.alive:
            return Failed(work.ticket, Fault(Blame.ENGINE, "not_running", "the Whisper worker does not run"))
        takes_s = [take.duration_s for take in work.takes]
        try:
            limit_s = self._attempt_limit.now * self._usual_s(takes_s)
            answer, silent_s = await session.ask(
                work.pcm, lambda done: progress(work.ticket, done), takes_s, limit_s
            )
        except WorkerLost as exc:
            await self._stop_and_verify()
            message = f"{exc}; see {self._log}"
            fault = Fault(Blame.ENGINE, exc.code, message, died=exc.in_work, begun=exc.in_work)
            return Failed(work.ticket, fault)
        self._was_silent(silent_s, takes_s)
        if isinstance(answer, WorkerFault):
            blame = Blame.ENGINE if answer.code == "out_of_memory" else Blame.TASK
            return Failed(work.ticket, Fault(blame, answer.code, answer.message))
        return outcome_of(work, answer, self._language, self._provenance(answer, ready))

    def _loaded(self, ready: Ready) -> Provenance:
        return {
            "model": self._model.name,
            "digest": f"sha256:{self._digest}",
            "revision": self._weights.revision,
            **ready.versions,
            "device": ready.device,
            "compute_type": ready.compute_type,
            "vad": dict(ready.vad),
            "language_expected": self._language,
            "hotwords": self._hotwords,
        }

    def _provenance(self, heard: HeardSpeech, ready: Ready) -> Provenance:
        return {
            **self._loaded(ready),
            "batch_size": heard.batch_size or ready.batch_size,
            "language_detected": heard.detected if ready.languages else "not possible: an English-only model",
            "language_detected_probability": heard.detected_probability,
            "windows_redone": heard.redone,
        }

    def _usual_s(self, takes_s: Sequence[float]) -> float:
        return self._limit_s + self._limit_factor * max(takes_s)

    def _was_silent(self, silent_s: float, takes_s: Sequence[float]) -> None:
        self._attempt_limit = self._attempt_limit.passed(silent_s / self._usual_s(takes_s))

    async def _prove(self) -> None:
        assert self._session is not None
        pcm = self.lock.with_name("stt.probe.pcm")
        with wave.open(str(self._probe), "rb") as clip:
            if (clip.getframerate(), clip.getnchannels(), clip.getsampwidth()) != (16_000, 1, 2):
                raise EngineError(f"{self._probe} is not 16 kHz mono 16-bit")
            pcm.write_bytes(clip.readframes(clip.getnframes()))
            duration_s = clip.getnframes() / clip.getframerate()
        answer, silent_s = await self._session.ask(pcm, lambda done: None, [duration_s])
        self._was_silent(silent_s, [duration_s])
        if isinstance(answer, WorkerFault):
            raise EngineError(advised(f"Whisper fails on its probe clip: {answer.message}", self._log))
        if not any(segment.text for segment in answer.segments):
            raise EngineError(f"Whisper hears nothing in its probe clip; check the model in {self._model}")

    async def _tell_where_it_runs(self, ready: Ready) -> None:
        slow = self._device == "auto" and ready.device == "cpu"
        if slow and self._has_gpu is not None and await self._has_gpu():
            told = "Whisper runs on the processor although this machine has a GPU"
            self._on_alarm("degraded_stt", trouble("degraded_stt", told))
        else:
            self._on_alarm("degraded_stt", None)

    async def _stop_and_verify(self) -> None:
        if self._child is not None:
            self._child.kill()
        await self.stop()


def _environment() -> dict[str, str]:
    """The worker's environment, needed when its Python starts: no model hub, CUDA libraries from pip."""
    spec = importlib.util.find_spec("nvidia")
    roots = spec.submodule_search_locations if spec is not None else None
    found = [str(folder) for root in roots or () for folder in sorted(Path(root).glob("*/lib"))]
    paths = [*found, *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    return {"HF_HUB_OFFLINE": "1", **({"LD_LIBRARY_PATH": ":".join(paths)} if found else {})}
