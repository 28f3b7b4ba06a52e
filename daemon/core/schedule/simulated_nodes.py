"""The nodes of a simulation: the phase of each, and what each has in hand."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from daemon.core.schedule.decision import LOCAL, Policy, View
from daemon.core.schedule.phase_state import (
    NOTHING,
    AttemptStarted,
    BatchClosed,
    BatchOpened,
    Group,
    Observed,
    PhaseEvent,
    PhaseState,
    SwitchBegun,
    SwitchEnded,
    after,
)
from daemon.core.schedule.timetable import SwitchResult
from daemon.core.tasks.task import Stage, Task


@dataclass
class SimulatedNodes:
    """`at` is where each task is or was in hand; `lives` counts the ends of a node, which void its switch."""

    policies: Mapping[str, Policy]
    phases: dict[str, PhaseState] = field(default_factory=dict)
    at: dict[int, str] = field(default_factory=dict)
    lives: Counter[str] = field(default_factory=Counter)
    batches: int = 0

    def begin(self, view: View) -> None:
        """Take the nodes of a view. A switch under way counts as not begun."""
        for name, phase in view.nodes.items():
            self.batches = max(self.batches, phase.batch.id if phase.batch else 0)
            self.phases[name] = replace(phase, switching_since=None)
            if not phase.switching and phase.group is not None:
                self.phases[name] = replace(self.phases[name], last_group=phase.group)
        placed = {task.id: view.node_of(task) for task in view.tasks}
        self.at = {task_id: node for task_id, node in placed.items() if node is not None}

    def seen(self, view: View) -> View:
        """The view with the nodes as they are now."""
        others = {name: phase for name, phase in self.phases.items() if name != LOCAL}
        return replace(view, phase=self.phases[LOCAL], others=others, at=self.at)

    def apply(self, node: str, event: PhaseEvent) -> None:
        """Change the phase of a node."""
        self.phases[node] = after(self.phases[node], event)

    def group_of(self, task: Task) -> Group:
        """The group in which the task's node loads the engine of its stage."""
        return self.policies[self.at[task.id]].group_of(task.stage)

    def batch_for(self, node: str, task: Task) -> int | None:
        """The batch that a task is admitted to, as in the supervisor's phases."""
        phase = self.phases[node]
        if task.stage is not Stage.STT or not self.policies[node].has_batches(phase.group):
            return None
        if phase.batch is None:
            self.batches += 1
            self.apply(node, BatchOpened(self.batches))
            return self.batches
        return phase.batch.id

    def close_batch(self, node: str) -> None:
        """End the running batch of a node."""
        self.apply(node, BatchClosed())

    def started(self, node: str, task: Task) -> None:
        """An attempt at the task's stage begins."""
        self.apply(node, AttemptStarted(task.id, task.stage, task.revision))

    def begin_switch(self, node: str, group: Group | None, now: float) -> None:
        """A switch begins: nothing is loaded until it ends."""
        self.apply(node, SwitchBegun(group, now))
        self.apply(node, Observed(None))

    def end_switch(self, node: str, group: Group | None, now: float, load: SwitchResult) -> None:
        """A switch ends; one that failed leaves nothing loaded."""
        self.apply(node, SwitchEnded(group, now, load.seconds, load.failed))
        if not load.failed:
            self.apply(node, Observed(group, group or NOTHING))

    def join(self, node: str) -> None:
        """Add a node on which nothing is loaded."""
        self.phases.setdefault(node, PhaseState(switch_s=self.phases[LOCAL].switch_s))

    def lose(self, node: str) -> list[int]:
        """Forget a node. Gives the ids of the tasks that it had."""
        self.lives[node] += 1
        self.phases.pop(node, None)
        return [task_id for task_id, at in self.at.items() if at == node]

    def crash(self) -> None:
        """Forget what every node had loaded."""
        self.lives.update(self.phases.keys())
        self.phases = {name: PhaseState(switch_s=phase.switch_s) for name, phase in self.phases.items()}
