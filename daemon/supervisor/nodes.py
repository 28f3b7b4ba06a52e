"""The nodes that are given work: that of this machine, and those of other machines that have joined."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from daemon.contracts.ports import Lender, Node
from daemon.contracts.values import NodePlan
from daemon.core.schedule.decision import LOCAL, Policy
from daemon.core.schedule.phase_state import PhaseState
from daemon.supervisor.phases import Phases


@dataclass(frozen=True, slots=True)
class NodeJoined:
    """A node is there, and may be given work."""

    name: str
    node: Lender


@dataclass(frozen=True, slots=True)
class NodeLeft:
    """A node is there no longer, or may be given no work."""

    name: str


@dataclass(frozen=True, slots=True)
class NodeLost:
    """An attempt found that its node is gone."""

    node: Node
    why: str


OfNode = NodeJoined | NodeLeft | NodeLost


@dataclass(frozen=True, slots=True)
class Employed:
    """A node and its phases."""

    node: Node
    phases: Phases


class Nodes:
    """The nodes by their names, this machine's first, and which of them has or had each open task."""

    def __init__(
        self,
        node: Node,
        phases: Phases,
        employ: Callable[[str, Lender], Phases],
        fit: Callable[[NodePlan], Policy],
    ) -> None:
        """`employ` makes the phases of a node that joins, `fit` the policy that its plan asks for."""
        self._employed = {LOCAL: Employed(node, phases)}
        self._employ, self._fit = employ, fit
        self._plans: dict[str, tuple[Lender, NodePlan | None]] = {}
        self._at: dict[int, str] = {}

    def __getitem__(self, name: str) -> Employed:
        """A node that is there."""
        return self._employed[name]

    @property
    def phases(self) -> Mapping[str, Phases]:
        """The phases of each node, by its name."""
        return {name: employed.phases for name, employed in self._employed.items()}

    @property
    def others(self) -> Mapping[str, PhaseState]:
        """The phase state of each node of another machine, by its name."""
        return {name: phases.state for name, phases in self.phases.items() if name != LOCAL}

    @property
    def at(self) -> Mapping[int, str]:
        """The node that has or had each task in hand; nothing where there is only one node."""
        return dict(self._at) if len(self._employed) > 1 else {}

    @property
    def switching(self) -> bool:
        """Whether one of them is loading a group."""
        return any(phases.state.switching for phases in self.phases.values())

    def of(self, task_id: int) -> str:
        """The node that has or had the task."""
        return self._at.get(task_id, LOCAL)

    def lender(self, task_id: int) -> str | None:
        """The other machine's node that has or had the task; None where that is this machine's."""
        name = self.of(task_id)
        return None if name == LOCAL else name

    def place(self, task_id: int, name: str) -> None:
        """Note which node has the task now."""
        self._at[task_id] = name

    def ended(self, task_ids: Iterable[int]) -> None:
        """Forget where tasks were that are open no longer."""
        for task_id in task_ids:
            self._at.pop(task_id, None)

    def having(self, *, phases: Phases | None = None, node: Node | None = None) -> str | None:
        """The name of the node that is this one, or has these phases; None where it is gone."""
        found = (n for n, employed in self._employed.items() if employed.node is node)
        if phases is not None:
            found = (n for n, employed in self._employed.items() if employed.phases is phases)
        return next(found, None)

    @property
    def policies(self) -> Mapping[str, Policy]:
        """The policy of each node, by its name."""
        return {name: phases.policy for name, phases in self.phases.items()}

    def follow_plans(self) -> None:
        """Fit the policies of the nodes whose own plan has changed."""
        for name, (node, known) in self._plans.items():
            if node.plan != known:
                self._follow(name, node)

    def replan(self, policy: Policy) -> None:
        """Use another policy of this machine from now on, and fit those of the others anew."""
        self[LOCAL].phases.policy = policy
        for name, (node, _) in self._plans.items():
            self._follow(name, node)

    def _follow(self, name: str, node: Lender) -> None:
        plan = node.plan
        self._plans[name] = node, plan
        self[name].phases.policy = self[LOCAL].phases.policy if plan is None else self._fit(plan)

    def join(self, name: str, node: Lender) -> None:
        """Add a node. It counts as loaded at the pace of this machine until it is measured."""
        phases = self._employ(name, node)
        phases.price_switch(self[LOCAL].phases.state.switch_s)
        self._employed[name] = Employed(node, phases)
        self._follow(name, node)

    def forget(self, name: str) -> tuple[Phases, list[int]]:
        """Remove a node. Gives its phases, and the ids of the tasks that it had."""
        gone = self._employed.pop(name)
        del self._plans[name]
        had = [task_id for task_id, at in self._at.items() if at == name]
        self.ended(had)
        return gone.phases, had
