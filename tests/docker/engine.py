"""A Docker engine of the tests' own: the fixtures `engine`, and for one test `containers`, `engine_apart`.

It is `$INTROEVAL_TEST_DOCKER_SOCKET` where that is set, else a `dockerd` that is started here with folders of
its own, as root, on a machine where no other engine runs. Where neither can be had the test is skipped with
the reason; under `INTROEVAL_CI=1` it fails, so that no check is left out there unseen.

No registry is needed: the image holds empty folders, and a container gets the machine's programs, this
checkout and its virtual environment mounted read-only. So any Python program runs in a real container.
"""

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import psutil
import pytest

from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

REPOSITORY = Path(__file__).resolve().parents[2]
IMAGE = "introeval-test:programs"
LABEL = "introeval.test"
SOCKET_VARIABLE = "INTROEVAL_TEST_DOCKER_SOCKET"
MOUNTED = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc")
_READY_S = 60.0
_BRIDGE, _BRIDGE_ADDRESS = "introeval-test", "172.29.255.1/24"


@dataclass(frozen=True)
class Engine:
    """A running engine."""

    socket: Path

    @property
    def url(self) -> str:
        """What `docker.base_url` of the configuration, or `docker -H`, takes."""
        return f"unix://{self.socket}"

    @cached_property
    def client(self) -> "DockerClient":
        """The SDK's client of it."""
        import docker

        return docker.DockerClient(base_url=self.url, timeout=60)

    @cached_property
    def image(self) -> str:
        """The image of empty folders, made the first time."""
        return import_image(self, IMAGE, folders_tar([f"{path[1:]}/" for path in MOUNTED]))

    def create(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        ports: Mapping[int, int] | None = None,
        mounts: Mapping[Path, Path] | None = None,
        **more: Any,
    ) -> "Container":
        """Make a container, not started, that runs `command` from the checkout.

        `ports` maps a port inside to one on 127.0.0.1, or to 0 for any free one; `mounts` maps writable
        folders of this machine to where they are seen inside; `more` goes to `containers.create` as it is.
        """
        volumes = {path: {"bind": path, "mode": "ro"} for path in read_only()}
        volumes |= {str(here): {"bind": str(there), "mode": "rw"} for here, there in (mounts or {}).items()}
        published = {f"{inside}/tcp": ("127.0.0.1", outside) for inside, outside in (ports or {}).items()}
        return self.client.containers.create(
            self.image,
            list(command),
            name=name,
            environment={"PYTHONDONTWRITEBYTECODE": "1", **(environment or {})},
            ports=published,
            volumes=volumes,
            labels={LABEL: "1"},
            working_dir=str(REPOSITORY),
            **more,
        )


@dataclass
class Containers:
    """Containers of one test, with names that no other test's have; removed at its end."""

    engine: Engine
    mark: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    def name(self, stem: str) -> str:
        """The name of this test's container `stem`."""
        return f"introeval-test-{self.mark}-{stem}"

    def create(self, stem: str, command: Sequence[str], **more: Any) -> "Container":
        """Engine.create under this test's name."""
        return self.engine.create(self.name(stem), command, **more)

    def remove(self) -> None:
        """Remove what this test made, by whichever way it made it, running or not."""
        import docker.errors

        prefix = self.name("")
        for container in self.engine.client.containers.list(all=True, ignore_removed=True):
            if str(container.name).startswith(prefix):
                try:
                    container.remove(force=True, v=True)
                except docker.errors.NotFound:
                    continue


@dataclass
class Dockerd:
    """A dockerd with folders of its own, which can be stopped and started again."""

    folder: Path
    arguments: Sequence[str] = ()
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def engine(self) -> Engine:
        """The engine that it is."""
        return Engine(self.folder / "docker.sock")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = self.folder / "dockerd.log"
        command = ["dockerd", "-H", f"unix://{self.folder / 'docker.sock'}", *self.arguments]
        for option, name in (("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid")):
            command += [option, str(self.folder / name)]
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a ctrl+c at the tests must leave it to end them first
            )
        _until_ready(self.engine, self.process, log)

    def stop(self) -> None:
        """Stop it, and with it every container."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The engine of this run of tests."""
    named = os.environ.get(SOCKET_VARIABLE)
    if named:
        yield Engine(Path(named))
        return
    missing = unfit()
    if missing is not None:
        absent(f"no Docker engine for the tests: {missing}")
    if (other := other_engine()) is not None:
        absent(
            f"no Docker engine for the tests: another one runs (process {other}), and two would share its "
            f"bridge; {SOCKET_VARIABLE} names one that the tests may use"
        )
    with started() as dockerd:
        yield dockerd.engine


