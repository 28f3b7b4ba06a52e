"""Hearing by a server elsewhere, with OpenAI's transcriptions. Implements ports.Transcriber.

The sound goes there as one WAV a recording, and nothing is loaded here. What a server does not tell is not
guessed: without its log-probabilities nobody is asked to listen again, and without a voice detector the
stretches of speech are those that have words.
"""

import asyncio
import io
import wave
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
from pydantic import BaseModel, ValidationError

from daemon.contracts.values import Failed, OnProgress, Provenance, StageOutcome, SttWork
from daemon.contracts.wire.status import EngineReport
from daemon.core.content.document import Segment
from daemon.core.content.provenance_identity import identity
from daemon.core.errors import Blame, EngineError, Fault
from daemon.core.learnt_limit import LearntLimit
from daemon.core.tasks.task import Stage
from daemon.stt import takes
from daemon.stt.language_names import language_code
from daemon.stt.outcome import outcome_of
from daemon.stt.protocol import HeardSpeech, SpeechSpan
from daemon.stt.transcriber import PROBE
from daemon.stt.windows import RATE
from daemon.system.http_client import connection, key_in

_PATH = "/v1/audio/transcriptions"
_REFUSED = frozenset({400, 413, 415, 422})  # this recording; another may be taken
_ADVICE = {
    401: "check stt.api_key_file",
    403: "check stt.api_key_file",
    404: "check stt.url and stt.model",
    429: "ask who runs it for more requests, or set a smaller stt.parallel",
}
_SAME_S = 0.3  # a gap between two segments that is no pause
_SHOWN = 200  # characters of what a server said


class _ToldSegment(BaseModel):
    start: float
    end: float
    text: str
    avg_logprob: float | None = None
    no_speech_prob: float = 0.0
    compression_ratio: float = 1.0


class _Told(BaseModel):
    """An answer in `verbose_json`."""

    language: str | None = None
    segments: list[_ToldSegment]


class RemoteTranscriber:
    """Transcribes videos by the server at `url`, with its model `model`.

    `key_file` holds the key that it asks for. `language` is the expected one, or None. An answer may take
    `limit_s` and `limit_factor` times the length of the recording, and longer where it has shown to.
    """

    stage = Stage.STT

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key_file: Path | None = None,
        language: str | None = "en",
        hotwords: str = "",
        limit_s: float = 30.0,
        limit_factor: float = 6.0,
        probe: Path = PROBE,
    ) -> None:
        self._url, self._model, self._key_file = url, model, key_file
        self._language, self._hotwords, self._probe = language, hotwords, probe
        self._usual_s: Callable[[float], float] = lambda length_s: limit_s + limit_factor * length_s
        self._limit = LearntLimit(1.0)  # times the usual
        self._http: httpx.AsyncClient | None = None
        self._state, self._detail = "stopped", ""

    @property
    def alive(self) -> bool:
        """Whether it has transcribed the probe clip, and the connection was not lost since."""
        return self._state == "ready"

    def report(self) -> EngineReport:
        """The server as the operator sees it."""
        return EngineReport(
            stage=self.stage, name=self._url, state=self._state, detail=self._detail, model=self._model
        )

    def identity(self) -> Provenance:
        """What a transcript depends on beside the recording, as far as it is known."""
        return identity(self._provenance()) if self.alive else {}

    async def start(self) -> None:
        """Have the server transcribe the probe clip. Raises EngineError."""
        await self.stop()
        self._state = "starting"
        try:
            self._http = connection(self._url, key_in(self._key_file))
            with wave.open(str(self._probe), "rb") as clip:
                sound = clip.readframes(clip.getnframes())
            heard = await self._heard(sound)
        except (EngineError, _Refusal) as exc:
            await self.stop()
            self._state, self._detail = "unreachable", str(exc)
            raise EngineError(str(exc)) from exc
        except BaseException:
            await self.stop()
            raise
        if not heard.segments:
            await self.stop()
            raise EngineError(f"{self._url} hears nothing in the probe clip; check stt.model")
        self._state, self._detail = "ready", "another machine"

    async def stop(self) -> None:
        """Close the connections."""
        http, self._http = self._http, None
        self._state, self._detail = "stopped", ""
        if http is not None:
            await http.aclose()

    async def transcribe(self, work: SttWork, progress: OnProgress) -> StageOutcome:
        """Transcribe one video: of several takes the clearest. A Transcribed, an Unscorable or a Failed."""
        if not self.alive:
            return Failed(work.ticket, Fault(Blame.ENGINE, "not_running", f"{self._url} is not connected"))
        try:
            sounds = await asyncio.to_thread(_parted, work.pcm, [take.duration_s for take in work.takes])
            heard = []
            for sound in sounds:
                heard.append(await self._heard(sound))
                progress(work.ticket, len(heard) / len(sounds))
        except OSError as exc:
            return Failed(work.ticket, Fault(Blame.TASK, "stt_error", str(exc)))
        except _Refusal as refusal:
            if refusal.fault.died:
                self._state, self._detail = "unreachable", str(refusal)
            return Failed(work.ticket, refusal.fault)
        best = takes.clearest(heard, self._language)
        chosen = heard[best].model_copy(update={"take": best})
        provenance = {**self._provenance(), "language_detected": chosen.detected}
        return outcome_of(work, chosen, self._language, provenance)

    def _provenance(self) -> Provenance:
        return {
            "model": self._model,
            "server": self._url,
            "runtime": "remote",
            "language_expected": self._language,
            "hotwords": self._hotwords,
        }

    async def _heard(self, sound: bytes) -> HeardSpeech:
        """Have one sound transcribed, 16 kHz mono s16le. Raises _Refusal."""
        assert self._http is not None
        loop = asyncio.get_running_loop()
        usual_s, began = self._usual_s(len(sound) / 2 / RATE), loop.time()
        limit_s = self._limit.now * usual_s
        asked = {
            "model": self._model,
            "response_format": "verbose_json",
            "timestamp_granularities[]": "segment",
            "temperature": "0",
            **({"prompt": self._hotwords} if self._hotwords else {}),
        }
        try:
            async with asyncio.timeout(limit_s):
                answer = await self._http.post(
                    _PATH, data=asked, files={"file": ("recording.wav", _wav(sound), "audio/wav")}
                )
        except TimeoutError as exc:
            self._limit = self._limit.ran_out(limit_s / usual_s)
            raise _died("answer_timeout", f"{self._url} gave no transcript within {limit_s:.0f} s") from exc
        except httpx.HTTPError as exc:
            why = str(exc) or type(exc).__name__
            raise _died("connection_lost", f"the connection to {self._url} was lost: {why}") from exc
        self._limit = self._limit.passed((loop.time() - began) / usual_s)
        if not answer.is_success:
            raise _refusal(self._url, answer)
        try:
            return _speech(_Told.model_validate_json(answer.content))
        except ValidationError as exc:
            told = f"{self._url} gives no segments with times; check that it knows verbose_json"
            raise _Refusal(Fault(Blame.ENGINE, "bad_answer", told)) from exc


