"""What a video that has taken over its decoder can reach: nothing but itself and its own sound."""

import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from daemon.contracts.values import Decoded
from daemon.core.errors import Fault
from daemon.stt import cage
from daemon.stt.decoder import MediaReader

pytestmark = pytest.mark.anyio

CHECKOUT = Path(__file__).resolve().parents[2]
SAMPLE = CHECKOUT / "samples" / "s001_introduction.mp4"
SECRET = "INTROEVAL_ALERTS__WEBHOOK"
LANDLOCK, SECCOMP = "_forbid_files", "_filter_calls"


@dataclass(frozen=True)
class World:
    """What there is to be reached outside: a neighbour's video, a folder, and two servers."""

    neighbour: Path
    folder: Path
    port: int
    unix: Path

    def arguments(self, attempt: str) -> Sequence[object]:
        match attempt:
            case "read" | "remove":
                return [str(self.neighbour)]
            case "read_system":
                return ["/etc/passwd"]
            case "read_parent":
                return [f"/proc/{os.getpid()}/environ"]
            case "write":
                return [str(self.folder / "new")]
            case "list":
                return [str(self.folder)]
            case "connect_tcp":
                return [self.port]
            case "connect_unix":
                return [str(self.unix)]
            case "connect_abstract":
                return ["\0" + str(self.unix)]
            case "start":
                return ["/bin/true"]
        return []


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    neighbour = tmp_path / "neighbour.mp4"
    neighbour.write_bytes(SAMPLE.read_bytes())
    with ExitStack() as servers:
        tcp = servers.enter_context(socket.create_server(("127.0.0.1", 0)))
        for address in (str(tmp_path / "docker.sock"), "\0" + str(tmp_path / "docker.sock")):
            unix = servers.enter_context(socket.socket(socket.AF_UNIX))
            unix.bind(address)
            unix.listen()
        yield World(neighbour, tmp_path, tcp.getsockname()[1], tmp_path / "docker.sock")


Prisoner = Callable[..., MediaReader]


@pytest.fixture
async def prisoner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Prisoner]:
    """Makes a reader whose children obey their videos, in a cage `without` some of its parts."""
    readers = []

    def make(*without: str) -> MediaReader:
        program = f"from tests.support.caged import main\nmain({without!r})\n"
        (tmp_path / "program_of_the_test.py").write_text(program)
        monkeypatch.setattr("daemon.stt.decoder._CHILD", "program_of_the_test")
        monkeypatch.setenv(
            "PYTHONPATH", os.pathsep.join([str(tmp_path), str(CHECKOUT), *filter(None, sys.path)])
        )
        readers.append(MediaReader(tmp_path / "media.log"))
        return readers[-1]

    yield make
    for reader in readers:
        await reader.aclose()


def landlock(abi: int = 1) -> None:
    """Skip where the kernel's Landlock is older."""
    try:
        offered = cage.landlock_abi()
    except cage.Lacking as lack:
        pytest.skip(f"this machine lacks {lack}")
    if offered < abi:
        pytest.skip(f"the kernel's Landlock is of ABI {offered}, this takes {abi}")


def seccomp() -> None:
    """Skip where there is no libseccomp."""
    if lacks := [lack for lack in cage.lacking() if lack.startswith("seccomp")]:
        pytest.skip(f"this machine lacks {lacks[0]}")


async def attempted(reader: MediaReader, world: World, attempt: str) -> Fault:
    """The outcome of an attempt: `succeeded` or `refused`."""
    video = world.folder / "video.mp4"
    name = attempt.partition("_")[0] if attempt.startswith("read") else attempt
    name = "connect_unix" if name == "connect_abstract" else name
    video.write_text(json.dumps({"attempt": name, "arguments": world.arguments(attempt)}))
    fault = await reader.probe(video)
    assert isinstance(fault, Fault)
    return fault


FILES = ["read", "read_system", "read_parent", "write", "remove", "list"]
OTHERS = [
    *("connect_tcp", "connect_unix", "connect_abstract", "start", "fork"),
    *("signal", "signal_by_descriptor"),
]


