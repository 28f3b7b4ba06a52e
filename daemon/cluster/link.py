"""The daemon's end of the link to the other machines: the parent of `driver`, which speaks Ray."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

from daemon.cluster.packing import packed, unpacked
from daemon.cluster.values import Machine, NodeSnapshot
from daemon.contracts.signal import Signal
from daemon.core.errors import AlreadyRunning, ConfigError, EngineError, ExclusionError, ModelError, NodeGone
from daemon.system.child import Child, ChildDied, memory_share

_ERRORS: Mapping[str, type[Exception]] = {
    error.__name__: error for error in (AlreadyRunning, ConfigError, EngineError, ExclusionError, ModelError)
}
_LOST = "the link to the other machines is lost"

_Answers = asyncio.Queue[Mapping[str, Any]]


class RayLink:
    """One connection to Ray's head. Use it as a context; once `lost` is set, it gives nothing any more.

    `lend` names what the machines make their node with; see `actor`.
    """

    def __init__(self, address: str, lend: str, log: Path, environ: Mapping[str, str]) -> None:
        self._address, self._lend, self._log, self._environ = address, lend, log, environ
        self._child: Child
        self._reading: asyncio.Task[None]
        self._calls: dict[int, _Answers] = {}
        self._ids = itertools.count(1)
        self.lost = asyncio.Event()
        self.why = ""
        self.answered = False  # whether the head has told which machines there are
        self.machines: tuple[Machine, ...] = ()
        self.changed = Signal[[]]()
        """The machines changed, or the link is lost."""
        self.pulsed = Signal[[str, NodeSnapshot]]()
        """A machine told what its node is like."""
        self.gone = Signal[[str, str]]()
        """A machine in use is gone, and why."""

    async def __aenter__(self) -> "RayLink":
        self._child = await Child.spawn(
            "link to the other machines",
            "daemon.cluster.driver",
            ["--address", self._address, "--lend", self._lend],
            log=self._log,
            env=self._environ,
            memory_limit=memory_share(),
        )
        self._reading = asyncio.create_task(self._read(), name="link to the other machines")
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._reading.cancel()
        with suppress(asyncio.CancelledError):
            await self._reading
        self._end(_LOST)
        await self._child.stop()

    async def ask(self, machine: str, what: str, *arguments: Any) -> Any:
        """Have a machine do something: open, ensure or close. Raises NodeGone, and what it raises there."""
        async with aclosing(self._answers(machine, what, arguments)) as answers:
            return unpacked((await anext(answers))["value"])

    async def stream(self, machine: str, *arguments: Any) -> AsyncGenerator[Any]:
        """What a machine gives for work, one after the other. Raises as `ask` does."""
        async with aclosing(self._answers(machine, "work", arguments)) as answers:
            async for answer in answers:
                if "item" in answer:
                    yield unpacked(answer["item"])

    async def _answers(
        self, machine: str, what: str, arguments: Sequence[Any]
    ) -> AsyncGenerator[Mapping[str, Any]]:
        """Ask, and give all answers; when they are not read to the end, what was asked for is ended."""
        if self.lost.is_set():
            raise NodeGone(self.why)
        call = next(self._ids)
        answers: _Answers = asyncio.Queue()
        self._calls[call] = answers
        ended = False
        try:
            await self._send({"id": call, "do": what, "machine": machine, "with": packed(arguments)})
            while not ended:
                answer = await answers.get()
                ended = "item" not in answer
                if "error" in answer:
                    kind, told = answer["error"]
                    raise NodeGone(told) if kind == "gone" else _ERRORS.get(kind, EngineError)(told)
                yield answer
        finally:
            if not ended and not self.lost.is_set():
                await self._drop(call, machine, answers)
            del self._calls[call]

    async def _drop(self, call: int, machine: str, answers: _Answers) -> None:
        """End what nobody waits for any more. Returns once it has ended, as a local node's work has."""
        await self._send({"id": 0, "do": "drop", "machine": machine, "call": call})
        while "item" in await answers.get():
            pass

    async def _send(self, message: Mapping[str, Any]) -> None:
        try:
            await self._child.send(dict(message))
        except ChildDied as exc:
            self._end(str(exc))
            raise NodeGone(self.why) from exc

    async def _read(self) -> None:
        try:
            while True:
                message = await self._child.receive()
                if "id" in message:
                    if (answers := self._calls.get(message["id"])) is not None:
                        answers.put_nowait(message)
                elif "machines" in message:
                    self.machines, self.answered = tuple(unpacked(message["machines"])), True
                    self.changed()
                elif "pulse" in message:
                    self.pulsed(message["pulse"], unpacked(message["snapshot"]))
                else:
                    self.gone(message["gone"], message["why"])
        except ChildDied as exc:
            self._end(str(exc))

    def _end(self, why: str) -> None:
        if self.lost.is_set():
            return
        self.why = why
        self.lost.set()
        for answers in self._calls.values():
            answers.put_nowait({"error": ["gone", why]})
        self.machines = ()
        self.changed()
