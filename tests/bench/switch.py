"""What a switch costs, against a shell script that stops and starts the same containers and asks them.

Both have the test server in them, which takes a second to load its model and answers 50 tokens a second.
Both ask each container the same first question, the work's own prompt, and wait for the first token of its
answer; ours also verifies that the containers are gone, stay up, and what was loaded. The rounds take turns,
so that a busy machine is busy for both.
"""

import asyncio
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from daemon.containers.container import Container
from daemon.containers.engine import DockerEngine
from daemon.containers.host import ContainerHost
from daemon.containers.ready import OllamaServer
from daemon.containers.takeover_record import TakeoverRecord
from daemon.core.content.answers import FormAnswer
from daemon.core.content.scoring import RatingAnswer
from daemon.core.tasks.task import Stage
from daemon.llm.client import Options as Asking
from daemon.llm.client import Request
from daemon.llm.extractor import FormExtractor
from daemon.llm.ollama import generate_body
from daemon.llm.prompts import load_prompt
from daemon.llm.rater import IntroductionRater
from daemon.llm.rubric import Rubric
from daemon.node.docker import DockerNode
from tests.bench.figures import Figure, Options, Skipped, at_most, median_of, ratio_of
from tests.docker.docker_lab import MODELS, Box
from tests.docker.engine import SOCKET_VARIABLE, Containers, Engine, other_engine, started, unfit
from tests.support.scripted import Log, ScriptedEngine

ROUNDS = 5
ASKING = Asking(temperature=0.1, top_p=0.9, seed=1, num_ctx=2048, num_predict=200)
_EVAL = frozenset({Stage.EXTRACT, Stage.RATE})
_SCRIPT = """
docker -H {engine} stop {names} > /dev/null
docker -H {engine} start {names} > /dev/null
ask() {{ until curl --noproxy '*' -sf -o /dev/null -d "@$1" "$2/api/generate"; do sleep 0.02; done; }}
{asking}
wait
"""


@dataclass(frozen=True, slots=True)
class TwoContainers:
    """Two containers that are there: the engine's url, and by stage the name and the server's url."""

    engine: str
    names: dict[Stage, str]
    urls: dict[Stage, str]


def measure(options: Options) -> list[Figure]:
    """The cost of a switch out of the LLMs' group and back into it, ours and the script's. Raises Skipped."""
    with _engine() as engine:
        containers = Containers(engine)
        environment = {"OLLAMA_TEST_LOAD_S": "1", "OLLAMA_TEST_TOKEN_S": "0.02"}
        boxes = {stage: Box(containers, MODELS[stage], environment) for stage in sorted(_EVAL)}
        try:
            for box in boxes.values():
                box.make()
            names = {stage: box.name for stage, box in boxes.items()}
            lab = TwoContainers(engine.url, names, {stage: box.url for stage, box in boxes.items()})
            ours, script = asyncio.run(compared(lab))
        finally:
            containers.remove()
    return [
        median_of("stt and back", ours, "s"),
        median_of("by a shell script", script, "s"),
        ratio_of("ratio", ours, script, "x", at_most(1.15)),
    ]


async def compared(lab: TwoContainers, rounds: int = ROUNDS) -> tuple[list[float], list[float]]:
    """Seconds of each round, ours and the script's; both begin and end with both containers in use."""
    ours, script = [], []
    with tempfile.TemporaryDirectory() as folder:
        node = _node(lab, Path(folder))
        command = _command(lab, Path(folder))
        try:
            await node.ensure(_EVAL)
            for _ in range(rounds):
                began = time.monotonic()
                await node.ensure(frozenset({Stage.STT}))
                await node.ensure(_EVAL)
                ours.append(time.monotonic() - began)
                began = time.monotonic()
                await asyncio.to_thread(subprocess.run, ["sh", "-c", command], check=True)
                script.append(time.monotonic() - began)
        finally:
            await node.aclose()
    return ours, script


def _node(lab: TwoContainers, folder: Path) -> DockerNode:
    engine, kept = DockerEngine(lab.engine), TakeoverRecord(folder / "containers.json")

    async def no_gpu() -> bool:
        return False

    def host(stage: Stage) -> ContainerHost:
        server = OllamaServer(lab.urls[stage], MODELS[stage], no_gpu)
        return ContainerHost(
            stage, Container(engine, kept, lab.names[stage]), server, lambda code, text: None
        )

    hosts = {stage: host(stage) for stage in sorted(_EVAL)}
    return DockerNode(
        ScriptedEngine(Stage.STT, Log()),
        FormExtractor(hosts[Stage.EXTRACT], Rubric(), lambda: ASKING),
        IntroductionRater(hosts[Stage.RATE], Rubric(), lambda: ASKING),
        lambda ticket, done: None,
        engine=engine,
        hosts=hosts,
        patrol_s=3600.0,  # the script's starts are nobody's business
    )


def _command(lab: TwoContainers, folder: Path) -> str:
    asking = []
    for stage, url in lab.urls.items():
        body = folder / f"{stage}.json"
        extracts = stage is Stage.EXTRACT
        schema = (FormAnswer if extracts else RatingAnswer).json_schema()
        prompt = load_prompt("extract" if extracts else "rate", None).render("Hello.")
        request = Request(prompt, schema, replace(ASKING, num_predict=1))
        body.write_text(json.dumps(generate_body(MODELS[stage], request)))
        asking.append(f"ask {body} {url} &")
    names = " ".join(lab.names.values())
    return _SCRIPT.format(engine=lab.engine, names=names, asking="\n".join(asking))


@contextmanager
def _engine() -> Iterator[Engine]:
    named = os.environ.get(SOCKET_VARIABLE)
    if named:
        yield Engine(Path(named))
        return
    if (missing := unfit()) is not None:
        raise Skipped(f"no Docker engine for the containers: {missing}")
    if (other := other_engine()) is not None:
        raise Skipped(f"another Docker engine runs (process {other}); name one in {SOCKET_VARIABLE}")
    with started() as dockerd:
        yield dockerd.engine
