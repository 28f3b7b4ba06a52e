"""The running attempts: each is one stage of one task."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from daemon.contracts.ports import Node
from daemon.contracts.values import ExtractWork, Failed, RateWork, StageOutcome, SttWork, Ticket
from daemon.core.errors import Blame, EngineError, ExclusionError, Fault, NodeGone
from daemon.core.tasks.task import Stage, Task
from daemon.monitoring.progress import Progress
from daemon.supervisor.journal import Payload
from daemon.supervisor.predecode import Predecoder


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """An attempt ended with an outcome, after `seconds`."""

    outcome: StageOutcome
    seconds: float


class Attempts:
    """Runs attempts on their nodes, and reports how each one ended.

    `on_gone` is called in place of `on_end` where an attempt's node is gone.
    """

    def __init__(
        self,
        node: Node,
        predecoder: Predecoder,
        progress: Progress,
        clock: Callable[[], float],
        on_end: Callable[[AttemptEnded], None],
        on_break: Callable[[BaseException], None],
        on_gone: Callable[[Node, str], None] | None = None,
    ) -> None:
        self._node, self._predecoder = node, predecoder
        self._progress, self._clock = progress, clock
        self._on_end, self._on_break, self._on_gone = on_end, on_break, on_gone
        self.started: dict[int, float] = {}
        self._running: dict[int, asyncio.Task[None]] = {}
        self._unwanted: set[int] = set()

    def start(self, task: Task, payload: Payload | None, node: Node | None = None) -> None:
        """Begin the attempt of `task`, on this machine's node or another.

        `payload` holds the results of earlier stages, None for stt.
        """
        running = self._run(node or self._node, task, payload)
        attempt = asyncio.create_task(running, name=f"attempt at task {task.id}")
        self._running[task.id] = attempt
        self.started[task.id] = self._clock()
        attempt.add_done_callback(lambda done: self._done(task.id, done))

    def cancel(self, task_id: int) -> None:
        """End a running attempt because its task is cancelled. It still ends with an outcome."""
        if task_id in self._running:
            self._unwanted.add(task_id)
            self._running[task_id].cancel()

    async def interrupt(self, task_ids: Iterable[int]) -> None:
        """End the running attempts of tasks that go back to waiting. Returns once they ended."""
        mine = {task_id: self._running[task_id] for task_id in task_ids if task_id in self._running}
        for task_id in mine:
            self.cancel(task_id)
        await asyncio.gather(*mine.values(), return_exceptions=True)

    async def join(self, grace_s: float) -> None:
        """Wait `grace_s` seconds for the attempts to end; cancel those that have not."""
        if self._running:
            await asyncio.wait(self._running.values(), timeout=grace_s)
        left = list(self._running.values())
        for attempt in left:
            attempt.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _done(self, task_id: int, attempt: asyncio.Task[None]) -> None:
        if self._running.get(task_id) is attempt:
            del self._running[task_id], self.started[task_id]
            self._unwanted.discard(task_id)  # however it ended, the next attempt is wanted
        if not attempt.cancelled() and (error := attempt.exception()) is not None:
            self._on_break(error)

    async def _run(self, node: Node, task: Task, payload: Payload | None) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        ticket = Ticket(task.id, task.revision, task.attempt)
        try:
            outcome = await self._attempt(node, task, ticket, payload)
        except (EngineError, ExclusionError) as exc:
            outcome = Failed(ticket, Fault(Blame.ENGINE, "engine_error", str(exc)))
        except NodeGone as exc:
            if self._on_gone is None:
                raise
            self._on_gone(node, str(exc))
            return
        except asyncio.CancelledError:
            if task.id not in self._unwanted:
                raise
            outcome = Failed(ticket, Fault(Blame.TASK, "cancelled", "the operator cancelled it"))
        finally:
            self._progress.end(task.id)
        if task.stage is Stage.STT:
            self._predecoder.drop(task.id)
        self._on_end(AttemptEnded(outcome, loop.time() - began))

    async def _attempt(self, node: Node, task: Task, ticket: Ticket, payload: Payload | None) -> StageOutcome:
        """The outcome of one attempt. Each stream is read to its end: the node counts it until then."""
        if payload is None:
            decoded = await self._predecoder.get(task)
            if isinstance(decoded, Fault):
                return Failed(ticket, decoded)
            work = SttWork(ticket, decoded.pcm, decoded.takes)
            (outcome,) = [outcome async for outcome in node.transcribe([work])]
            return outcome
        if task.stage is Stage.EXTRACT:
            extract = ExtractWork(ticket, payload.transcript, task.reseed)
            (outcome,) = [outcome async for outcome in node.extract([extract])]
        else:
            rate = RateWork(
                *(ticket, payload.transcript, payload.speaking, payload.profile),
                *(task.reseed, payload.set_aside),
            )
            (outcome,) = [outcome async for outcome in node.rate([rate])]
        return outcome
