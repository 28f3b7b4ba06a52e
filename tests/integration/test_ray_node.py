"""The node of another machine, by real Ray, on scripted engines."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import pytest

from daemon.cluster.link import RayLink
from daemon.cluster.ray_node import RayNode
from daemon.config.cluster import PORTS
from daemon.contracts.values import (
    Extracted,
    ExtractWork,
    SttWork,
    Take,
    Ticket,
    Transcribed,
)
from daemon.core.errors import ExclusionError, NodeGone
from daemon.core.tasks.task import Stage
from tests.support.ray_lab import RayLab, needs_ray, ray_lab
from tests.support.scripted import TRANSCRIPT
from tests.support.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.alone, needs_ray]

EXTRACT, STT = frozenset({Stage.EXTRACT}), frozenset({Stage.STT})
FOR_EVER = 1000.0
DETECTED_S = 10.0
JOINED_S = 60.0


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayLab]:
    with ray_lab(tmp_path_factory.mktemp("lab"), 2) as lab:
        yield lab


async def opened(link: RayLink, name: str) -> RayNode:
    """The node of this name, whose machine has joined; as `Machines` would, it hears what the link tells."""
    address = f"127.0.0.{2 + int(name.removeprefix('node'))}"
    await until(lambda: any(machine.address == address for machine in link.machines), JOINED_S)
    machine = next(machine for machine in link.machines if machine.address == address)
    node = await RayNode.open(link, machine.id, lambda ticket, done: None, dict, lambda made: ())
    link.gone.connect(lambda machine, why: setattr(node, "gone", why) if machine == node.machine else None)
    link.pulsed.connect(lambda machine, told: node.heard(told) if machine == node.machine else None)
    assert node.snapshot.facts.name == name
    return node


@asynccontextmanager
async def one_node(lab: RayLab, name: str, seconds: float = 0.0) -> AsyncIterator[RayNode]:
    lab.pace(dict.fromkeys(Stage, seconds))
    async with lab.new_link() as link:
        node = await opened(link, name)
        yield node
        await node.aclose()


async def extracted(node: RayNode, task_id: int = 1) -> list[type]:
    work = ExtractWork(Ticket(task_id, 1, 1), TRANSCRIPT)
    return [type(outcome) async for outcome in node.extract([work])]


def held_sounds(lab: RayLab, name: str) -> list[str]:
    """The sounds in the memory of a machine's processes."""
    held = []
    for process in lab.tree(name):
        for each in Path(f"/proc/{process.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # it was closed meanwhile
                held.append(os.readlink(each))
    return [place for place in held if place.startswith("/memfd:sound")]


async def test_attempts_run_on_another_machine(lab: RayLab) -> None:
    pcm = lab.folder / "long.pcm"
    pcm.write_bytes(b"\1\2" * 10_000_000)
    async with one_node(lab, "node1") as node:
        await node.ensure(STT)
        assert (await node.observe()).group == STT
        with pytest.raises(ExclusionError):
            await extracted(node)
        work = SttWork(Ticket(1, 1, 1), pcm, (Take(3.0),))
        assert [type(outcome) async for outcome in node.transcribe([work])] == [Transcribed]
        assert pcm.exists()
        assert held_sounds(lab, "node1") == []
        await node.ensure(EXTRACT)
        assert await extracted(node) == [Extracted]
        assert [report.state for report in node.reports()] == ["stopped", "ready", "stopped"]


async def test_a_machine_that_has_left_is_not_waited_for(lab: RayLab) -> None:
    async with lab.new_link() as link:
        await until(lambda: link.answered, JOINED_S)
        with pytest.raises(NodeGone, match="it has left"):
            await link.ask("0" * 56, "open")


async def test_nothing_listens_beside_the_hundred_ports_and_nothing_answers_without_the_token(
    lab: RayLab,
) -> None:
    ours = {at: range(lab.settings(at).port, lab.settings(at).port + PORTS) for at in (0, 1, 2)}
    async with one_node(lab, "node1"):
        listening = {
            connection.laddr.port
            for process in psutil.Process().children(recursive=True)
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
        for at, ports in ours.items():
            of_machine = listening & {*ports}
            assert len(of_machine) >= 3
            for port in of_machine:
                assert await said(lab.settings(at).address, port) in (b"HTTP/1.1 401", b""), port
        assert all(any(port in ports for ports in ours.values()) for port in listening)


async def said(address: str, port: int) -> bytes:
    """What is answered to a request over HTTP that shows no token; nothing by what speaks gRPC."""
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(b"POST /get_or_create_runtime_env HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        async with asyncio.timeout(10.0):
            answer = await reader.read(12)
    finally:
        writer.close()
    return answer if answer.startswith(b"HTTP") else b""


async def test_an_attempt_that_is_cancelled_has_ended_on_its_machine(lab: RayLab) -> None:
    async with one_node(lab, "node1", FOR_EVER) as node:
        await node.ensure(EXTRACT)
        asking = asyncio.create_task(extracted(node))
        await begun(lab, "node1", 1)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await node.ensure(None)  # an ExclusionError while it runs


@pytest.mark.parametrize(
    ("what", "by"),
    [("raylet", signal.SIGKILL), ("", signal.SIGKILL), ("", signal.SIGSTOP), ("NodeActor", signal.SIGSTOP)],
    ids=["agent killed", "machine off", "machine frozen", "actor frozen"],
)
async def test_a_machine_that_is_gone_is_seen_within_ten_seconds(lab: RayLab, what: str, by: int) -> None:
    async with one_node(lab, "node1", FOR_EVER) as node, lab.new_link() as other_link:
        other = await opened(other_link, "node2")
        await node.ensure(EXTRACT)
        asking = asyncio.create_task(extracted(node))
        await begun(lab, "node1", 1)
        began = time.monotonic()
        lab.kill("node1", only=what, by=by)
        try:
            with pytest.raises(NodeGone):
                await asking
            assert time.monotonic() - began < DETECTED_S
            with pytest.raises(NodeGone):
                await node.observe()
            with pytest.raises(NodeGone):
                await node.ensure(None)
            await other.ensure(None)
            await other.aclose()
        finally:
            lab.end("node1")
            lab.begin_node(1)


async def begun(lab: RayLab, name: str, task_id: int) -> None:
    """Wait until an attempt runs on a machine."""
    log = lab.folder / f"begun-{name}"
    await until(lambda: log.exists() and str(task_id) in log.read_text().split())
    log.unlink()
