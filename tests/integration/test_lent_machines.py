"""Two machines that lend their engines, all of it real: the commands, Ray, Whisper and the language model."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from daemon.app.cluster import make_machines
from daemon.app.engines import Site, media_reader
from daemon.app.nodes import make_node
from daemon.cluster import start
from daemon.config.load import load
from daemon.contracts.ports import Node
from daemon.contracts.values import (
    Decoded,
    Extracted,
    ExtractWork,
    Rated,
    RateWork,
    SttWork,
    Ticket,
    Transcribed,
)
from daemon.core.tasks.task import Stage
from daemon.gpu.nvml import NvmlGpu
from daemon.llm.rubric import Rubric
from daemon.monitoring.progress import Progress
from daemon.placement.placement import Placement
from tests.integration.test_cluster import Desk
from tests.support.checkout import SAMPLES
from tests.support.process_lab import ProcessLab, observed
from tests.support.ray_lab import first_port, needs_ray
from tests.support.waiting import until, wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.alone, needs_ray, pytest.mark.timeout(600)]

SETTINGS = '[stt]\nmodel = "tiny.en"\n[gpu]\nresidency = [["stt"], ["extract"], ["rate"]]\n[cluster]\n'
UP_S = 90.0


@dataclass
class Cluster:
    """A head and two machines, each with a folder, a configuration and a port of its own."""

    head: ProcessLab
    nodes: list[ProcessLab]
    running: dict[str, subprocess.Popen[str]]

    def begin(self, lab: ProcessLab, command: str) -> None:
        with (lab.folder / "ray.log").open("w") as log:
            self.running[lab.folder.name] = lab.start("node", command, output=log.fileno())

    def kill(self, lab: ProcessLab) -> None:
        """Switch a machine off, but for its engines."""
        process = self.running.pop(lab.folder.name)
        of_ray = psutil.Process(process.pid)
        for each in [*of_ray.children(recursive=True), of_ray]:
            with suppress(psutil.NoSuchProcess):
                if "--lock" not in each.cmdline():
                    each.kill()
        process.wait()


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    ports = [first_port(5 + at) for at in range(3)]
    addresses = [f'address = "127.0.0.{7 + at}"\nport = {port}\n' for at, port in enumerate(ports)]
    there = f'head = "127.0.0.7:{ports[0]}"\n'
    head = ProcessLab(folder / "head", SETTINGS + addresses[0])
    nodes = [
        ProcessLab(folder / name, SETTINGS + own + there + f'name = "{name}"\n')
        for name, own in zip(("lab1", "lab2"), addresses[1:], strict=True)
    ]
    made = Cluster(head, nodes, {})
    assert head.run("node", "token").returncode == 0
    for node in nodes:
        given = (head.folder / "cluster-token").read_text()
        joined = subprocess.run(
            [*node.command("node", "token", "--stdin")], input=given, text=True, cwd=node.folder, check=True
        )
        assert joined.returncode == 0
    try:
        made.begin(head, "head")
        wait_until(lambda: "runtime started" in (head.folder / "ray.log").read_text(), limit_s=UP_S)
        for node in nodes:
            made.begin(node, "join")
        yield made
    finally:
        for lab in (head, *nodes):
            if lab.folder.name in made.running:
                made.kill(lab)
            start.remove_folder(load(lab.folder / "introeval.toml").cluster)


@asynccontextmanager
async def on_duty(head: ProcessLab) -> AsyncIterator[tuple[Desk, Node]]:
    """Who gives work to the machines, and the node of this one."""
    config = load(head.folder / "introeval.toml")
    desk, stop, progress = Desk(), asyncio.Event(), Progress()
    site = Site(Placement(config, None), Rubric(), NvmlGpu().reading, progress, desk.alarm)
    local = make_node(config, site)
    running = asyncio.create_task(make_machines(config, site, local, desk).run(stop))
    try:
        yield desk, local
    finally:
        stop.set()
        await running
        await local.aclose()


async def answers(node: Node, decoded: Decoded) -> list[Any]:
    """What a node makes of a video, provenance apart."""
    ticket = Ticket(1, 1, 1)
    await node.ensure(frozenset({Stage.STT}))
    (heard,) = [each async for each in node.transcribe([SttWork(ticket, decoded.pcm, decoded.takes)])]
    assert isinstance(heard, Transcribed)
    await node.ensure(frozenset({Stage.EXTRACT}))
    (form,) = [each async for each in node.extract([ExtractWork(ticket, heard.transcript)])]
    assert isinstance(form, Extracted)
    await node.ensure(frozenset({Stage.RATE}))
    work = RateWork(ticket, heard.transcript, heard.speaking, form.profile, set_aside=form.set_aside)
    (rated,) = [each async for each in node.rate([work])]
    assert isinstance(rated, Rated)
    await node.ensure(None)
    return [replace(each, provenance={}) for each in (heard, form, rated)]


async def test_two_machines_give_the_results_of_one_and_never_load_two_engines(tmp_path: Path) -> None:
    with cluster(tmp_path) as made:
        async with on_duty(made.head) as (desk, local):
            media = media_reader(load(made.head.folder / "introeval.toml"))
            decoded = await media.decode(SAMPLES / "s001_introduction.mp4", tmp_path / "a.pcm")
            await media.aclose()
            assert isinstance(decoded, Decoded)
            expected = await answers(local, decoded)
            await until(lambda: desk.nodes.keys() == {"lab1", "lab2"}, UP_S)
            with observed(made.nodes[0].folder) as one, observed(made.nodes[1].folder) as two:
                both = await asyncio.gather(*(answers(node, decoded) for node in desk.nodes.values()))
            assert both == [expected, expected]
            for seen in (one, two):
                assert frozenset({"stt"}) in seen.seen
                assert frozenset({"rate"}) in seen.seen
                assert seen.together() == set()
            await _is_clean_after_a_death(made, desk)


async def _is_clean_after_a_death(made: Cluster, desk: Desk) -> None:
    """A machine whose Ray was killed comes back without an engine of before, and works."""
    lab = made.nodes[0]
    await desk.nodes["lab1"].ensure(frozenset({Stage.EXTRACT}))
    engines = _engines(lab)
    assert engines
    made.kill(lab)
    await until(lambda: "lab1" not in desk.nodes)
    made.begin(lab, "join")
    await until(lambda: "lab1" in desk.nodes, UP_S)
    assert not any(each.is_running() for each in engines)
    await desk.nodes["lab1"].ensure(frozenset({Stage.STT}))


def _engines(lab: ProcessLab) -> list[psutil.Process]:
    return [
        each
        for each in psutil.process_iter(["cmdline"])
        if "--lock" in (command := " ".join(each.info["cmdline"] or [])) and str(lab.folder) in command
    ]
