"""Predecoding: the sound of the next videos is decoded before the GPU is free for them."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import structlog

from daemon.contracts.ports import Media
from daemon.contracts.signal import Signal
from daemon.contracts.values import Decoded
from daemon.core.errors import Blame, Fault
from daemon.core.tasks.task import Task

log = structlog.get_logger()


def _may_have_passed(decoding: "asyncio.Task[Decoded | Fault]") -> bool:
    """Whether a decoding failed for a reason that another try may not meet."""
    if not decoding.done() or decoding.cancelled() or decoding.exception() is not None:
        return False
    found = decoding.result()
    return isinstance(found, Fault) and found.blame is not Blame.PERMANENT


class Predecoder:
    """Keeps the decoded sound of the next tasks, and of no others: 16 kHz PCM takes 2 MB a minute of disk."""

    def __init__(self, media: Media, folder: Path) -> None:
        self._media = media
        self._folder = folder
        self.unreadable = Signal[[int, Fault]]()
        """A task's video can't be decoded, and why: signalled as soon as it is known."""
        self._decoding: dict[int, asyncio.Task[Decoded | Fault]] = {}
        self._dropped: set[int] = set()  # whose sound still lies there
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.iterdir():  # left by a crash, perhaps half written: decoded again if wanted
            left.unlink()

    def want(self, tasks: Sequence[Task]) -> None:
        """Decode the sound of these tasks, in their order, and drop all others."""
        self._dropped = {each for each in self._dropped if self._remove(each) is not None}
        for gone in self._decoding.keys() - {task.id for task in tasks}:
            self.drop(gone)
        for task in tasks:
            if task.id not in self._decoding:
                self._begin(task)

    async def get(self, task: Task) -> Decoded | Fault:
        """The decoded sound of a task, or why there is none. Waits until it is decoded.

        What failed ahead for a reason that passes is tried again now, when the sound is needed. So is what
        was dropped while this waits.
        """
        me = asyncio.current_task()
        while True:
            known = self._decoding.get(task.id)
            if known is None or _may_have_passed(known):
                self._begin(task)
            decoding = self._decoding[task.id]
            try:
                return await asyncio.shield(decoding)
            except asyncio.CancelledError:
                was_dropped = self._decoding.get(task.id) is not decoding
                if not was_dropped or (me is not None and me.cancelling()):
                    raise

    def drop(self, task_id: int) -> None:
        """Drop a task's sound and free its disk space.

        What the disk does not let go is tried again whenever the next are wanted, and at the next start.
        """
        decoding = self._decoding.pop(task_id, None)
        if decoding is None:
            return
        decoding.cancel()
        if (error := self._remove(task_id)) is not None:
            self._dropped.add(task_id)
            log.warning("a video's sound cannot be removed yet", task=task_id, error=error.strerror)

    async def aclose(self) -> None:
        """Drop everything."""
        decodings = list(self._decoding.values())
        for task_id in list(self._decoding):
            self.drop(task_id)
        await asyncio.gather(*decodings, return_exceptions=True)

    def _begin(self, task: Task) -> None:
        self._dropped.discard(task.id)  # its file is written anew
        self._decoding[task.id] = asyncio.create_task(self._decode(task))

    async def _decode(self, task: Task) -> Decoded | Fault:
        decoded = await self._media.decode(Path(task.path), self._pcm(task.id), task.account)
        if isinstance(decoded, Fault):
            self.unreadable(task.id, decoded)
        return decoded

    def _remove(self, task_id: int) -> OSError | None:
        try:
            self._pcm(task_id).unlink(missing_ok=True)
        except OSError as exc:
            return exc
        return None

    def _pcm(self, task_id: int) -> Path:
        return self._folder / f"{task_id}.pcm"