class _Refusal(Exception):
    """A server's refusal, as a fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def _died(code: str, message: str) -> _Refusal:
    return _Refusal(Fault(Blame.ENGINE, code, message, died=True))


def _refusal(url: str, answer: httpx.Response) -> _Refusal:
    said = " ".join(answer.text.split())[:_SHOWN]
    message = f"{url} refuses ({answer.status_code}): {said}"
    if answer.status_code in _REFUSED:
        return _Refusal(Fault(Blame.TASK, "stt_error", message))
    advice = _ADVICE.get(answer.status_code, "see its log")
    return _Refusal(Fault(Blame.ENGINE, "refused", f"{message}; {advice}"))


def _speech(told: _Told) -> HeardSpeech:
    """What was heard. Speech is where there are words: other voices a server does not tell of."""
    segments = tuple(
        Segment(
            start_s=each.start,
            end_s=max(each.start, each.end),
            text=each.text.strip(),
            avg_logprob=0.0 if each.avg_logprob is None else each.avg_logprob,
            no_speech_prob=each.no_speech_prob,
            compression_ratio=each.compression_ratio,
        )
        for each in told.segments
        if each.text.strip()
    )
    spans: list[SpeechSpan] = []
    for segment in segments:
        if spans and segment.start_s - spans[-1].end_s < _SAME_S:
            last = spans.pop()
            spans.append(SpeechSpan(start_s=last.start_s, end_s=max(last.end_s, segment.end_s)))
        else:
            spans.append(SpeechSpan(start_s=segment.start_s, end_s=segment.end_s))
    spoken = language_code(told.language)
    return HeardSpeech(segments=segments, speech=tuple(spans), language=spoken, detected=spoken)


def _parted(pcm: Path, takes_s: Sequence[float]) -> list[bytes]:
    """The sound of each take; of many the first ones, among which the usual one is the first."""
    sound, parts = memoryview(pcm.read_bytes()), []
    for duration_s in takes_s[:-1]:
        length = 2 * round(duration_s * RATE)
        parts.append(bytes(sound[:length]))
        sound = sound[length:]
    return [*parts, bytes(sound)][: takes.TRIALS]


def _wav(sound: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, RATE, 0, "NONE", ""))
        out.writeframes(sound)
    return file.getvalue()
