"""A discrete-event simulation that runs `decide` and the lifecycle forward, without a clock.

`simulate` begins with a view, as the supervisor has it, and a script of inputs from outside. Two callables
say how long an attempt or a switch takes, and whether it fails; so the same simulation serves the forecast
(measured durations, no faults), `introeval simulate` (a class of thirty) and the tests (faults of every
kind from a seed). The scheduler, the phase state and the lifecycle are the daemon's own; only the node's
part is simulated here, such as the effects of an engine's death.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from daemon.core.errors import Blame, Fault
from daemon.core.schedule.agenda import Agenda, AttemptEnds, Due, Share, SwitchEnds, Wake, undisturbed
from daemon.core.schedule.decision import (
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
    AttemptStarted,
    BatchClosed,
    BatchOpened,
    EngineFailed,
    EngineWorked,
    Group,
    Observed,
    PhaseEvent,
    PhaseState,
    SwitchBegun,
    SwitchEnded,
    after,
)
from daemon.core.schedule.scheduler import decide
from daemon.core.schedule.timetable import Attempt, Input, Mark, SwitchResult, Timetable, TimetableEntry, What
from daemon.core.tasks.lifecycle import RetryPolicy, advance, after_fault
from daemon.core.tasks.task import FINAL, PENDING, RUNNING, Event, Stage, Task

_MOST_DECISIONS = 6  # after one event; one or two with actions are normal, and one without

AttemptResults = Callable[[Task], Attempt]
"""Gives the course of the attempt that `task` has just begun."""
SwitchResults = Callable[[Group | None, Group | None], SwitchResult]
"""Gives the course of the switch from the group requested last to the next."""
OnDecision = Callable[[View, Decision], None]
"""Called with each decision and the view that led to it."""


def simulate(
    view: View,
    policy: Policy,
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

    A switch that is under way in `view` continues to `last_group` as `under_way` says; without that it counts
    as not begun. `share` slows attempts beside others; the seconds that `tries` gives are those alone.
    Raises RuntimeError when the scheduler does not settle at an instant, an error of its rules.
    """
    world = _World(view, policy, tries, loads, retry or RetryPolicy(), Agenda(share))
    for event in sorted(script, key=lambda event: event.at):
        world.agenda.put(event.at, event)
    if view.phase.switching and under_way is not None:
        world.begin_switch(world.phase.last_group, under_way)
    world.run(until, watch)
    return Timetable(view.now, tuple(world.entries), dict(world.tasks))


