"""The machines that have joined: which of them work for the class, and why another does not."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import structlog

from daemon.cluster.link import RayLink
from daemon.cluster.ray_node import RayNode
from daemon.cluster.values import Machine, MachineFacts, NodeSnapshot, differences
from daemon.contracts.ports import Lender
from daemon.contracts.values import Fitness, OnAlarm, OnProgress, Orders
from daemon.contracts.wire.status import NodeLine, NodeStanding
from daemon.core.alarms import Trouble, trouble
from daemon.core.errors import IllegalTransition, IntroEvalError
from daemon.core.schedule.decision import LOCAL
from daemon.core.tasks.task import Stage
from daemon.system.waits import happens, waking

log = structlog.get_logger()

_AGAIN_S = 2.0  # until a lost head is looked for again
_RETRY_S = 30.0  # until a machine that can't work is asked again


class Employer(Protocol):
    """The supervisor, as who gives work to nodes."""

    def join(self, name: str, node: Lender) -> None:
        """Give work to a node from now on."""
        ...

    def left(self, name: str) -> None:
        """Give up what a node had in hand, and give it no more."""
        ...

    async def drain(self, name: str, *, on: bool, actor: str | None = None) -> None:
        """Let a node finish what it has in hand, and give it no more; or, not `on`, give it work again."""
        ...

    @property
    def orders(self) -> Orders:
        """The operator's orders, which name the machines that get no more work."""
        ...


@dataclass
class _Member:
    machine: Machine
    standing: NodeStanding = "joining"
    why: str = ""
    name: str = ""
    node: RayNode | None = None
    again_at: float = 0.0
    opening: asyncio.Task[None] | None = None
    employed: bool = False
    troubles: dict[str, Trouble] = field(default_factory=dict)


