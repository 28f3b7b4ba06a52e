"""Concurrent requests to one Whisper worker: each answer is matched to its request."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from daemon.stt.protocol import HeardSpeech, WorkerFault
from daemon.system.child import Child, ChildDied, ChildMessage


class WorkerLost(Exception):
    """The worker died or hung before it answered a request.

    `in_work` says whether it may have been at work on that, so that the recording may be the cause.
    """

    def __init__(self, code: str, message: str, in_work: bool) -> None:
        super().__init__(message)
        self.code = code
        self.in_work = in_work


@dataclass(slots=True)
class _Request:
    """An open request. `longest_s` is the longest time without a sign of the worker so far."""

    progress: Callable[[float], None]
    limit: asyncio.Timeout
    limit_s: float | None
    seen: float
    answer: asyncio.Future[HeardSpeech | WorkerFault] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    longest_s: float = 0.0

    def sign(self, now: float) -> None:
        """The worker lives."""
        self.longest_s = max(self.longest_s, now - self.seen)
        self.seen = now
        if self.limit_s is not None and not self.limit.expired():
            self.limit.reschedule(now + self.limit_s)


class WorkerSession:
    """Reads the messages of a worker while it lives. Its end fails all open requests."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._ids = itertools.count(1)
        self._open: dict[int, _Request] = {}
        self._in_work: set[int] = set()
        self._lost: tuple[str, str] | None = None
        self._reading = asyncio.create_task(self._read())

    async def ask(
        self,
        pcm: Path,
        progress: Callable[[float], None],
        takes_s: Sequence[float],
        limit_s: float | None = None,
    ) -> tuple[HeardSpeech | WorkerFault, float]:
        """Transcribe a recording, or the clearest of its takes. `progress` gets the share done, 0 to 1.

        Gives the answer, and the longest time for which the worker gave no sign. Raises WorkerLost, also when
        it gives none for `limit_s`. When cancelled, the worker drops the recording.
        """
        question = next(self._ids)
        if self._lost is not None:
            raise WorkerLost(*self._lost, in_work=False)
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(limit_s) as limit:
                asked = self._open[question] = _Request(progress, limit, limit_s, now)
                await self._child.send({"id": question, "pcm": str(pcm), "takes": list(takes_s)})
                answer = await asked.answer
            return answer, asked.longest_s
        except TimeoutError:
            self._end(
                "worker_hung", f"the Whisper worker gave no sign within {limit_s or 0:.0f} s and was killed"
            )
            raise self._lost_with(question) from None
        except ChildDied as exc:
            self._end("worker_died", str(exc))
            raise self._lost_with(question) from exc
        except asyncio.CancelledError:
            await self._drop(question)
            raise
        finally:
            del self._open[question]

    async def aclose(self) -> None:
        """Stop reading, and fail the open requests."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        self._end("worker_died", "the Whisper worker was stopped")

    async def _drop(self, question: int) -> None:
        try:
            await self._child.send({"drop": question})
        except ChildDied as exc:
            self._end("worker_died", str(exc))

    async def _read(self) -> None:
        try:
            while True:
                self._hear(await self._child.receive())
        except ChildDied as exc:
            self._end("worker_died", str(exc))
        except (LookupError, TypeError, ValueError) as exc:  # else the requests would wait for their limit
            self._end("worker_died", f"the Whisper worker sent an invalid message ({type(exc).__name__})")

    def _hear(self, said: ChildMessage) -> None:
        now = asyncio.get_running_loop().time()
        for request in self._open.values():
            request.sign(now)
        if "in_work" in said:
            self._in_work = set(said["in_work"])
        elif said["id"] in self._open:  # else it was cancelled
            self._answer(self._open[said["id"]], said)

    def _answer(self, request: _Request, said: ChildMessage) -> None:
        if "progress" in said:
            request.progress(said["progress"])
        elif not request.answer.done():
            heard = "heard" in said
            request.answer.set_result(
                HeardSpeech(**said["heard"]) if heard else WorkerFault(**said["refused"])
            )

    def _end(self, code: str, message: str) -> None:
        """Fail all requests; the first cause counts."""
        if self._lost is None:
            self._lost = code, message
            for question, request in self._open.items():
                if not request.answer.done():
                    request.answer.set_exception(self._lost_with(question))

    def _lost_with(self, question: int) -> WorkerLost:
        """Of a worker that named none, each request may be the cause."""
        assert self._lost is not None
        return WorkerLost(*self._lost, in_work=question in self._in_work or not self._in_work)
