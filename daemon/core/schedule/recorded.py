"""What a record of decisions is made of: decisions in short form, and what changes of other nodes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

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
    Why,
)
from daemon.core.schedule.phase_state import Group, PhaseState


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision in short form: `actions` are a kind with a task's id, or with a group's stages."""

    actions: tuple[tuple[str, int | tuple[str, ...] | None], ...]
    why: Why
    wake_at: float | None

    @classmethod
    def of(cls, decision: Decision) -> "Decided":
        """The short form of a decision, for comparison."""
        return cls(tuple(map(_in_brief, decision.actions)), decision.why, decision.wake_at)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The part of a turn that is of other machines' nodes: what was decided for each, and what has changed.

    `nodes` are their names in order; `at` has the node of tasks by their ids, None where none has them.
    """

    nodes: tuple[str, ...] | None = None
    phases: Mapping[str, PhaseState] = field(default_factory=dict)
    policies: Mapping[str, Policy] = field(default_factory=dict)
    leaving: tuple[str, ...] | None = None
    at: Mapping[int, str | None] = field(default_factory=dict)
    decided: Mapping[str, Decided] = field(default_factory=dict)


@dataclass(slots=True)
class Others:
    """What is known of other machines' nodes while a record is written or read."""

    phases: dict[str, PhaseState] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    leaving: tuple[str, ...] = ()
    at: dict[int, str] = field(default_factory=dict)

    def changed(
        self, view: View, policies: Mapping[str, Policy], decisions: Mapping[str, Decision]
    ) -> Elsewhere:
        """What is another now; known from then on."""
        names, leaving = tuple(view.others), tuple(sorted(view.leaving))
        placed = {id_: view.at.get(id_) for id_ in self.at.keys() | view.at.keys()}
        news = Elsewhere(
            nodes=None if names == tuple(self.phases) else names,
            phases={name: phase for name, phase in view.others.items() if self.phases.get(name) != phase},
            policies={name: policies[name] for name in names if self.policies.get(name) != policies[name]},
            leaving=None if leaving == self.leaving else leaving,
            at={id_: node for id_, node in placed.items() if self.at.get(id_) != node},
            decided={name: Decided.of(decisions[name]) for name in names if decisions[name].actions},
        )
        self.take(news)
        return news

    def take(self, news: Elsewhere) -> None:
        """Know what has changed."""
        self.phases |= news.phases
        self.policies |= news.policies
        if news.nodes is not None:
            self.phases = {name: self.phases[name] for name in news.nodes}
            self.policies = {name: self.policies[name] for name in news.nodes}
        self.leaving = self.leaving if news.leaving is None else news.leaving
        for task_id, node in news.at.items():
            if node is None:
                self.at.pop(task_id, None)
            else:
                self.at[task_id] = node


def _in_brief(action: Action) -> tuple[str, int | tuple[str, ...] | None]:
    match action:
        case Switch(group, fresh):
            return "restart" if fresh else "switch", None if group is None else _stages(group)
        case OpenBatch():
            return "open batch", None
        case Release(task):
            return "release", task.id
        case Admit(task):
            return "admit", task.id
        case Start(task):
            return "start", task.id


def _stages(group: Group) -> tuple[str, ...]:
    return tuple(sorted(stage.value for stage in group))
