"""Machines that join, differ, drain and leave: real Ray, started by the commands."""

import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from daemon.cluster import start
from daemon.cluster.link import RayLink
from daemon.cluster.machines import Machines
from daemon.cluster.values import MachineFacts
from daemon.contracts.ports import Node
from daemon.contracts.values import Orders
from daemon.core.alarms import Trouble
from daemon.core.errors import IllegalTransition
from daemon.core.tasks.task import Stage
from tests.support.inprocess import Lab, worked_off
from tests.support.ray_lab import FACTS, RayLab, looked_after, needs_ray, ray_lab
from tests.support.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.alone, needs_ray]

SLOW_S = 60.0  # a start on a machine that others use, too


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayLab]:
    with ray_lab(tmp_path_factory.mktemp("lab"), 2) as lab:
        yield lab


@dataclass
class Desk:
    """Who gives work; and the alarms that last."""

    nodes: dict[str, Node] = field(default_factory=dict)
    alarms: dict[str, Trouble] = field(default_factory=dict)
    orders: Orders = field(default_factory=Orders)

    def join(self, name: str, node: Node) -> None:
        assert name not in self.nodes
        self.nodes[name] = node

    def left(self, name: str) -> None:
        del self.nodes[name]

    async def drain(self, name: str, *, on: bool, actor: str | None = None) -> None:
        self.orders = Orders(drained=(name,) if on else ())

    def alarm(self, code: str, trouble: Trouble | None) -> None:
        if trouble is None:
            self.alarms.pop(code, None)
        else:
            self.alarms[code] = trouble


@asynccontextmanager
async def watched(lab: RayLab, ours: MachineFacts = FACTS) -> AsyncIterator[tuple[Machines, Desk]]:
    desk = Desk()
    async with looked_after(lab, desk, desk.alarm, ours) as machines:
        yield machines, desk


async def test_machines_that_join_work_drain_and_leave(lab: RayLab) -> None:
    async with watched(lab) as (machines, desk):
        await until(lambda: desk.nodes.keys() == {"node1", "node2"}, SLOW_S)
        assert [(line.name, line.standing) for line in machines.lines] == [
            ("node1", "works"),
            ("node2", "works"),
        ]
        lab.end("node1")
        await until(lambda: desk.nodes.keys() == {"node2"})
        assert [(line.name, line.standing) for line in machines.lines] == [
            ("node1", "away"),
            ("node2", "works"),
        ]
        assert "node1 is gone" in desk.alarms["node node1"].cause
        lab.begin_node(1)
        await until(lambda: "node1" in desk.nodes, SLOW_S)
        assert desk.alarms == {}
        await machines.drain("node2", on=True, actor="op")
        assert desk.orders.drained == ("node2",)
        assert desk.nodes.keys() == {"node1", "node2"}, "it finishes what it has"
        assert [line.standing for line in machines.lines] == ["works", "draining"]
        lab.end("node2")
        await until(lambda: desk.nodes.keys() == {"node1"})
        assert [line.standing for line in machines.lines] == ["works", "away"]
        assert desk.alarms == {}, "what is drained may be switched off"
        lab.begin_node(2)
        await until(lambda: "node2" in desk.nodes, SLOW_S)
        assert [line.standing for line in machines.lines] == ["works", "draining"], "still"
        await machines.drain("node2", on=False, actor="op")
        assert [line.standing for line in machines.lines] == ["works", "works"]
        with pytest.raises(IllegalTransition, match="no machine 'node9' has joined"):
            await machines.drain("node9", on=True, actor="op")


async def test_a_machine_that_differs_is_shown_and_has_no_work(lab: RayLab) -> None:
    async with watched(lab, replace(FACTS, program="0.9")) as (machines, desk):
        await until(lambda: [line.standing for line in machines.lines] == ["differs"] * 2, SLOW_S)
        assert machines.lines[0].why == "it has IntroEval 1 instead of 0.9"
        assert desk.nodes == {}
        assert desk.alarms.keys() == {"node node1", "node node2"}


async def test_machines_are_back_soon_after_the_heads_ray_was_killed(lab: RayLab) -> None:
    async with watched(lab) as (_, desk):
        await until(lambda: desk.nodes.keys() == {"node1", "node2"}, SLOW_S)
        began = time.monotonic()
        with lab.kept():
            lab.kill("head", only="gcs_server")
            await until(lambda: desk.nodes == {})
            assert time.monotonic() - began < 10
            await until(lambda: desk.nodes.keys() == {"node1", "node2"}, SLOW_S)
        print(f"back after {time.monotonic() - began:.1f} s")
        assert desk.alarms == {}


async def test_a_class_goes_on_when_a_machine_is_killed_in_the_middle(lab: RayLab, tmp_path: Path) -> None:
    here = Lab(tmp_path, seconds=dict.fromkeys(Stage, 0.1), settings={"batch.size": 10})
    lab.pace(dict.fromkeys(Stage, 0.1))
    begun = [lab.folder / f"begun-node{at}" for at in (1, 2)]
    for at in (1, 2):
        lab.end(f"node{at}")
        lab.begin_node(at)  # with attempts that take as long
    async with here.daemon() as daemon:
        supervisor = daemon.supervisor
        async with looked_after(lab, supervisor, daemon.alarms.on):
            await until(lambda: supervisor.view.others.keys() == {"node1", "node2"}, SLOW_S)
            for file in begun:
                file.write_text("")
            for number in range(24):
                here.hand_in(f"s{number:03d}_me.mp4")
            await until(lambda: all(len(file.read_text().splitlines()) >= 2 for file in begun), SLOW_S)
            lab.end("node1")
            await worked_off(daemon)
            assert supervisor.view.others.keys() == {"node2"}
            lab.begin_node(1)
            await until(lambda: "node1" in supervisor.view.others, SLOW_S)
    results = here.results()
    assert sorted(r["student_id"] for r in results.values()) == [f"s{n:03d}" for n in range(24)]
    assert {r["outcome"] for r in results.values()} == {"evaluated"}
    with sqlite3.connect(tmp_path / "var" / "introeval.db") as database:
        charged = database.execute(
            "SELECT DISTINCT retry_count, suspicion, deaths_alone FROM processing_tasks"
        ).fetchall()
    assert charged == [(0, 0, 0)]
    tries = [int(line) for file in begun for line in file.read_text().splitlines()]
    tries += [task for stage in Stage for task in here.log.tried(stage)]
    assert len(tries) <= 72 + 2, "at most what the machine had in hand is tried again"


async def test_a_wrong_token_is_refused(lab: RayLab) -> None:
    stranger = RayLab(lab.folder / "stranger")
    stranger.folder.mkdir()
    command, environ = stranger.node_command(3), stranger.environ(3)
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode != 0
    async with lab.new_link() as link:
        await until(lambda: len(link.machines) == 2, SLOW_S)
    environ = start.environment(stranger.settings(0).token_file)
    async with RayLink(lab.head, "nobody:lends", stranger.folder / "link.log", environ) as link:
        await until(link.lost.is_set, SLOW_S)
        assert not link.answered
