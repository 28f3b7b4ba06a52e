"""Hearing by a server elsewhere, with OpenAI's transcriptions. Implements ports.Transcriber.

The sound goes there as one WAV a recording, and nothing is loaded here. What a server does not tell is not
guessed: without its log-probabilities nobody is asked to listen again, and without a voice detector the
stretches of speech are those that have words.
"""

import asyncio
import io
import wave
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import httpx

from daemon.contracts.values import Failed, OnProgress, Provenance, StageOutcome, SttWork
from daemon.contracts.wire.status import EngineReport
from daemon.core.content.provenance_identity import identity
from daemon.core.errors import Blame, EngineError, Fault
from daemon.core.learnt_limit import LearntLimit
from daemon.core.tasks.task import Stage
from daemon.stt import takes
from daemon.stt.outcome import outcome_of
from daemon.stt.protocol import HeardSpeech
from daemon.stt.told import BadAnswer, heard_speech
from daemon.stt.transcriber import PROBE
from daemon.stt.windows import RATE
from daemon.system.http_client import connection, excerpt, key_in, read_up_to

_PATH = "/v1/audio/transcriptions"
_MOST_BYTES = 16 * 1024 * 1024  # of an answer; an hour with the times of its segments takes one
_LOST = frozenset({"answer_timeout", "connection_lost"})
_OF_ALL = frozenset({401, 403, 404, 429, 503})  # no recording is to blame for these
_ADVICE = {
    401: "check stt.api_key_file",
    403: "check stt.api_key_file",
    404: "check stt.url and stt.model",
    413: "set a higher limit there for the size of a request: a minute of sound has 2 MB",
    429: "ask who runs it for more requests, or set a smaller stt.parallel",
}


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
            heard = await self._heard(self._clip())
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
                heard.append(await self._judged(sound))
                progress(work.ticket, len(heard) / len(sounds))
        except OSError as exc:
            return Failed(work.ticket, Fault(Blame.TASK, "stt_error", str(exc)))
        except _Refusal as refusal:
            if refusal.fault.code in _LOST:
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

    async def _judged(self, sound: bytes) -> HeardSpeech:
        """Have one sound transcribed. Raises _Refusal, which is the recording's if only that is refused.

        1. What no recording can cause is the server's.
        2. The known clip is sent, as long as the recording. If that fails, too, it is the server's.
        3. A server that hung or hung up with the recording alone died of it; see `core.tasks.lifecycle`.
        4. Else the recording is sent again. If it is refused again, it is the task's.
        """
        try:
            return await self._heard(sound)
        except _Refusal as refusal:
            first = refusal
        if first.of_all:  # 1
            raise first
        try:
            await self._heard(self._clip(len(sound)))
        except _Refusal as refusal:  # 2
            raise _Refusal(replace(first.fault, died=False)) from refusal
        if first.fault.died:  # 3
            raise first
        try:
            return await self._heard(sound)
        except _Refusal as refusal:  # 4
            if refusal.of_all or refusal.fault.died:
                raise
            raise _Refusal(replace(refusal.fault, blame=Blame.TASK, code="stt_error")) from refusal

    def _clip(self, size: int | None = None) -> bytes:
        """The sound of the known clip, again and again for `size` bytes."""
        with wave.open(str(self._probe), "rb") as clip:
            sound = clip.readframes(clip.getnframes())
        return sound if size is None else (sound * (size // len(sound) + 1))[:size]

    async def _heard(self, sound: bytes) -> HeardSpeech:
        """Have one sound transcribed, 16 kHz mono s16le. Raises _Refusal."""
        assert self._http is not None
        loop = asyncio.get_running_loop()
        length_s = len(sound) / 2 / RATE
        usual_s, began = self._usual_s(length_s), loop.time()
        limit_s = self._limit.now * usual_s
        asked = {
            "model": self._model,
            "response_format": "verbose_json",
            "timestamp_granularities[]": "segment",
            "temperature": "0",
            **({"prompt": self._hotwords} if self._hotwords else {}),
        }
        file = {"file": ("recording.wav", _wav(sound), "audio/wav")}
        try:
            async with (
                asyncio.timeout(limit_s),
                self._http.stream("POST", _PATH, data=asked, files=file) as answer,
            ):
                body = await read_up_to(_MOST_BYTES, answer)
        except TimeoutError as exc:
            self._limit = self._limit.ran_out(limit_s / usual_s)
            raise _died("answer_timeout", f"{self._url} gave no transcript within {limit_s:.0f} s") from exc
        except httpx.HTTPError as exc:
            why = excerpt((str(exc) or type(exc).__name__).encode())
            raise _died("connection_lost", f"the connection to {self._url} was lost: {why}") from exc
        self._limit = self._limit.passed((loop.time() - began) / usual_s)
        if not answer.is_success:
            raise self._refusal(answer, body)
        if len(body) > _MOST_BYTES:
            raise self._bad_answer("more than any transcript can be")
        try:
            return await asyncio.to_thread(heard_speech, body, length_s)
        except BadAnswer as exc:
            raise self._bad_answer(str(exc)) from exc

    def _bad_answer(self, what: str) -> "_Refusal":
        told = f"{self._url} answers with {what}; check that it knows verbose_json"
        return _Refusal(Fault(Blame.ENGINE, "bad_answer", told))

    def _refusal(self, answer: httpx.Response, body: bytes) -> "_Refusal":
        advice = "check stt.url" if answer.is_redirect else _ADVICE.get(answer.status_code, "see its log")
        told = f"{self._url} refuses ({answer.status_code}): {excerpt(body)}; {advice}"
        return _Refusal(Fault(Blame.ENGINE, "refused", told), answer.status_code in _OF_ALL)


class _Refusal(Exception):
    """A server's refusal, as a fault; `of_all` says that no recording can be the cause."""

    def __init__(self, fault: Fault, of_all: bool = False) -> None:
        super().__init__(fault.message)
        self.fault = fault
        self.of_all = of_all


def _died(code: str, message: str) -> _Refusal:
    return _Refusal(Fault(Blame.ENGINE, code, message, died=True))


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
