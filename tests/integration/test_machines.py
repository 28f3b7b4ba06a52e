"""The machines that have joined, without Ray: how each is shown, and which alarms there are."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from daemon.cluster.link import RayLink
from daemon.cluster.machines import Machines
from daemon.cluster.values import Machine, MachineFacts, NodeAnswer, NodeSnapshot, oddity
from daemon.contracts.ledger import Ledger
from daemon.contracts.signal import Signal
from daemon.contracts.values import NodePlan, NodeState
from daemon.core.alarms import Trouble, trouble
from daemon.core.errors import IllegalTransition
from daemon.core.tasks.task import Stage
from tests.integration.test_cluster import Desk
from tests.support.ray_lab import FACTS
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


@dataclass
class ScriptedLink:
    """Stands for `RayLink`: the machines, and what each says of itself."""

    snapshots: dict[str, NodeSnapshot] = field(default_factory=dict)
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    why: str = ""
    answered: bool = True
    changed: Signal[[]] = field(default_factory=Signal[[]])
    pulsed: Signal[[str, NodeSnapshot]] = field(default_factory=Signal[[str, NodeSnapshot]])
    gone: Signal[[str, str]] = field(default_factory=Signal[[str, str]])

    @property
    def machines(self) -> tuple[Machine, ...]:
        return tuple(Machine(name, "10.0.0.2") for name in self.snapshots)

    async def __aenter__(self) -> "ScriptedLink":
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def ask(self, machine: str, what: str, *arguments: Any) -> NodeAnswer:
        return NodeAnswer(Ledger(), self.snapshots[machine])

    def joins(self, name: str, *troubles: Trouble) -> None:
        idle = NodeState(None, frozenset())
        facts = replace(FACTS, name=name)
        self.snapshots[name] = NodeSnapshot(facts, idle, (), {stage: {} for stage in Stage}, {}, troubles)
        self.changed()

    def leaves(self, name: str) -> None:
        del self.snapshots[name]
        self.changed()

    def loads(self, name: str, stage: Stage, digest: str) -> None:
        before = self.snapshots[name]
        facts = replace(before.facts, loaded={**before.facts.loaded, stage: digest})
        self.snapshots[name] = replace(before, facts=facts)
        self.pulsed(name, self.snapshots[name])

    def says(self, name: str, *troubles: Trouble) -> None:
        self.snapshots[name] = replace(self.snapshots[name], troubles=troubles)
        self.pulsed(name, self.snapshots[name])


@asynccontextmanager
async def joined(*names: str) -> AsyncIterator[tuple[ScriptedLink, Machines, Desk]]:
    link, desk, stop = ScriptedLink(), Desk(), asyncio.Event()

    async def learn() -> Callable[[], MachineFacts]:
        return lambda: replace(FACTS, loaded={Stage.RATE: "sha256:here"})

    machines = Machines(
        lambda: cast(RayLink, link), learn, desk, lambda ticket, done: None, dict, lambda made: (), desk.alarm
    )
    for name in names:
        link.joins(name)
    running = asyncio.create_task(machines.run(stop))
    try:
        await until(lambda: desk.nodes.keys() == set(names))
        yield link, machines, desk
    finally:
        stop.set()
        await running


def standings(machines: Machines) -> list[tuple[str, str]]:
    return [(line.name, line.standing) for line in machines.lines]


async def test_a_machine_that_goes_is_shown_as_away_until_it_is_back() -> None:
    async with joined("lab2", "lab3") as (link, machines, desk):
        link.leaves("lab2")
        await until(lambda: desk.nodes.keys() == {"lab3"})
        assert standings(machines) == [("lab2", "away"), ("lab3", "works")]
        assert machines.lines[0].why == "it has left"
        assert desk.alarms.keys() == {"node lab2"}
        link.joins("lab2")
        await until(lambda: "lab2" in desk.nodes)
        assert standings(machines) == [("lab2", "works"), ("lab3", "works")]
        assert desk.alarms == {}


async def test_a_machine_that_drains_may_be_switched_off_without_an_alarm() -> None:
    async with joined("lab2") as (link, machines, desk):
        await machines.drain("lab2", on=True, actor="op")
        assert standings(machines) == [("lab2", "draining")]
        link.leaves("lab2")
        await until(lambda: not desk.nodes)
        assert standings(machines) == [("lab2", "away")]
        assert desk.alarms == {}
        await machines.drain("lab2", on=False, actor="op")
        assert desk.orders.drained == ()
        with pytest.raises(IllegalTransition, match="no machine 'lab9' has joined"):
            await machines.drain("lab9", on=True, actor="op")


async def test_a_model_with_other_weights_under_the_same_name_is_seen_once_it_is_loaded() -> None:
    async with joined("lab2", "lab3") as (link, machines, desk):
        link.loads("lab2", Stage.RATE, "sha256:there")
        link.loads("lab3", Stage.RATE, "sha256:here")
        link.loads("lab3", Stage.EXTRACT, "sha256:not-loaded-here")
        await until(lambda: desk.nodes.keys() == {"lab3"})
        assert standings(machines) == [("lab2", "differs"), ("lab3", "works")]
        why = (
            "other weights for rate under the same name (sha256:there instead of sha256:here; pull them there"
        )
        assert why in desk.alarms["node lab2"].cause
        link.loads("lab2", Stage.RATE, "sha256:here")
        await until(lambda: desk.nodes.keys() == {"lab2", "lab3"})
        assert desk.alarms == {}


async def test_a_machine_that_leaves_takes_along_why_it_was_given_no_work() -> None:
    async with joined("lab2") as (link, machines, desk):
        link.loads("lab2", Stage.RATE, "sha256:there")
        await until(lambda: "node lab2" in desk.alarms)
        link.leaves("lab2")
        await until(lambda: not machines.lines)
        assert desk.alarms == {}


async def test_a_machine_that_failed_and_was_drained_leaves_without_an_alarm() -> None:
    async with joined("lab2") as (link, machines, desk):
        desk.alarm("node lab2", trouble("node lab2", "at lab2: no container"))
        await machines.drain("lab2", on=True, actor="op")
        link.leaves("lab2")
        await until(lambda: not desk.nodes)
        assert desk.alarms == {}


async def test_what_is_wrong_at_a_machine_is_an_alarm_here_for_as_long_as_it_lasts() -> None:
    slow = trouble("degraded_rate", "half of the model runs on the processor")
    async with joined("lab2") as (link, _, desk):
        link.says("lab2", slow)
        assert desk.alarms["node lab2 degraded_rate"].cause == f"at lab2: {slow.cause}"
        link.says("lab2")
        assert desk.alarms == {}
        link.says("lab2", slow)
        link.leaves("lab2")
        await until(lambda: not desk.nodes)
        assert desk.alarms.keys() == {"node lab2"}


EACH = dict.fromkeys(Stage, 1)


@pytest.mark.parametrize(
    "plan",
    [
        NodePlan((frozenset({Stage.STT}),), EACH),
        NodePlan((frozenset(Stage), frozenset({Stage.STT})), EACH),
        NodePlan((frozenset(Stage),), {Stage.STT: 1}),
        NodePlan((frozenset(Stage),), {**EACH, Stage.RATE: 0}),
        NodePlan((frozenset(Stage), frozenset()), EACH),
        NodePlan((), {}),
    ],
    ids=["too few", "twice", "without a number", "none at a time", "an empty group", "empty"],
)
def test_a_machine_whose_plan_could_not_be_followed_is_refused(plan: NodePlan) -> None:
    facts = replace(FACTS, name="lab2")
    told = NodeSnapshot(facts, NodeState(None, frozenset()), (), {stage: {} for stage in Stage})
    assert oddity(told) == oddity(replace(told, plan=NodePlan((frozenset(Stage),), EACH))) == ""
    assert "another version" in oddity(replace(told, plan=plan))
