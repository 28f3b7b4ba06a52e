"""A discrete-event simulation that runs `decide` and the lifecycle forward, without a clock.

`simulate` begins with a view, as the supervisor has it, and a script of inputs from outside. Two callables
say how long an attempt or a switch takes, and whether it fails; so the same simulation serves the forecast
(measured durations, no faults), `introeval simulate` (a class of thirty) and the tests (faults of every
kind from a seed). The scheduler, the phase state and the lifecycle are the daemon's own; only the node's
part is simulated here, such as the effects of an engine's death.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from daemon.core.errors import Blame, Fault, NotSettled
from daemon.core.schedule.agenda import Agenda, AttemptEnds, Due, Share, SwitchEnds, Wake, undisturbed
from daemon.core.schedule.cluster import UNSETTLED, decide_all, most_rounds, settled
from daemon.core.schedule.decision import (
    LOCAL,
    Action,
    Admit,
    Decision,
    OpenBatch,
    Policy,
    Release,
    Start,
    Switch,
    View,
)
from daemon.core.schedule.phase_state import (
    NOTHING,
    EngineFailed,
    EngineWorked,
    Group,
    Observed,
)
from daemon.core.schedule.simulated_nodes import SimulatedNodes
from daemon.core.schedule.timetable import (
    AttemptResults,
    Input,
    Mark,
    SwitchResult,
    SwitchResults,
    Timetable,
    TimetableEntry,
    What,
)
from daemon.core.tasks.lifecycle import RetryPolicy, advance, after_fault
from daemon.core.tasks.task import FINAL, PENDING, RUNNING, Event, Stage, Task

OnDecision = Callable[[View, Decision], None]
"""Called with each decision and the view that led to it."""


def simulate(
    view: View,
    policy: Policy | Mapping[str, Policy],
    *,
    tries: AttemptResults,
    loads: SwitchResults,
    script: Iterable[Input] = (),
    retry: RetryPolicy | None = None,
    until: float = math.inf,
    watch: OnDecision | None = None,
    under_way: SwitchResult | None = None,
    share: Share = undisturbed,
) -> Timetable:
    """Run the simulation from `view` until nothing more can happen, or until the time `until`.

    `policy` is that of every node, or has one for each by its name. A switch that is under way in `view`
    continues to `last_group` as `under_way` says; without that it counts as not begun. `share` slows attempts
    beside others; the seconds that `tries` gives are those alone.
    Raises NotSettled when the scheduler does not settle at an instant, an error of its rules.
    """
    policies = policy if isinstance(policy, Mapping) else defaultdict(lambda: policy)
    world = _World(view, SimulatedNodes(policies), tries, loads, retry or RetryPolicy(), Agenda(share))
    for event in sorted(script, key=lambda event: event.at):
        world.agenda.put(event.at, event)
    if under_way is not None:
        for name, phase in view.nodes.items():
            if phase.switching:
                world.begin_switch(name, phase.last_group, under_way)
    world.run(until, watch)
    return Timetable(view.now, tuple(world.entries), dict(world.tasks))


@dataclass
class _World:
    """The state of the simulation. `view` is what the next decision sees, without the tasks."""

    view: View
    nodes: SimulatedNodes
    tries: AttemptResults
    loads: SwitchResults
    retry: RetryPolicy
    agenda: Agenda
    tasks: dict[int, Task] = field(default_factory=dict)
    entries: list[TimetableEntry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tasks = {task.id: task for task in self.view.tasks}
        self.nodes.begin(self.view)
        for task in self.view.tasks:
            if task.status in RUNNING:
                self._expect(task)

    @property
    def now(self) -> float:
        return self.view.now

    def run(self, until: float, watch: OnDecision | None) -> None:
        """Process what is due, one entry after the other, with the decisions that each leads to."""
        self._decide(watch)
        while (due_at := self.agenda.pop(until)) is not None:
            at, due = due_at
            self.view = replace(self.view, now=max(at, self.now))
            self._meet(due)
            self._decide(watch)

    def _decide(self, watch: OnDecision | None) -> None:
        for _ in range(most_rounds(len(self.nodes.phases))):
            open_tasks = [task for task in self.tasks.values() if task.status not in FINAL]
            view = self.nodes.seen(replace(self.view, tasks=open_tasks))
            decisions = decide_all(view, self.nodes.policies)
            for node, decision in decisions.items():
                if watch is not None:
                    watch(view, decision)
                for action in decision.actions:
                    self._act(node, action)
            if all(settled(decision) for decision in decisions.values()):
                for decision in decisions.values():
                    self.agenda.wake(decision.wake_at)
                return
        raise NotSettled(UNSETTLED)

    def _act(self, node: str, action: Action) -> None:
        match action:
            case Release(task):
                self._move(task.id, Event.RELEASED)
            case Admit(task):
                self.nodes.at[task.id] = node
                self._move(task.id, Event.ADMITTED, self.nodes.batch_for(node, task))
            case Start(task):
                self.nodes.at[task.id] = node
                self._start(node, task.id)
            case OpenBatch():
                self.nodes.close_batch(node)
            case Switch(group):
                self.begin_switch(node, group, self.loads(self.nodes.phases[node].last_group, group))

    def _start(self, node: str, task_id: int) -> None:
        task = self._move(task_id, Event.STARTED)
        self.nodes.started(node, task)
        self._expect(task)

    def _expect(self, task: Task) -> None:
        self.agenda.begin((self.nodes.at[task.id], task.stage), task.id, self.tries(task), self.now)

    def begin_switch(self, node: str, group: Group | None, load: SwitchResult) -> None:
        self.nodes.begin_switch(node, group, self.now)
        self._log(Mark.SWITCHING, group=group, node=node)
        self.agenda.put(self.now + load.seconds, SwitchEnds(node, self.nodes.lives[node], group, load))

    # Entries that are due.

    def _meet(self, due: Due) -> None:
        match due:
            case Input():
                self._meet_input(due)
            case AttemptEnds():
                self._end_attempt(due)
            case SwitchEnds():
                self._end_switch(due)
            case Wake():
                pass  # only an occasion to decide

    def _end_switch(self, due: SwitchEnds) -> None:
        if due.life != self.nodes.lives[due.node]:
            return
        failed = due.load.failed
        self.nodes.end_switch(due.node, due.group, self.now, due.load)
        self._log(Mark.LOAD_FAILED if failed else Mark.LOADED, group=due.group, node=due.node)

    def _end_attempt(self, due: AttemptEnds) -> None:
        task = self.tasks[due.task_id]
        node, fault = self.nodes.at[task.id], due.result.fault
        if fault is None:
            self.nodes.apply(node, EngineWorked(self.nodes.group_of(task)))
            self._move(task.id, Event.CANCELLED if task.cancel_requested else due.result.success(task.stage))
        elif fault.died:
            self._die(node, task.stage, fault)
        else:
            self._fail(task, fault)

    def _die(self, node: str, stage: Stage, fault: Fault) -> None:
        """The engine of `stage` ends, with all that it had in hand; the others of its group live on."""
        phase = self.nodes.phases[node]
        self.nodes.apply(node, Observed(None, ((phase.group or NOTHING) | phase.alive) - {stage}))
        self._log(Mark.ENGINE_DIED, group=self.nodes.policies[node].group_of(stage), node=node)
        for task in list(self.tasks.values()):
            if task.status in RUNNING and task.stage is stage and self.nodes.at[task.id] == node:
                self._fail(task, fault)

    def _fail(self, task: Task, fault: Fault) -> None:
        node = self.nodes.at[task.id]
        group = self.nodes.group_of(task)
        if fault.blame is Blame.ENGINE:
            self.nodes.apply(node, EngineFailed(group, self.now, fault.died))
        event, failed = after_fault(task, fault, self.now, self.retry)
        self._keep(event, failed)
        if fault.died and event is Event.FAILED:  # the video is to blame, not the engine
            self.nodes.apply(node, EngineWorked(group))

    def _meet_input(self, due: Input) -> None:
        match due.what:
            case What.ARRIVE:
                self._arrive(due)
            case What.HOLD | What.UNHOLD | What.NEXT:
                self._ask(due.task_id, due.what)
            case What.CANCEL:
                self._cancel(due.task_id)
            case What.PAUSE | What.RESUME:
                self.view = replace(self.view, paused=due.what is What.PAUSE)
            case What.GO:
                self.view = replace(self.view, go_at=self.now)
            case What.DRAIN:
                self.view = replace(self.view, draining=True)
            case What.JOIN:
                self.nodes.join(due.node)
            case What.GONE:
                self._lose(due.node)
            case What.CRASH:
                self._crash()

    def _arrive(self, due: Input) -> None:
        if due.task is None or self.view.draining:
            return
        self.tasks[due.task.id] = due.task
        self._log(Mark.ARRIVED, due.task)
        self.view = replace(self.view, last_claim_at=max(self.view.last_claim_at, due.task.claimed_at))

    def _open_task(self, task_id: int | None) -> Task | None:
        task = self.tasks.get(task_id) if task_id is not None else None
        return None if task is None or task.status in FINAL else task

    def _ask(self, task_id: int | None, what: What) -> None:
        if (task := self._open_task(task_id)) is not None:
            first_at = self.now if what is What.NEXT else task.first_at
            self.tasks[task.id] = replace(task, held=what is What.HOLD, first_at=first_at)

    def _cancel(self, task_id: int | None) -> None:
        if (task := self._open_task(task_id)) is None:
            return
        if task.status in RUNNING and task.stage is Stage.STT:
            self.tasks[task.id] = replace(task, cancel_requested=True)
        else:
            self._move(task.id, Event.CANCELLED)

    def _crash(self) -> None:
        self.nodes.crash()
        self.view = View(self.now, (), paused=self.view.paused, last_claim_at=self.view.last_claim_at)
        self._log(Mark.CRASHED)
        self._give_back(list(self.tasks))
        self.nodes.at.clear()

    def _lose(self, node: str) -> None:
        """A node is gone: what it had in hand waits again, and nobody is to blame."""
        self._log(Mark.NODE_GONE, node=node)
        had = self.nodes.lose(node)
        self._give_back(had)
        for task_id in had:
            self.nodes.at.pop(task_id, None)

    def _give_back(self, task_ids: Iterable[int]) -> None:
        for task in [self.tasks[task_id] for task_id in task_ids]:
            if task.status in RUNNING | PENDING:
                self._move(task.id, Event.CANCELLED if task.cancel_requested else Event.RELEASED)

    # The only place that changes a task's status.

    def _move(self, task_id: int, event: Event, batch_id: int | None = None) -> Task:
        return self._keep(event, advance(self.tasks[task_id], event, batch_id=batch_id))

    def _keep(self, event: Event, after: Task) -> Task:
        before = self.tasks[after.id]
        if before.status in RUNNING:
            self.agenda.end((self.nodes.at[before.id], before.stage), before.id, self.now)
        self.tasks[after.id] = after
        self._log(event, after, node=self.nodes.at.get(after.id, LOCAL))
        if after.status in FINAL:
            self.nodes.at.pop(after.id, None)
        return after

    def _log(
        self, what: Event | Mark, task: Task | None = None, group: Group | None = None, node: str = LOCAL
    ) -> None:
        self.entries.append(TimetableEntry(self.now, what, task, group, node))