@pytest.fixture
def engine_apart() -> Iterator[Dockerd]:
    """An engine of this test alone, to be stopped and started again, beside any other one."""
    missing = unfit() or (None if shutil.which("ip") else "ip is not installed (Debian: iproute2)")
    if missing is not None:
        absent(f"no Docker engine for the test: {missing}")
    # With a bridge of its own, since a dockerd that is told to have none removes the other engine's.
    subprocess.run(["ip", "link", "add", _BRIDGE, "type", "bridge"], check=True)
    try:
        subprocess.run(["ip", "address", "add", _BRIDGE_ADDRESS, "dev", _BRIDGE], check=True)
        subprocess.run(["ip", "link", "set", _BRIDGE, "up"], check=True)
        with started(f"--bridge={_BRIDGE}", "--iptables=false") as dockerd:
            yield dockerd
    finally:
        subprocess.run(["ip", "link", "delete", _BRIDGE], check=True)


@pytest.fixture
def containers(engine: Engine) -> Iterator[Containers]:
    """A way to make containers that are gone after the test."""
    mine = Containers(engine)
    try:
        yield mine
    finally:
        mine.remove()


def absent(reason: str) -> NoReturn:
    """Skip the test; fail it where every part must be there (`INTROEVAL_CI=1`, which .ci/run sets)."""
    if os.environ.get("INTROEVAL_CI") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def unfit() -> str | None:
    """Why no engine can be started here, or None."""
    if os.geteuid() != 0:
        return "dockerd needs root"
    if shutil.which("dockerd") is None:
        return "dockerd is not installed (Debian: docker.io, iptables)"
    return None


def other_engine() -> int | None:
    """The process id of an engine that runs on this machine, or None."""
    for process in psutil.process_iter(["name"]):
        if process.info["name"] == "dockerd":
            return process.pid
    return None


@contextmanager
def started(*arguments: str) -> Iterator[Dockerd]:
    """A dockerd of its own for as long as the context lasts."""
    folder = Path(tempfile.mkdtemp(prefix="introeval-engine-"))
    dockerd = Dockerd(folder, arguments)
    try:
        dockerd.start()
        yield dockerd
    finally:
        dockerd.stop()
        for mounted in psutil.disk_partitions(all=True):
            if Path(mounted.mountpoint).is_relative_to(folder):
                subprocess.run(["umount", "--lazy", mounted.mountpoint], check=True)
        shutil.rmtree(folder)


def import_image(engine: Engine, name: str, tar: bytes) -> str:
    """Make an image of a tar's content, unless it is there already. Its name."""
    import docker.errors

    repository, _, tag = name.partition(":")
    try:
        engine.client.images.get(name)
    except docker.errors.ImageNotFound:
        engine.client.api.import_image_from_data(tar, repository=repository, tag=tag)
    return name


def folders_tar(names: Sequence[str]) -> bytes:
    """A tar of empty folders."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in (*names, "dev/", "proc/", "sys/", "run/", "tmp/", "var/"):
            entry = tarfile.TarInfo(name.rstrip("/"))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp/" else 0o755
            tar.addfile(entry)
    return buffer.getvalue()


def read_only() -> list[str]:
    """What a container sees of this machine: its programs, the interpreter, the environment, the checkout."""
    wanted = [*MOUNTED, sys.base_prefix, sys.prefix, str(REPOSITORY)]
    kept: list[str] = []
    for path in wanted:
        inside_another = any(Path(path).is_relative_to(other) for other in kept)
        if os.path.isdir(path) and not inside_another:
            kept.append(path)
    return kept


def _until_ready(engine: Engine, process: "subprocess.Popen[bytes]", log: Path) -> None:
    import docker.errors
    import requests

    def answers() -> bool:
        assert process.poll() is None, f"dockerd ended by itself:\n{log.read_text()[-2000:]}"
        if not engine.socket.exists():
            return False
        try:
            return bool(engine.client.ping())
        except (docker.errors.DockerException, requests.RequestException):
            return False

    wait_until(answers, "an answer of dockerd", _READY_S)
