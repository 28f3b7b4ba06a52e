"""A configuration for `introeval setup` in a folder of a test's own, and the command."""

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pexpect

from tests.docker.docker_lab import free_port
from tests.docker.engine import REPOSITORY, Containers

SETUP = [sys.executable, "-m", "daemon", "setup"]
# Workers of pytest-xdist have COLUMNS and LINES, which go before the terminal's own size.
_ENVIRON = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
_ENVIRON |= {"PYTHONPATH": str(REPOSITORY)}


@dataclass
class SetupLab:
    """A configuration for containers of this test, and the command."""

    folder: Path
    containers: Containers
    image: str
    model: str = "mistral"

    def __post_init__(self) -> None:
        self.ports = [free_port(), free_port()]
        self.write()

    def write(self, **extract: Any) -> None:
        """Write the configuration, with more keys for the extractor."""
        lines = [
            'runtime = "docker"\n[docker]',
            f'base_url = "{self.containers.engine.url}"\nimage = "{self.image}"',
            self._model("extract", "mistral", self.model, self.ports[0]),
            *(f"{key} = {json.dumps(value)}" for key, value in extract.items()),
            self._model("rate", "llama3", "llama3", self.ports[1]),
        ]
        (self.folder / "introeval.toml").write_text("\n".join(lines))

    def _model(self, stage: str, stem: str, model: str, port: int) -> str:
        name = self.containers.name(stem)
        return f'[{stage}]\ncontainer = "{name}"\nmodel = "{model}"\nurl = "http://127.0.0.1:{port}"'

    def setup(self, *options: str) -> "subprocess.CompletedProcess[str]":
        """Run the command to its end."""
        command = [*SETUP, *options]
        return subprocess.run(
            command, cwd=self.folder, env=_ENVIRON, capture_output=True, text=True, timeout=120
        )

    def setup_in_terminal(self) -> "pexpect.spawn[str]":
        """Start the command in a terminal of its own, in which it shows how far it is."""
        environ = {**_ENVIRON, "TERM": "xterm-256color"}
        return pexpect.spawn(
            SETUP[0],
            SETUP[1:],
            cwd=str(self.folder),
            env=cast(Any, environ),
            encoding="utf-8",
            timeout=60,
            dimensions=(40, 160),
        )

    def inspect(self, stem: str) -> dict[str, Any]:
        """What the engine says of one of the two containers."""
        client = self.containers.engine.client
        attrs: dict[str, Any] = client.api.inspect_container(self.containers.name(stem))
        return attrs

    def ids(self) -> list[str]:
        """The two containers' ids."""
        return [self.inspect(stem)["Id"] for stem in ("mistral", "llama3")]

    def remove(self) -> None:
        """Remove the containers and their volumes, and the image where it was pulled for this test."""
        import docker.errors

        self.containers.remove()
        client = self.containers.engine.client
        for volume in client.volumes.list():
            if volume.name.startswith(self.containers.name("")):
                volume.remove()
        if self.image.startswith("127.0.0.1:"):
            with contextlib.suppress(docker.errors.ImageNotFound):
                client.images.remove(self.image)
