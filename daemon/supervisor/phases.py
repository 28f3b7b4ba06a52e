"""Which group is loaded, what its batch and its phase have come to, and the switch to the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field, replace

import structlog

from daemon.contracts.ports import Node
from daemon.contracts.values import Extent, Ledger
from daemon.core.errors import EngineError, Fault
from daemon.core.schedule.decision import NOTHING, Batch, Group, Policy, Switch, View
from daemon.core.tasks.lifecycle import backoff_s
from daemon.core.tasks.task import Phase, Stage, Task
from daemon.monitoring.alarms import Alarms
from daemon.supervisor.journal import Journal

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Switched:
    """A switch ended after `seconds`, well unless there is an error."""

    group: Group | None
    seconds: float
    error: EngineError | None
    ledger: Ledger = field(default_factory=Ledger)


class Phases:
    """The node as the scheduler sees it.

    `prepare` is awaited before a group is loaded; `on_switched` is told of the end of each switch.
    """

    def __init__(
        self,
        node: Node,
        journal: Journal,
        policy: Policy,
        alarms: Alarms,
        clock: Callable[[], float],
        on_switched: Callable[[Switched], None],
        on_break: Callable[[BaseException], None],
        prepare: Callable[[Group], Awaitable[None]],
    ) -> None:
        self._node, self._journal, self.policy = node, journal, policy
        self._alarms, self._clock = alarms, clock
        self._on_switched, self._on_break, self._prepare = on_switched, on_break, prepare
        self.group: Group | None = None
        self.since: float | None = None
        self._alive: frozenset[Stage] = frozenset()
        self._last_group: Group | None = None
        self._fresh = False
        self._batch: Batch | None = None
        self._started: set[int] = set()  # in the running phase
        self._rerated: frozenset[int] = frozenset()
        self._rests: dict[Group, float] = {}
        self._failures: dict[Group, int] = {}
        self._switch: asyncio.Task[None] | None = None
        self.switching_since: float | None = None
        self.usual_switch_s = 0.0

    @property
    def switching(self) -> bool:
        """Whether a switch runs."""
        return self._switch is not None

    @property
    def last_group(self) -> Group | None:
        """What was asked for last; while a switch runs, where it goes."""
        return self._last_group

    async def observe(self) -> None:
        """See what the node holds now."""
        observed = await self._node.observe()
        self.group, self._alive = observed.group, observed.alive

    def view(self, tasks: Sequence[Task], last_claim_at: float) -> View:
        """All that the next decision may depend on, as of the last observation."""
        return View(
            now=self._clock(),
            tasks=tasks,
            group=self.group,
            fresh=self._fresh,
            switching=self.switching,
            last_claim_at=last_claim_at,
            switch_s=self.usual_switch_s,
            batch=self._batch,
            rests=self._rests,
            alive=self._alive,
            last_group=self._last_group,
            rerated=self._rerated,
        )

    def extent(self, tasks: Sequence[Task]) -> Extent:
        """How far the batch or, without one, the phase has come; `tasks` are all open ones."""
        batch, group = self._batch, self.group or frozenset()
        seen = batch.taken if batch else frozenset(self._started)
        mine = (t for t in tasks if batch is None or t.batch_id == batch.id)
        left = {t.id for t in mine if t.stage in group and not t.held}
        return Extent(batch.id if batch else None, len(seen - left), len(seen | left))

    async def batch_for(self, task: Task) -> int | None:
        """The batch to which a task is admitted: the running one, or a new one; None where there are none."""
        if task.stage is not Stage.STT or not self.policy.has_batches(self.group):
            return None
        if self._batch is None:
            self._batch = Batch(await self._journal.open_batch(self.policy.batch_size))
        return self._batch.id

    async def close_batch(self) -> None:
        """End the running batch, if there is one."""
        if self._batch is not None:
            await self._journal.close_batch(self._batch.id)
            self._batch = None

    def started(self, task: Task) -> None:
        """An attempt at the task's stage begins."""
        self._fresh = False
        self._started.add(task.id)
        if task.stage is not Stage.STT and task.revision > 1:
            self._rerated |= {task.id}
        if task.stage is Stage.STT and self._batch is not None:
            self._batch = replace(self._batch, taken=self._batch.taken | {task.id})

    def worked(self, stage: Stage) -> None:
        """The engine of a stage gave an outcome."""
        self._well(self.policy.group_of(stage))

    def failed(self, stage: Stage, fault: Fault) -> None:
        """The engine of a stage is to blame. A death is answered by a fresh engine at once."""
        self._failed(self.policy.group_of(stage), fault.message, rests=not fault.died)

    def try_again(self) -> None:
        """Let no group rest any longer."""
        self._rests.clear()

    async def begin(self, switch: Switch) -> None:
        """Begin to load a group. Loading the last one anew goes on with its batch and its phase."""
        group = switch.group
        if group is None or group != self._last_group:
            await self._leave()
            if group is not None and Stage.STT in group:
                self._rerated = frozenset()
            phase = Phase.EVAL if group is not None and Stage.STT not in group else Phase.STT
            await self._journal.phase_began(group, phase)
        self._last_group = group
        self.switching_since = self._clock()
        self._switch = asyncio.create_task(self._do(switch))
        self._switch.add_done_callback(self._done)

    async def end(self, switched: Switched) -> None:
        """Take note of how a switch ended."""
        self._switch = self.switching_since = None
        group = switched.group or NOTHING
        if switched.error is not None:
            self._failed(group, str(switched.error), rests=True)
            return
        self._fresh = True
        self._rests.pop(group, None)
        self._alarms.clear(_alarm(group))
        self.since = None
        if group:
            self.since = self._clock()
            self.usual_switch_s = self.usual_switch_s or switched.seconds
            await self._journal.phase_ready(switched.seconds, switched.ledger)
        log.info("switched", to=sorted(group), seconds=round(switched.seconds, 2), **asdict(switched.ledger))

    async def stop_switching(self) -> None:
        """End a switch that runs; what it started is for `aclose` to stop."""
        if self._switch is not None:
            self._switch.cancel()
            await asyncio.gather(self._switch, return_exceptions=True)
            self._switch = None

    async def aclose(self) -> None:
        """End the phase and every engine."""
        try:
            await self._leave()
            await self._journal.phase_began(None, Phase.STT)
        finally:
            await self._node.aclose()

    async def _leave(self) -> None:
        await self.close_batch()
        await self._journal.phase_ended()
        self._started.clear()
        self.since = None

    async def _do(self, switch: Switch) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        error, ledger = None, Ledger()
        try:
            await self._prepare(switch.group or NOTHING)
            ledger = await self._node.ensure(switch.group, fresh=switch.fresh)
        except EngineError as exc:
            error = exc
        self._on_switched(Switched(switch.group, loop.time() - began, error, ledger))

    def _done(self, switch: asyncio.Task[None]) -> None:
        if not switch.cancelled() and (error := switch.exception()) is not None:
            self._on_break(error)

    def _well(self, group: Group) -> None:
        self._rests.pop(group, None)
        self._failures.pop(group, None)
        self._alarms.clear(_alarm(group))

    def _failed(self, group: Group, message: str, *, rests: bool) -> None:
        failures = self._failures[group] = self._failures.get(group, 0) + 1
        self._alarms.set(_alarm(group), message)
        if rests:
            self._rests[group] = self._clock() + backoff_s(failures)


def _alarm(group: Group) -> str:
    return "engine_" + ("_".join(sorted(group)) or "stop")
