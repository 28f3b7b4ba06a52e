"""The real daemon as a process of its own, with a configuration and folders of its own."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from daemon.config.load import Config, load
from daemon.system.state_folder import DATABASE
from tests.bench.figures import MODELS, ROOT, model_folder

_START_S = 60.0
_STOP_S = 30.0


class Socket(http.client.HTTPConnection):
    """A connection to the control socket that stays open between requests."""

    def __init__(self, path: Path) -> None:
        super().__init__("introeval", timeout=10.0)
        self._path = path

    def connect(self) -> None:
        """Open it."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self._path))

    def get(self, path: str) -> bytes:
        """The body of the answer. Raises OSError when there is none, AssertionError when it is an error."""
        self.request("GET", path)
        answer = self.getresponse()
        body = answer.read()
        assert answer.status == http.client.OK, body
        return body


def make_lab(folder: Path) -> tuple[Path, Config]:
    """A configuration file in `folder`, and the folders that it names, with this checkout's models.

    Raises Skipped when one that the daemon needs is not here.
    """
    file = folder / "introeval.toml"
    file.write_text("")
    config = load(file, {})
    for name in (f"whisper-{config.stt.model}", config.embedded.model):
        model_folder(name)
    config.paths.state.mkdir(parents=True)
    (config.paths.state / "models").symlink_to(MODELS)
    return file, config


def database(config: Config) -> Path:
    """Where the daemon keeps its database."""
    return config.paths.state / DATABASE


@contextmanager
def running(file: Path, config: Config, command: Sequence[str] = ()) -> Iterator[int]:
    """`introeval run` with this configuration, once it answers on its socket. Gives its process id.

    `command` takes its place.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("INTROEVAL_")}
    with (file.parent / "daemon.out").open("w+") as output:
        daemon = subprocess.Popen(
            command or [sys.executable, "-m", "daemon", "--config", str(file), "run"],
            cwd=file.parent,
            env=environment | {"PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=output,
        )
        try:
            _wait_for_answer(daemon, config.paths.socket, output.name)
            yield daemon.pid
        finally:
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def cpu_s(process: psutil.Process) -> float:
    """Processor seconds of a process and of the children that it has or had."""
    living = [child.cpu_times() for child in process.children(recursive=True)]
    own = process.cpu_times()
    ended = own.children_user + own.children_system
    return float(own.user + own.system + ended + sum(times.user + times.system for times in living))


def _wait_for_answer(daemon: "subprocess.Popen[bytes]", path: Path, output: str) -> None:
    give_up_at = time.monotonic() + _START_S
    while daemon.poll() is None and time.monotonic() < give_up_at:
        try:
            Socket(path).get("/healthz")
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the daemon does not answer: {Path(output).read_text()[-2000:]}")