@dataclass
class _World:
    """The state of the simulation. `view` is what the next decision sees, without the tasks."""

    view: View
    policy: Policy
    tries: AttemptResults
    loads: SwitchResults
    retry: RetryPolicy
    agenda: Agenda
    tasks: dict[int, Task] = field(default_factory=dict)
    entries: list[TimetableEntry] = field(default_factory=list)
    phase: PhaseState = field(init=False)
    batches: int = 0
    life: int = 0

    def __post_init__(self) -> None:
        self.tasks = {task.id: task for task in self.view.tasks}
        phase = self.view.phase
        self.batches = phase.batch.id if phase.batch else 0
        self.phase = replace(phase, switching_since=None)
        if not phase.switching and phase.group is not None:
            self.phase = replace(self.phase, last_group=phase.group)
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
        for _ in range(_MOST_DECISIONS):
            open_tasks = [task for task in self.tasks.values() if task.status not in FINAL]
            view = replace(self.view, tasks=open_tasks, phase=self.phase)
            decision = decide(view, self.policy)
            if watch is not None:
                watch(view, decision)
            for action in decision.actions:
                self._act(action)
            # As in the supervisor: after an action that takes time, the next event decides again.
            if not decision.actions or isinstance(decision.actions[-1], Start | Switch):
                self.agenda.wake(decision.wake_at)
                return
        raise RuntimeError(f"the scheduler does not settle at {self.now}")

    # Actions.

    def _act(self, action: Action) -> None:
        match action:
            case Release(task):
                self._move(task.id, Event.RELEASED)
            case Admit(task):
                self._move(task.id, Event.ADMITTED, self._batch_for(task))
            case Start(task):
                self._start(task.id)
            case OpenBatch():
                self._apply(BatchClosed())
            case Switch(group):
                self.begin_switch(group, self.loads(self.phase.last_group, group))

    def _start(self, task_id: int) -> None:
        task = self._move(task_id, Event.STARTED)
        self._apply(AttemptStarted(task.id, task.stage, task.revision))
        self._expect(task)

    def _expect(self, task: Task) -> None:
        self.agenda.begin(task.stage, task.id, self.tries(task), self.now)

    def _batch_for(self, task: Task) -> int | None:
        if task.stage is not Stage.STT or not self.policy.has_batches(self.phase.group):
            return None
        if self.phase.batch is None:
            self.batches += 1
            self._apply(BatchOpened(self.batches))
        return self.phase.batch.id if self.phase.batch else None

    def begin_switch(self, group: Group | None, load: SwitchResult) -> None:
        self._apply(SwitchBegun(group, self.now))
        self._apply(Observed(None))
        self._log(Mark.SWITCHING, group=group)
        self.agenda.put(self.now + load.seconds, SwitchEnds(self.life, group, load))

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
        if due.life != self.life:
            return
        failed = due.load.failed
        self._apply(SwitchEnded(due.group, self.now, due.load.seconds, failed))
        if not failed:
            self._apply(Observed(due.group, due.group or NOTHING))
        self._log(Mark.LOAD_FAILED if failed else Mark.LOADED, group=due.group)

    def _end_attempt(self, due: AttemptEnds) -> None:
        task = self.tasks[due.task_id]
        fault = due.result.fault
        if fault is None:
            self._apply(EngineWorked(self.policy.group_of(task.stage)))
            self._move(task.id, Event.CANCELLED if task.cancel_requested else _success(task, due.result))
        elif fault.died:
            self._die(task.stage, fault)
        else:
            self._fail(task, fault)

    def _die(self, stage: Stage, fault: Fault) -> None:
        """The engine of `stage` ends, with all that it had in hand; the others of its group live on."""
        self._apply(Observed(None, ((self.phase.group or NOTHING) | self.phase.alive) - {stage}))
        self._log(Mark.ENGINE_DIED, group=self.policy.group_of(stage))
        for task in list(self.tasks.values()):
            if task.status in RUNNING and task.stage is stage:
                self._fail(task, fault)

    def _fail(self, task: Task, fault: Fault) -> None:
        group = self.policy.group_of(task.stage)
        if fault.blame is Blame.ENGINE:
            self._apply(EngineFailed(group, self.now, fault.died))
        event, failed = after_fault(task, fault, self.now, self.retry)
        self._keep(event, failed)
        if fault.died and event is Event.FAILED:  # the video is to blame, not the engine
            self._apply(EngineWorked(group))

    def _apply(self, event: PhaseEvent) -> None:
        self.phase = after(self.phase, event)

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
        self.life += 1
        self.phase = PhaseState(switch_s=self.phase.switch_s)
        self.view = View(self.now, (), paused=self.view.paused, last_claim_at=self.view.last_claim_at)
        self._log(Mark.CRASHED)
        for task in list(self.tasks.values()):
            if task.status in RUNNING | PENDING:
                self._move(task.id, Event.CANCELLED if task.cancel_requested else Event.RELEASED)

    # The only place that changes a task's status.

    def _move(self, task_id: int, event: Event, batch_id: int | None = None) -> Task:
        return self._keep(event, advance(self.tasks[task_id], event, batch_id=batch_id))

    def _keep(self, event: Event, after: Task) -> Task:
        before = self.tasks[after.id]
        if before.status in RUNNING:
            self.agenda.end(before.stage, before.id, self.now)
        self.tasks[after.id] = after
        self._log(event, after)
        return after

    def _log(self, what: Event | Mark, task: Task | None = None, group: Group | None = None) -> None:
        self.entries.append(TimetableEntry(self.now, what, task, group))


def _success(task: Task, result: Attempt) -> Event:
    if task.stage is Stage.STT:
        return Event.UNSCORABLE if result.unscorable else Event.TRANSCRIBED
    return Event.EXTRACTED if task.stage is Stage.EXTRACT else Event.RATED