@pytest.mark.parametrize("attempt", [*FILES, *OTHERS])
async def test_without_the_cage_every_attempt_succeeds(
    prisoner: Prisoner, world: World, attempt: str
) -> None:
    outcome = await attempted(prisoner("enter"), world, attempt)
    assert outcome.code == "succeeded", outcome


@pytest.mark.parametrize("attempt", [*FILES, *OTHERS, "trace"])
async def test_from_inside_the_cage_every_attempt_is_refused(
    prisoner: Prisoner, world: World, attempt: str
) -> None:
    outcome = await attempted(prisoner(), world, attempt)
    assert outcome.code == "refused", outcome
    assert world.neighbour.exists()


@pytest.mark.parametrize("attempt", [*FILES, *OTHERS, "trace"])
async def test_the_filter_of_calls_alone_refuses_every_attempt(
    prisoner: Prisoner, world: World, attempt: str
) -> None:
    seccomp()
    outcome = await attempted(prisoner(LANDLOCK), world, attempt)
    assert outcome.code == "refused", outcome


@pytest.mark.parametrize(
    ("attempt", "abi"),
    [
        *((attempt, 1) for attempt in [*FILES, "start"]),
        ("connect_tcp", 4),
        ("connect_abstract", 6),
        ("signal", 6),
    ],
)
async def test_landlock_alone_refuses_files_programs_and_servers(
    prisoner: Prisoner, world: World, attempt: str, abi: int
) -> None:
    landlock(abi)
    outcome = await attempted(prisoner(SECCOMP), world, attempt)
    assert outcome.code == "refused", outcome


async def test_no_other_program_takes_the_childs_place(prisoner: Prisoner, world: World) -> None:
    video = world.folder / "video.mp4"
    video.write_text(json.dumps({"attempt": "become", "arguments": ["/bin/true"]}))
    outcome = await prisoner().probe(video)
    assert isinstance(outcome, Fault)
    assert outcome.code == "refused", outcome


async def test_the_child_may_start_threads(prisoner: Prisoner, world: World) -> None:
    outcome = await attempted(prisoner(), world, "in_a_thread")
    assert (outcome.code, outcome.message) == ("succeeded", "done")


async def test_the_child_has_neither_groups_nor_rights_nor_the_daemons_environment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECRET, "https://example.org/hook?key=123")
    groups = os.getgroups()
    if os.geteuid() == 0:
        os.setgroups([*groups, 4242])
    reader = MediaReader(world.folder / "media.log")
    try:
        await reader.probe(SAMPLE)
        (child,) = [each for each in psutil.Process().children() if "daemon.stt.media" in each.cmdline()]
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{child.pid}/status").read_text().splitlines()
        )
        assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == 0
        assert status["NoNewPrivs"].strip() == "1"
        if (
            os.geteuid() == 0
        ):  # who else may not give groups away, nor look into a child that none may look into
            assert status["Groups"].strip() == ""
            assert SECRET not in Path(f"/proc/{child.pid}/environ").read_text()
    finally:
        await reader.aclose()
        if os.geteuid() == 0:
            os.setgroups(groups)


async def test_a_secret_of_the_daemon_is_not_in_the_childs_environment(
    prisoner: Prisoner, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECRET, "https://example.org/hook?key=123")
    video = world.folder / "video.mp4"
    video.write_text(json.dumps({"attempt": "environment", "arguments": [SECRET]}))
    outcome = await prisoner().probe(video)
    assert isinstance(outcome, Fault)
    assert (outcome.code, outcome.message) == ("succeeded", "None")


@pytest.mark.parametrize("without", [[], [LANDLOCK], [SECCOMP], [LANDLOCK, SECCOMP]])
async def test_a_machine_that_lacks_a_part_decodes_with_the_rest(
    prisoner: Prisoner, world: World, without: list[str]
) -> None:
    outcome = await prisoner(*without).decode(SAMPLE, world.folder / "a.pcm")
    assert isinstance(outcome, Decoded), outcome
