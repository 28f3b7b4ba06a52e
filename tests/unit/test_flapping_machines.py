"""Machines that join and leave again and again: nothing of them is kept, and the employer hears of each."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any, Self, cast

import pytest

from daemon.cluster.link import RayLink
from daemon.cluster.machines import Machines
from daemon.cluster.values import Machine, MachineFacts, NodeAnswer, NodeSnapshot
from daemon.contracts.ports import Node
from daemon.contracts.signal import Signal
from daemon.contracts.values import NodeState, OnAlarm
from daemon.core.errors import NodeGone
from daemon.core.tasks.task import Stage
from tests.support.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

FACTS = MachineFacts("lab1", "3.11", "2", "1", dict.fromkeys(Stage, "digest"), {}, {}, {})
IDLE = NodeSnapshot(FACTS, NodeState(None, frozenset()), (), {stage: {} for stage in Stage})


class ScriptedLink:
    """A link to machines that a test lets come and go; `open` answers for a machine."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()
        self.why, self.answered = "", True
        self.machines: tuple[Machine, ...] = ()
        self.changed, self.pulsed, self.gone = (
            Signal[[]](),
            Signal[[str, NodeSnapshot]](),
            Signal[[str, str]](),
        )
        self.open: Callable[[str], Awaitable[NodeAnswer]] = self._opened
        self.opened: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        pass

    async def ask(self, machine: str, what: str, *arguments: Any) -> Any:
        if what != "open":
            return None
        self.opened.append(machine)
        return await self.open(machine)

    async def _opened(self, machine: str) -> NodeAnswer:
        return NodeAnswer(None, IDLE)

    def is_opening(self, machine: str) -> bool:
        return self.opened[-1] == machine

    def now(self, *ids: str) -> None:
        """Let these machines be there."""
        self.machines = tuple(Machine(each, "10.0.0.2") for each in ids)
        self.changed()


class Desk:
    """Who gives work."""

    orders = SimpleNamespace(drained=frozenset[str]())

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.joined = 0

    def join(self, name: str, node: Node) -> None:
        assert name not in self.nodes
        self.nodes[name] = node
        self.joined += 1

    def has_joined(self, times: int) -> bool:
        return self.joined == times

    def left(self, name: str) -> None:
        del self.nodes[name]


def looked_after(link: ScriptedLink, desk: Desk, on_alarm: OnAlarm) -> Machines:
    """The machines of a scripted link, which work for `desk`."""

    async def learn() -> Callable[[], MachineFacts]:
        return lambda: FACTS

    return Machines(
        cast(Callable[[], RayLink], lambda: link),
        learn,
        cast(Any, desk),
        lambda ticket, done: None,
        dict,
        lambda made: (),
        on_alarm,
    )


async def test_a_machine_that_comes_and_goes_leaves_nothing() -> None:
    link, desk, stop = ScriptedLink(), Desk(), asyncio.Event()
    alarms: dict[str, Any] = {}
    machines = looked_after(link, desk, lambda code, trouble: alarms.update({code: trouble}))
    running = asyncio.create_task(machines.run(stop))
    for at in range(100):
        link.now(str(at))
        await until(partial(desk.has_joined, at + 1))
        link.now()
        await until(lambda: not desk.nodes)
    assert len(alarms) <= 2, "one for the link and one for the machine"
    assert [line for line in machines.lines if line.standing == "works"] == []

    before = len(asyncio.all_tasks())

    async def never(machine: str) -> NodeAnswer:
        """It leaves while it is being opened."""
        await until(lambda: machine not in {each.id for each in link.machines})
        raise NodeGone("it has left")

    link.open = never
    for at in range(100, 200):
        link.now(str(at))
        await until(partial(link.is_opening, str(at)))
    link.now()
    await until(lambda: len(asyncio.all_tasks()) <= before)
    stop.set()
    await running
    assert len(machines.lines) <= 1


async def test_a_machine_with_the_name_of_another_gets_no_work_and_takes_none_away() -> None:
    link, desk, stop = ScriptedLink(), Desk(), asyncio.Event()
    machines = looked_after(link, desk, lambda code, trouble: None)
    running = asyncio.create_task(machines.run(stop))
    link.now("1")
    await until(lambda: "lab1" in desk.nodes)
    first = desk.nodes["lab1"]
    link.now("1", "2")
    await until(lambda: any("another machine is called lab1" in line.why for line in machines.lines))
    link.pulsed("2", replace(IDLE, facts=replace(FACTS, name="lab2")))
    link.now("1")
    await until(lambda: len(machines.lines) == 1)
    assert desk.nodes == {"lab1": first}
    stop.set()
    await running
