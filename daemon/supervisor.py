"""The supervisor: the one coroutine that decides. Observe, decide, commit, act; again at every event.

A turn takes all events that came, lets the scheduler decide on what then stands, commits every
transition of both in one transaction, and only then acts: starts attempts, begins a switch. So
nothing is ever done that a crash could make forget, and a turn costs one fsync.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import structlog

from daemon.ahead import Ahead
from daemon.alarms import Alarms
from daemon.attempts import Attempts, Ended
from daemon.core.errors import Blame, EngineError, Fault
from daemon.core.lifecycle import RetryPolicy, advance, after_fault, backoff_s
from daemon.core.scheduler import (
    NOTHING,
    Admit,
    Batch,
    Decision,
    Group,
    OpenBatch,
    Policy,
    Release,
    Start,
    Switch,
    View,
    Why,
    decide,
    in_order,
)
from daemon.core.task import FINAL, RUNNING, Event, Phase, Stage, Task
from daemon.journal import Extent, Journal
from daemon.ports import Change, Extracted, Failed, Node, Outcome, Rated, Ticket, Transcribed, Unscorable

log = structlog.get_logger()

_EVENT_OF: dict[type[Outcome], Event] = {
    Transcribed: Event.TRANSCRIBED,
    Unscorable: Event.UNSCORABLE,
    Extracted: Event.EXTRACTED,
    Rated: Event.RATED,
}


@dataclass(frozen=True, slots=True)
class Arrived:
    """New tasks stand in the database."""

    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A video can't be decoded, as was found ahead of its turn."""

    task_id: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class Switched:
    """A switch ended after `seconds`, well unless there is an error."""

    group: Group | None
    seconds: float
    error: EngineError | None


Happening = Arrived | Unreadable | Switched | Ended


