"""Containers with the test server in them, as the lab's two are, and hosts for them."""

import json
import socket
import sys
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.containers.container import Container
from daemon.containers.engine import DockerEngine
from daemon.containers.host import ContainerHost
from daemon.containers.ready import OllamaServer
from daemon.containers.takeover_record import TakeoverRecord
from daemon.core.alarms import Trouble
from daemon.core.tasks.task import Stage
from daemon.llm.client import Options
from daemon.llm.limits import AnswerLimits
from tests.docker.engine import Containers

if TYPE_CHECKING:
    from docker.models.containers import Container as Made

OPTIONS = Options(temperature=0.1, top_p=0.9, seed=1, num_ctx=2048, num_predict=200)
MODELS = {"extract": "mistral", "rate": "llama3"}


@dataclass
class Alarms:
    """What an OnAlarm was told: what lasts, and all that ever did."""

    lasting: dict[str, str] = field(default_factory=dict)
    ever: set[str] = field(default_factory=set)

    def on(self, code: str, trouble: Trouble | None) -> None:
        if trouble is None:
            self.lasting.pop(code, None)
        else:
            self.lasting[code] = str(trouble)
            self.ever.add(code)


@dataclass
class Box:
    """One container with the test server in it, published on a port of its own that stays the same."""

    containers: Containers
    stem: str
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=lambda: free_port())
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.containers.name(self.stem)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def made(self) -> "Made":
        """The container of this name, as it is now."""
        return self.containers.engine.client.containers.get(self.name)

    @property
    def status(self) -> str:
        return str(self.made.status)

    def make(self, command: list[str] | None = None) -> "Made":
        """Make the container, not started."""
        return self.containers.create(
            self.stem,
            command or [sys.executable, "-m", "tests.ollama_server", "--host", "0.0.0.0", "--port", "11434"],
            environment=self.environment,
            ports=None if self.more.get("network_mode") == "host" else {11434: self.port},
            **self.more,
        )

    def control(self, **order: Any) -> Any:
        """Tell the test server something, as its module says."""
        content = json.dumps(order).encode()
        request = urllib.request.Request(f"{self.url}/control", content, {"content-type": "application/json"})
        with _OPENER.open(request, timeout=10) as reply:
            return json.loads(reply.read() or b"null")


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass
class Hosted:
    """A host for a box, and what it told."""

    host: ContainerHost
    kept: TakeoverRecord
    alarms: Alarms
    engine: DockerEngine


def hosted(
    box: Box,
    state: Path,
    *,
    stage: Stage = Stage.EXTRACT,
    gpu: bool = False,
    stop_timeout_s: float = 1.0,
    load_timeout_s: float = 20.0,
    engine: DockerEngine | None = None,
    **more: Any,
) -> Hosted:
    """A host for a box's container, with an engine's client and a record of its own."""
    engine = engine or DockerEngine(box.containers.engine.url)
    kept = TakeoverRecord(state / "containers.json")
    alarms = Alarms()

    async def has_gpu() -> bool:
        return gpu

    server = OllamaServer(
        box.url,
        MODELS[stage],
        has_gpu,
        AnswerLimits(load_s=load_timeout_s, stall_s=5.0, timeout_s=20.0),
        settle_s=0.1,
    )
    container = Container(engine, kept, box.name, stop_timeout_s=stop_timeout_s)
    host = ContainerHost(stage, container, server, alarms.on, load_timeout_s=load_timeout_s, **more)
    return Hosted(host, kept, alarms, engine)
