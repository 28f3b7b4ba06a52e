"""Two containers with a real Ollama, called and published as the lab's, if this machine has them."""

import os
import subprocess

from daemon.core.tasks.task import Stage
from tests.bench.class_peers import CONTAINERS, URLS
from tests.bench.figures import Skipped
from tests.bench.switch import TwoContainers
from tests.docker.engine import SOCKET_VARIABLE

_MODELS = {Stage.EXTRACT: "mistral", Stage.RATE: "llama3"}


def real_ollama() -> TwoContainers:
    """The containers at the engine that `INTROEVAL_TEST_DOCKER_SOCKET` names. Raises Skipped."""
    names = " and ".join(CONTAINERS.values())
    if not (socket := os.environ.get(SOCKET_VARIABLE, "")):
        raise Skipped(f"it needs a real Ollama in {names}, at the engine that {SOCKET_VARIABLE} names")
    engine = f"unix://{socket}"
    command = ["docker", "-H", engine, "inspect", *CONTAINERS.values()]
    if subprocess.run(command, capture_output=True).returncode:
        raise Skipped(f"the Docker engine at {socket} has no {names}")
    return TwoContainers(
        engine,
        {stage: CONTAINERS[model] for stage, model in _MODELS.items()},
        {stage: URLS[model] for stage, model in _MODELS.items()},
    )


def settings(lab: TwoContainers, whisper: str) -> str:
    """The configuration of a daemon that uses these containers, once it is told `--runtime docker`."""
    return f'[stt]\nmodel = "{whisper}"\n[docker]\nbase_url = "{lab.engine}"\n'
