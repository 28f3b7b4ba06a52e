"""The phases on the real node: switches, the journal's batches, and the alarms of engines.

The state is `core.schedule.phase_state`, kept in step with the node here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence, Set
from dataclasses import asdict, dataclass, field
from typing import Protocol

import structlog

from daemon.contracts.ledger import Ledger
from daemon.contracts.ports import Node
from daemon.core.alarms import trouble_of
from daemon.core.errors import CanaryDrifted, EngineError, Fault, IntroEvalError, NodeGone
from daemon.core.schedule.decision import LOCAL, Policy, Switch
from daemon.core.schedule.phase_state import (
    NOTHING,
    AttemptStarted,
    BatchClosed,
    BatchOpened,
    EngineFailed,
    EngineWorked,
    Extent,
    Group,
    Observed,
    PhaseEvent,
    PhaseState,
    RestsLifted,
    SwitchBegun,
    SwitchEnded,
    SwitchPriced,
    after,
    leaves,
)
from daemon.core.tasks.task import Stage, Task
from daemon.monitoring.alarms import Alarms

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Switched:
    """A switch of `phases` ended after `seconds`; `error` is None when it succeeded."""

    phases: "Phases"
    group: Group | None
    seconds: float
    error: EngineError | NodeGone | None
    ledger: Ledger = field(default_factory=Ledger)


class Records(Protocol):
    """Writes down the batches and phases of a node; see `Journal`."""

    async def open_batch(self, size: int) -> int:
        """Begin a batch. Gives its id."""
        ...

    async def close_batch(self, batch_id: int) -> None:
        """End a batch."""
        ...

    async def phase_began(self, group: Group | None, extent: Extent) -> None:
        """Record that a switch begins."""
        ...

    async def phase_ready(self, switch_s: float, ledger: Ledger) -> None:
        """Record that the group of the last switch is verified loaded."""
        ...

    async def phase_ended(self) -> None:
        """Record the end of the running phase."""
        ...


class Proof(Protocol):
    """Asks known words of a node; see `Canary`."""

    @property
    def drifted(self) -> Set[Stage]:
        """The stages whose answer is another than was recorded."""
        ...

    def due(self, group: Group | None) -> bool:
        """Whether a stage of the loaded group must be asked before a task is."""
        ...

    async def prove(self, group: Group | None) -> None:
        """Ask the stages that are due. Raises CanaryDrifted, and EngineError."""
        ...


class Phases:
    """Owns the phase state. Each change of it is one event, with which `on_event` is called.

    `prepare` is awaited before a group is loaded; `on_switched` is called at the end of each switch. A group
    whose canary is due is not loaded. `name` is that of the node.
    """

    def __init__(
        self,
        node: Node,
        canary: Proof,
        journal: Records,
        policy: Policy,
        alarms: Alarms,
        clock: Callable[[], float],
        on_switched: Callable[[Switched], None],
        on_break: Callable[[BaseException], None],
        prepare: Callable[[Group], Awaitable[None]],
        on_event: Callable[[PhaseEvent], None],
        name: str = LOCAL,
    ) -> None:
        self._name = name
        self._node, self._canary, self._journal, self.policy = node, canary, journal, policy
        self._alarms, self._clock = alarms, clock
        self._on_switched, self._on_break, self._prepare = on_switched, on_break, prepare
        self._on_event = on_event
        self.state = PhaseState()
        self._switch: asyncio.Task[None] | None = None
        self._failing: set[Group] = set()  # with an alarm

    @property
    def drifted(self) -> Set[Stage]:
        """The stages whose known words gave another answer at the node than was recorded."""
        return self._canary.drifted

    async def observe(self) -> None:
        """Update the state with what the node holds now. Raises NodeGone."""
        seen = await self._node.observe()
        group = None if self._canary.due(seen.group) else seen.group
        if (group, seen.alive) != (self.state.group, self.state.alive):
            self._apply(Observed(group, seen.alive))

    async def batch_for(self, task: Task) -> int | None:
        """The batch that a task is admitted to: the running one or a new one; None outside stt's batches."""
        if task.stage is not Stage.STT or not self.policy.has_batches(self.state.group):
            return None
        if self.state.batch is not None:
            return self.state.batch.id
        batch_id = await self._journal.open_batch(self.policy.batch_size)
        self._apply(BatchOpened(batch_id))
        return batch_id

    async def close_batch(self) -> None:
        """End the running batch, if there is one."""
        if self.state.batch is not None:
            await self._journal.close_batch(self.state.batch.id)
            self._apply(BatchClosed())

    def started(self, task: Task) -> None:
        """Record that an attempt at the task's stage begins."""
        self._apply(AttemptStarted(task.id, task.stage, task.revision))

    def worked(self, stage: Stage) -> None:
        """Record that the engine of a stage gave an outcome: its rest and its alarm end."""
        group = self.policy.group_of(stage)
        self._apply(EngineWorked(group))
        self._recovered(group)

    def failed(self, stage: Stage, fault: Fault) -> None:
        """Record that the engine of a stage is to blame. After a death it is restarted at once."""
        group = self.policy.group_of(stage)
        self._apply(EngineFailed(group, self._clock(), fault.died))
        self._complain(group, fault.message)

    def try_again(self) -> None:
        """End the rest of every group."""
        self._apply(RestsLifted())

    def price_switch(self, seconds: float) -> None:
        """Set the measured duration of one switch."""
        self._apply(SwitchPriced(seconds))

    async def begin(self, switch: Switch, tasks: Sequence[Task]) -> None:
        """Begin to load a group. Reloading the last one continues its batch and its phase.

        `tasks` are all open tasks.
        """
        if ends := leaves(self.state, switch.group):
            await self._leave()
        self._apply(SwitchBegun(switch.group, self._clock()))
        if ends:
            await self._journal.phase_began(switch.group, self.state.extent(tasks))
        self._switch = asyncio.create_task(self._load(switch))
        self._switch.add_done_callback(self._done)

    async def end(self, switched: Switched) -> None:
        """Record how a switch ended."""
        self._switch = None
        group, error = switched.group or NOTHING, switched.error
        self._apply(SwitchEnded(switched.group, self._clock(), switched.seconds, error is not None))
        if error is not None:
            if not isinstance(error, CanaryDrifted):  # which has an alarm of its own
                self._complain(group, str(error))
            return
        self._recovered(group)
        if group:
            await self._journal.phase_ready(switched.seconds, switched.ledger)
        figures = asdict(switched.ledger)
        del figures["holders"]  # a user can be a student, whom no log names
        of = {} if self._name == LOCAL else {"node": self._name}
        log.info("switched", **of, to=sorted(group), seconds=round(switched.seconds, 2), **figures)

    async def stop_switching(self) -> None:
        """Cancel a running switch; engines that it started are left for `aclose` to stop."""
        if self._switch is not None:
            self._switch.cancel()
            await asyncio.gather(self._switch, return_exceptions=True)
            self._switch = None

    async def abandon(self) -> None:
        """End what is recorded as running: the node is gone, or is another's to stop."""
        await self.stop_switching()
        self._alarms.clear(f"node_canary {self._name}")  # of `LentCanary`
        await self._leave()

    async def aclose(self) -> None:
        """End the phase and stop every engine."""
        try:
            await self._leave()
            self._apply(SwitchBegun(None, self._clock()))
            await self._journal.phase_began(None, self.state.extent(()))
        finally:
            await self._node.aclose()

    def _apply(self, event: PhaseEvent) -> None:
        self.state = after(self.state, event)
        self._on_event(event)

    async def _leave(self) -> None:
        await self.close_batch()
        await self._journal.phase_ended()

    async def _load(self, switch: Switch) -> None:
        loop = asyncio.get_running_loop()
        began, ended = loop.time(), None
        error: EngineError | NodeGone | None = None
        ledger = Ledger()
        try:
            await self._prepare(switch.group or NOTHING)
            # What drifted may have been put back on disk, and a server that runs would not notice.
            fresh = switch.fresh or bool(self._canary.drifted & (switch.group or NOTHING))
            ledger = await self._node.ensure(switch.group, fresh=fresh)
            ended = loop.time()  # the canary comes once a day and is no part of a usual switch
            await self._canary.prove(switch.group)
        except (EngineError, NodeGone) as exc:
            error = exc
        except IntroEvalError as exc:
            if self._name == LOCAL:
                raise
            error = EngineError(str(exc))  # another machine's trouble does not end this daemon
        self._on_switched(Switched(self, switch.group, (ended or loop.time()) - began, error, ledger))

    def _done(self, switch: asyncio.Task[None]) -> None:
        if not switch.cancelled() and (error := switch.exception()) is not None:
            self._on_break(error)

    def _complain(self, group: Group, cause: str) -> None:
        self._failing.add(group)
        self._alarms.set(trouble_of(self._alarm(group), cause))

    def _recovered(self, group: Group) -> None:
        """End the alarm of a group, and that of one with its stages that the plan no longer has."""
        over = {each for each in self._failing if each & group and each not in self.policy.residency}
        self._failing -= {group, *over}
        for each in (group, *over):
            self._alarms.clear(self._alarm(each))

    def _alarm(self, group: Group) -> str:
        """The code of the alarm of a group's engine; another machine has one alarm for all."""
        of_group = "engine_" + ("_".join(sorted(group)) or "stop")
        return of_group if self._name == LOCAL else f"node {self._name}"
