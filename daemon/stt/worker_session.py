"""Several questions at once to one Whisper worker: each answer finds whoever asked."""

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path

from daemon.stt.protocol import HeardSpeech, WorkerFault
from daemon.system.child import Child, ChildDied, ChildMessage


class WorkerSession:
    """Reads what a worker says for as long as it lives. Its death is told to all who wait."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._ids = itertools.count(1)
        self._open: dict[int, tuple[asyncio.Future[HeardSpeech | WorkerFault], Callable[[float], None]]] = {}
        self._died: ChildDied | None = None
        self._reading = asyncio.create_task(self._read())

    async def ask(self, pcm: Path, progress: Callable[[float], None]) -> HeardSpeech | WorkerFault:
        """What the worker makes of a recording. Raises ChildDied."""
        if self._died is not None:
            raise self._died
        question = next(self._ids)
        answer: asyncio.Future[HeardSpeech | WorkerFault] = asyncio.get_running_loop().create_future()
        self._open[question] = answer, progress
        try:
            await self._child.send({"id": question, "pcm": str(pcm)})
            return await answer
        finally:
            del self._open[question]

    async def aclose(self) -> None:
        """Listen no more."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        self._fail(ChildDied("the Whisper worker was ended"))

    async def _read(self) -> None:
        try:
            while True:
                self._hear(await self._child.receive())
        except ChildDied as exc:
            self._fail(exc)
        except (LookupError, TypeError, ValueError) as exc:  # else whoever waits would wait for the limit
            self._fail(ChildDied(f"the Whisper worker said what makes no sense ({type(exc).__name__})"))

    def _hear(self, said: ChildMessage) -> None:
        if said["id"] not in self._open:  # whoever asked has gone
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
