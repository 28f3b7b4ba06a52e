"""Concurrent requests to one Whisper worker: each answer is matched to its request."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

from daemon.stt.protocol import HeardSpeech, WorkerFault
from daemon.system.child import Child, ChildDied, ChildMessage


class WorkerSession:
    """Reads the messages of a worker while it lives. Its death fails all open requests."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._ids = itertools.count(1)
        self._open: dict[int, tuple[asyncio.Future[HeardSpeech | WorkerFault], Callable[[float], None]]] = {}
        self._died: ChildDied | None = None
        self._reading = asyncio.create_task(self._read())

    async def ask(
        self, pcm: Path, progress: Callable[[float], None], takes_s: Sequence[float] = ()
    ) -> HeardSpeech | WorkerFault:
        """Transcribe a recording, or the clearest of its takes. `progress` gets the share done, 0 to 1.

        Raises ChildDied.
        """
        if self._died is not None:
            raise self._died
        question = next(self._ids)
        answer: asyncio.Future[HeardSpeech | WorkerFault] = asyncio.get_running_loop().create_future()
        self._open[question] = answer, progress
        try:
            await self._child.send({"id": question, "pcm": str(pcm), "takes": list(takes_s)})
            return await answer
        finally:
            del self._open[question]

    async def aclose(self) -> None:
        """Stop reading, and fail the open requests."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        self._fail(ChildDied("the Whisper worker was stopped"))

    async def _read(self) -> None:
        try:
            while True:
                self._hear(await self._child.receive())
        except ChildDied as exc:
            self._fail(exc)
        except (LookupError, TypeError, ValueError) as exc:  # else the requests would wait for their limit
            self._fail(ChildDied(f"the Whisper worker sent an invalid message ({type(exc).__name__})"))

    def _hear(self, said: ChildMessage) -> None:
        if said["id"] not in self._open:  # the request was cancelled
            return
        answer, progress = self._open[said["id"]]
        if "progress" in said:
            progress(said["progress"])
        elif not answer.done():
            heard = "heard" in said
            answer.set_result(HeardSpeech(**said["heard"]) if heard else WorkerFault(**said["refused"]))

    def _fail(self, error: ChildDied) -> None:
        self._died = self._died or error
        for answer, _ in self._open.values():
            if not answer.done():
                answer.set_exception(error)