class Machines:
    """Takes each machine that joins, has it work if its results would be as ours, and gives up what is gone.

    `make_link` connects to Ray's head; `learn` finds out what must be the same; the others are RayNode's.
    """

    def __init__(
        self,
        make_link: Callable[[], RayLink],
        learn: Callable[[], Awaitable[Callable[[], MachineFacts]]],
        employer: Employer,
        progress: OnProgress,
        longest: Callable[[], Mapping[Stage, int]],
        fitness: Fitness,
        on_alarm: OnAlarm,
    ) -> None:
        self._make_link, self._learn, self._employer, self._on_alarm = make_link, learn, employer, on_alarm
        self._open_node = partial(RayNode.open, progress=progress, longest=longest, fitness=fitness)
        self._members: dict[str, _Member] = {}
        self._away: dict[str, NodeLine] = {}
        self._woken = asyncio.Event()

    @property
    def lines(self) -> list[NodeLine]:
        """Each machine as the operator sees it, by name; those that worked and are gone, too."""
        here = [self._line(member) for member in self._members.values()]
        names = {line.name for line in here}
        away = [line for name, line in self._away.items() if name not in names]
        return sorted((*here, *away), key=lambda line: (line.name, line.address))

    def _line(self, member: _Member) -> NodeLine:
        seen = member.node.snapshot if member.node is not None else None
        line = NodeLine(
            name=member.name,
            address=member.machine.address,
            standing=member.standing,
            why=member.why,
            engines=list(seen.reports) if seen is not None else [],
            gpu=seen.gpu if seen is not None else None,
        )
        if member.standing == "works" and member.name in self._employer.orders.drained:
            return line.model_copy(update={"standing": "draining", "why": "an operator asked for it"})
        return line

    async def drain(self, name: str, *, on: bool, actor: str) -> None:
        """Give a machine no more work, or again. Raises IllegalTransition for an unknown one, StoreError."""
        known = {line.name for line in self.lines} | {*self._employer.orders.drained}
        if name not in known:
            raise IllegalTransition(f"no machine {name!r} has joined; to list them, run: introeval nodes")
        await self._employer.drain(name, on=on, actor=actor)

    async def run(self, stop: asyncio.Event) -> None:
        """Look after the machines until `stop`; a lost head is looked for again and again."""
        ours = await self._learn()
        while not stop.is_set():
            async with self._make_link() as link, waking(stop, self._woken.set):
                link.changed.connect(self._woken.set)
                link.gone.connect(self._gone)
                link.pulsed.connect(self._heard)
                await self._serve(link, ours, stop)
                await self._give_up(link)
            if not stop.is_set():
                told = f"Ray's head does not answer: {link.why}"
                self._on_alarm("cluster", trouble("cluster", told))
                await happens(stop, _AGAIN_S)
        self._on_alarm("cluster", None)

    async def _serve(self, link: RayLink, ours: Callable[[], MachineFacts], stop: asyncio.Event) -> None:
        while not stop.is_set() and not link.lost.is_set():
            if link.answered:
                self._on_alarm("cluster", None)
            self._look(link, ours())
            await happens(self._woken, _AGAIN_S)
            self._woken.clear()

    def _look(self, link: RayLink, ours: MachineFacts) -> None:
        """Compare the machines that are there with those that we know."""
        here = {machine.id: machine for machine in link.machines}
        for known in list(self._members):
            if known not in here:
                self._leave(self._members.pop(known), "it has left")
        now = asyncio.get_running_loop().time()
        for machine in here.values():
            member = self._members.setdefault(machine.id, _Member(machine))
            if member.node is None and member.opening is None and now >= member.again_at:
                member.opening = asyncio.create_task(self._open(link, member))
            elif member.node is not None:
                self._judge(member, member.node, ours)

    async def _open(self, link: RayLink, member: _Member) -> None:
        try:
            node = await self._open_node(link, member.machine.id)
        except IntroEvalError as exc:
            member.standing, member.why = "refused", str(exc)
            member.again_at = asyncio.get_running_loop().time() + _RETRY_S
            return
        finally:
            member.opening = None
            self._woken.set()
        member.node = node

    def _judge(self, member: _Member, node: RayNode, ours: MachineFacts) -> None:
        """Have a machine work, or not, by what it is now."""
        facts = node.snapshot.facts
        namesakes = {m.name for m in self._members.values() if m is not member and m.node is not None}
        if not member.name and facts.name in namesakes:
            member.standing = "refused"
            member.why = f"another machine is called {facts.name}, too; set cluster.name on one of them"
            return
        if facts.name == LOCAL:
            member.standing, member.why = (
                "refused",
                f"{LOCAL} is this machine; set cluster.name",
            )
            return
        member.name = facts.name
        self._away.pop(facts.name, None)
        differing = ", ".join(differences(ours, facts))
        if differing:
            self._dismiss(member, f"it has {differing}")
        elif not member.employed:
            member.employed, member.standing, member.why = True, "works", ""
            log.info("a machine works for the class", node=member.name, address=member.machine.address)
            self._on_alarm(f"node {member.name}", None)
            self._employer.join(member.name, node)

    def _dismiss(self, member: _Member, why: str) -> None:
        """Give a machine no work because its results would be others."""
        if member.employed:
            self._employer.left(member.name)
            member.employed = False
        if member.why != why:
            told = trouble(f"node {member.name}", f"the machine {member.name} is given no work: {why}")
            self._on_alarm(told.code, told)
        member.standing, member.why = "differs", why

    def _leave(self, member: _Member, why: str) -> None:
        """Forget what a machine held, since it is gone."""
        self._tell(member, ())
        if member.node is not None:
            member.node.gone = member.node.gone or why
        if member.employed:
            log.warning("a machine is gone", node=member.name, why=why)
            address = member.machine.address
            self._away[member.name] = NodeLine(name=member.name, address=address, standing="away", why=why)
            # One that is drained may be switched off.
            drained = member.name in self._employer.orders.drained
            told = trouble(f"node {member.name}", f"the machine {member.name} is gone: {why}")
            self._on_alarm(told.code, None if drained else told)
            self._employer.left(member.name)
        elif member.standing == "differs":
            self._on_alarm(f"node {member.name}", None)
        member.employed, member.node = False, None

    def _gone(self, machine: str, why: str) -> None:
        member = self._members.get(machine)
        if member is not None:
            self._leave(member, why)
            member.standing, member.why = "away", why  # until it answers again
            member.again_at = asyncio.get_running_loop().time() + _AGAIN_S
        self._woken.set()

    def _heard(self, machine: str, snapshot: NodeSnapshot) -> None:
        member = self._members.get(machine)
        if member is None or member.node is None:
            return
        before = member.node.snapshot
        member.node.heard(snapshot)
        self._tell(member, snapshot.troubles)
        if (before.facts, before.state) != (snapshot.facts, snapshot.state):
            self._woken.set()

    def _tell(self, member: _Member, troubles: Sequence[Trouble]) -> None:
        """Have what is wrong at a machine be an alarm here, too, for as long as it lasts there."""
        if not member.name:
            return
        now = {
            (code := f"node {member.name} {each.code}"): trouble(
                code, f"at {member.name}: {each.cause}", affects=each.affects, fix=f"there, {each.fix}"
            )
            for each in troubles
        }
        for code in member.troubles.keys() | now.keys():
            if now.get(code) != member.troubles.get(code):
                self._on_alarm(code, now.get(code))
        member.troubles = now

    async def _give_up(self, link: RayLink) -> None:
        """End with a link: its machines are given back, or gone with it."""
        members, self._members = list(self._members.values()), {}
        opening = [member.opening for member in members if member.opening is not None]
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
        for member in members:
            if link.lost.is_set():
                self._leave(member, "the link to it is lost")
            elif member.node is not None:
                await member.node.aclose()
