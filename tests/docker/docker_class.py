"""A class of tasks for the real daemon with two real containers, and who looks on from outside."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.docker.docker_lab import Box
from tests.docker.docker_observer import Observer, observed
from tests.docker.engine import REPOSITORY, Containers
from tests.support.folders import put, results_by_student
from tests.support.waiting import wait_until

STAGES = {"mistral": "extract", "llama3": "rate"}


@dataclass
class Classroom:
    """Folders, two containers (made, not started) and the daemon as a process."""

    folder: Path
    containers: Containers
    groups: list[list[str]]
    seconds: float = 0.05  # that a transcription takes
    settings: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    boxes: dict[str, Box] = field(default_factory=dict)
    daemon: "subprocess.Popen[bytes] | None" = None

    def __post_init__(self) -> None:
        for stem, stage in STAGES.items():
            self.boxes[stage] = Box(self.containers, stem, self.environment, more=dict(self.more))
            self.make(stage)
        (self.folder / "inbox").mkdir(parents=True)
        tables = [
            'runtime = "docker"\n[intake]\nsettle_s = 0.05\n[batch]\nsize = 10\n[run]\nstop_grace_s = 0.5',
            f'[docker]\nbase_url = "{self.containers.engine.url}"\nstop_timeout_s = 1.0',
            f"[gpu]\nresidency = {json.dumps(self.groups)}",
            *(
                f'[{stage}]\ncontainer = "{box.name}"\nurl = "{box.url}"\nstall_s = 1.5\nload_timeout_s = 30'
                for stage, box in self.boxes.items()
            ),
            self.settings,
        ]
        (self.folder / "introeval.toml").write_text("\n".join(tables))

    def command(self, stage: str) -> list[str]:
        """What a container runs; the version in it tells its process from every other."""
        box = self.boxes[stage]
        port = box.port if self.more.get("network_mode") == "host" else 11434
        host = "127.0.0.1" if self.more.get("network_mode") == "host" else "0.0.0.0"
        flags = ["--host", host, "--port", str(port), f"--version={box.name}"]
        return [sys.executable, "-m", "tests.ollama_server", *flags]

    def make(self, stage: str) -> None:
        """Make a stage's container."""
        self.boxes[stage].make(self.command(stage))

    def hand_in(self, count: int) -> None:
        """Put in so many videos, of a student each."""
        for number in range(1, count + 1):
            put(self.folder / "inbox" / f"s{number:03}_me.mp4", f"video {number}")

    def start(self) -> None:
        """Start the daemon."""
        with (self.folder / "daemon.err").open("ab") as errors:
            self.daemon = subprocess.Popen(
                [sys.executable, "-m", "tests.docker.docker_daemon", str(self.folder), str(self.seconds)],
                cwd=REPOSITORY,
                env={k: v for k, v in os.environ.items() if not k.startswith("INTROEVAL_")},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End the daemon. Its exit code."""
        assert self.daemon is not None
        self.daemon.send_signal(number)
        return self.daemon.wait(60)

    def results(self) -> dict[str, dict[str, Any]]:
        """Every result by its student; two of one student fail the test."""
        return results_by_student(self.folder / "outbox")

    def delivered(self, count: int, limit_s: float = 120.0) -> None:
        """Wait until so many results are there."""
        assert self.daemon is not None

        def done() -> bool:
            assert self.daemon is not None
            assert self.daemon.poll() is None, (self.folder / "daemon.err").read_text()[-3000:]
            return len(list(self.folder.glob("outbox/*/*.result.json"))) >= count

        wait_until(done, f"{count} results", limit_s)

    def until_alive(self, observer: Observer, stage: str) -> None:
        """Wait until a stage's engine is seen to live."""
        wait_until(lambda: stage in observer.alive, f"the {stage} engine", 60)

    def asks_for(self, stage: str, faults: Sequence[str]) -> None:
        """Have a stage's server fail in these ways, one request after the other, once it is at work."""

        def told(fault: str) -> bool:
            if stage not in self.at_work():
                return False
            try:
                self.boxes[stage].control(fault=fault, times=1)
            except OSError:  # a fault before it has ended the container
                return False
            return True

        for fault in faults:
            wait_until(lambda fault=fault: told(fault), f"the {stage} engine at work", 60)  # type: ignore[misc]

    def at_work(self) -> list[str]:
        """The group that was switched to last."""
        return next((line["to"] for line in reversed(self.log()) if line["event"] == "switched"), [])

    def engine_states(self) -> list[str]:
        """What the Docker engine was seen to be, in order."""
        return [line["state"] for line in self.log() if line["event"] == "engine"]

    def log(self) -> list[dict[str, Any]]:
        """The daemon's log."""
        file = self.folder / "var" / "log" / "daemon.log"
        lines = file.read_text().split("\n")[:-1] if file.exists() else []  # the last is begun
        return [json.loads(line) for line in lines if line.startswith("{")]

    @contextmanager
    def watched(self) -> Iterator[Observer]:
        """Look on from outside for as long as the context lasts; the daemon is ended with it."""
        names = {box.name: stage for stage, box in self.boxes.items()}
        lock = self.folder / "var" / "engines" / "stt.lock"
        with observed(self.containers.engine, names, lock) as observer:
            try:
                yield observer
            finally:
                if self.daemon is not None and self.daemon.poll() is None:
                    self.daemon.kill()
                    self.daemon.wait()