class Supervisor:
    """Owns the state of every open task. Nobody else changes one."""

    def __init__(
        self,
        *,
        node: Node,
        journal: Journal,
        ahead: Callable[[Callable[[int, Fault], None]], Ahead],
        policy: Policy,
        retry: RetryPolicy,
        alarms: Alarms,
        clock: Callable[[], float],
        on_change: Callable[[], None],
        progress: dict[int, float],
    ) -> None:
        self._node, self._journal, self._policy, self._retry = node, journal, policy, retry
        self._alarms, self._clock, self._on_change = alarms, clock, on_change
        self._ahead = ahead(lambda task_id, fault: self._happened(Unreadable(task_id, fault)))
        self._attempts = Attempts(node, journal, self._ahead, progress, self._happened, self._broke)
        self._tasks: dict[int, Task] = {}
        self._changes: list[Change] = []
        self._happenings: list[Happening] = []
        self._woken = asyncio.Event()
        self._error: BaseException | None = None
        self._phase_tasks: set[int] = set()
        self._switch: asyncio.Task[None] | None = None
        self._group: Group | None = None
        self._last_group: Group | None = None
        self._rerated: frozenset[int] = frozenset()
        self._fresh = False
        self._batch: Batch | None = None
        self._rests: dict[Group, float] = {}
        self._failures: dict[Group, int] = {}
        self._last_claim_at = 0.0
        self._switch_s = 0.0
        self.why = Why.IDLE
        self.phase_since: float | None = None

    @property
    def tasks(self) -> Sequence[Task]:
        """Every open task."""
        return list(self._tasks.values())

    @property
    def idle(self) -> bool:
        """Whether nothing is open, in work or still to be committed."""
        return not (self._tasks or self._happenings or self._changes or self._switch)

    @property
    def group(self) -> Group | None:
        """The group that is loaded."""
        return self._group

    @property
    def extent(self) -> Extent:
        """How far the batch or, without one, the phase has come."""
        batch = self._batch
        seen = batch.taken if batch else frozenset(self._phase_tasks)
        group = self._group or frozenset()
        left = {
            t.id
            for t in self._tasks.values()
            if t.stage in group and not t.held and (batch is None or t.batch_id == batch.id)
        }
        return Extent(batch.id if batch else None, len(seen - left), len(seen | left))

    def arrived(self, tasks: Iterable[Task]) -> None:
        """New tasks stand in the database."""
        self._happened(Arrived(tuple(tasks)))

    async def run(self, stop: asyncio.Event, grace_s: float) -> None:
        """Work until `stop`, then let running attempts end within `grace_s` seconds; nothing is lost."""
        self._tasks = {task.id: task for task in await self._journal.recover()}
        await self._begin_clean()
        stopping = asyncio.create_task(self._wake_at_stop(stop))
        while not stop.is_set():
            wake_at = await self._turn()
            await self._wait(wake_at)
        stopping.cancel()
        await self._finish(grace_s)

    async def _begin_clean(self) -> None:
        """Trust no stored phase: end whatever an earlier daemon may have left. Tried until it holds."""
        failures = 0
        while True:
            try:
                await self._node.ensure(None)
            except EngineError as exc:
                failures += 1
                self._alarms.set("engines_left", str(exc))
                await asyncio.sleep(backoff_s(failures))
            else:
                self._alarms.clear("engines_left")
                return

    async def _turn(self) -> float | None:
        """Take the events, decide, commit, act. When to look again at the latest."""
        if self._error is not None:
            raise self._error
        for happening in self._take_happenings():
            await self._take(happening)
        starts: list[Task] = []
        switch: Switch | None = None
        decision = await self._decide()
        while decision.actions:
            for action in decision.actions:
                match action:
                    case Switch():
                        switch = action
                    case OpenBatch():
                        await self._close_batch()
                    case Release() | Admit() | Start():
                        starts.extend(await self._move(action))
            if switch is not None or starts:
                break
            decision = await self._decide()
        await self._commit()
        self.why = decision.why
        for task in starts:
            self._attempts.start(task)
        if switch is not None:
            await self._begin_switch(switch)
        self._decode_ahead()
        return decision.wake_at

    def _decode_ahead(self) -> None:
        mine = [t for t in self._tasks.values() if t.stage is Stage.STT and not t.held]
        waiting = in_order(t for t in mine if t.status not in RUNNING)
        self._ahead.want([t for t in mine if t.status in RUNNING] + waiting[: self._policy.batch_size])

    async def _decide(self) -> Decision:
        observed = await self._node.observe()
        self._group = observed.group
        view = View(
            now=self._clock(),
            tasks=list(self._tasks.values()),
            group=self._group,
            fresh=self._fresh,
            switching=self._switch is not None,
            last_claim_at=self._last_claim_at,
            switch_s=self._switch_s,
            batch=self._batch,
            rests=self._rests,
            alive=observed.alive,
            last_group=self._last_group,
            rerated=self._rerated,
        )
        return decide(view, self._policy)

    async def _move(self, action: Release | Admit | Start) -> list[Task]:
        """Make the transition of an action. Gives the task when it starts."""
        task = self._tasks[action.task.id]
        match action:
            case Release():
                self._change(task, Event.RELEASED, advance(task, Event.RELEASED))
            case Admit():
                batched = task.stage is Stage.STT and self._policy.has_batches(self._group)
                batch_id = await self._open_batch() if batched else None
                self._change(task, Event.ADMITTED, advance(task, Event.ADMITTED, batch_id=batch_id))
            case Start():
                after = advance(task, Event.STARTED)
                self._change(task, Event.STARTED, after)
                self._fresh = False
                self._phase_tasks.add(task.id)
                if task.revision > 1 and task.stage is not Stage.STT:
                    self._rerated |= {task.id}
                if self._batch is not None and task.stage is Stage.STT:
                    self._batch = replace(self._batch, taken=self._batch.taken | {task.id})
                return [after]
        return []

    async def _take(self, happening: Happening) -> None:
        match happening:
            case Arrived(tasks=tasks):
                self._tasks.update({task.id: task for task in tasks})
                self._last_claim_at = max([self._last_claim_at, *(task.claimed_at for task in tasks)])
            case Unreadable(task_id=task_id, fault=fault):
                task = self._tasks.get(task_id)
                if task is not None and task.status not in RUNNING and fault.blame is Blame.PERMANENT:
                    self._fail(task, Failed(Ticket(task.id, task.revision, task.attempt), fault), None)
            case Switched():
                await self._end_switch(happening)
            case Ended(outcome=outcome, seconds=seconds):
                self._end_attempt(outcome, seconds)

    def _end_attempt(self, outcome: Outcome, seconds: float) -> None:
        ticket = outcome.ticket
        task = self._tasks.get(ticket.task_id)
        if (
            task is None
            or (task.revision, task.attempt) != (ticket.revision, ticket.attempt)
            or (task.status not in RUNNING)
        ):
            log.info("an outcome of an earlier try was dropped", task=ticket.task_id, attempt=ticket.attempt)
            return
        group = self._policy.group_of(task.stage)
        if isinstance(outcome, Failed):
            self._fail(task, outcome, seconds)
            if outcome.fault.blame is Blame.ENGINE:
                self._rest(group, str(outcome.fault.message), at_once=outcome.fault.died)
            return
        self._rests.pop(group, None)
        self._failures.pop(group, None)
        self._alarms.clear(_engine_alarm(group))
        if task.cancel_requested:
            self._change(task, Event.CANCELLED, advance(task, Event.CANCELLED), seconds)
        else:
            event = _EVENT_OF[type(outcome)]
            self._change(task, event, advance(task, event), seconds, outcome)

    def _fail(self, task: Task, failed: Failed, seconds: float | None) -> None:
        event, after = after_fault(task, failed.fault, self._clock(), self._retry)
        log.info(
            "an attempt failed",
            task=task.id,
            code=failed.fault.code,
            then=event.value,
            detail=failed.fault.message,
        )
        self._change(task, event, after, seconds, None if event is Event.CANCELLED else failed)

    def _rest(self, group: Group, message: str, *, at_once: bool) -> None:
        """The group has no work until its backoff ends; a death is answered by a fresh engine at once."""
        failures = self._failures[group] = self._failures.get(group, 0) + 1
        self._alarms.set(_engine_alarm(group), message)
        if not at_once:
            self._rests[group] = self._clock() + backoff_s(failures)

    def _change(
        self,
        before: Task,
        event: Event,
        after: Task,
        seconds: float | None = None,
        outcome: Outcome | None = None,
    ) -> None:
        self._changes.append(Change(before, after, event, self._clock(), seconds, outcome))
        if after.status in FINAL:
            del self._tasks[after.id]
        else:
            self._tasks[after.id] = after

    async def _commit(self) -> None:
        if self._changes:
            await self._journal.commit(self._changes, self.extent)
            self._changes = []
            self._on_change()

    async def _open_batch(self) -> int:
        if self._batch is None:
            self._batch = Batch(await self._journal.open_batch(self._policy.batch_size))
        return self._batch.id

    async def _close_batch(self) -> None:
        if self._batch is not None:
            await self._journal.close_batch(self._batch.id)
            self._batch = None

    async def _begin_switch(self, switch: Switch) -> None:
        """Begin to load a group. Loading the last one anew goes on with its batch and its phase."""
        group = switch.group
        if group is None or group != self._last_group:
            await self._close_batch()
            await self._journal.phase_ended()
            self._phase_tasks.clear()
            self.phase_since = None
            if group is not None and Stage.STT in group:
                self._rerated = frozenset()
            phase = Phase.EVAL if group is not None and Stage.STT not in group else Phase.STT
            await self._journal.phase_began(group, phase)
        self._last_group = group
        self._switch = asyncio.create_task(self._do_switch(switch))

    async def _do_switch(self, switch: Switch) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        error = None
        try:
            await self._node.ensure(switch.group, fresh=switch.fresh)
        except EngineError as exc:
            error = exc
        self._happened(Switched(switch.group, loop.time() - began, error))

    async def _end_switch(self, switched: Switched) -> None:
        self._switch = None
        group = switched.group
        if switched.error is not None:
            self._rest(group or NOTHING, str(switched.error), at_once=False)
            return
        self._fresh = True
        self.phase_since = self._clock() if group else None
        self._rests.pop(group or NOTHING, None)
        if group is not None:
            self._switch_s = switched.seconds
            self._alarms.clear(_engine_alarm(group))
            await self._journal.phase_ready(switched.seconds)
        log.info("switched", to=sorted(group) if group else "nothing", seconds=round(switched.seconds, 2))
        self._on_change()

    def _happened(self, happening: Happening) -> None:
        self._happenings.append(happening)
        self._woken.set()

    def _broke(self, error: BaseException) -> None:
        """A fault of ours, not of a video: the daemon ends loudly, and its next start counts the death."""
        self._error = error
        self._woken.set()

    def _take_happenings(self) -> list[Happening]:
        self._woken.clear()
        taken, self._happenings = self._happenings, []
        return taken

    async def _wait(self, wake_at: float | None) -> None:
        timeout = None if wake_at is None else max(0.0, wake_at - self._clock())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._woken.wait()

    async def _wake_at_stop(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._woken.set()

    async def _finish(self, grace_s: float) -> None:
        """1. let attempts end; 2. release the others; 3. end every engine; 4. end the decoding."""
        await self._attempts.join(grace_s)
        if self._switch is not None:
            self._switch.cancel()
            await asyncio.gather(self._switch, return_exceptions=True)
            self._switch = None
        for happening in self._take_happenings():
            if not isinstance(happening, Switched):
                await self._take(happening)
        for task in [t for t in self._tasks.values() if t.status in RUNNING]:
            self._change(task, Event.RELEASED, advance(task, Event.RELEASED))
        await self._commit()
        await self._close_batch()
        await self._journal.phase_ended()
        await self._node.aclose()
        await self._ahead.aclose()


def _engine_alarm(group: Group) -> str:
    return "engine_" + "_".join(sorted(group))
