"""What keeps Ray on a machine that joined, with another program in Ray's place."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.support.checkout import REPOSITORY
from tests.support.waiting import wait_until

KEEPS = """
import os, signal, sys
from daemon.cluster.keeper import RayKeeper
command = [sys.executable, "-c", sys.argv[2]]
keeper = RayKeeper(command, os.environ, sys.argv[1], lambda: print("prepared", flush=True))
signal.signal(signal.SIGTERM, lambda *_: keeper.stop())
sys.exit(keeper.run())
"""
# A program with a child of another session, whose own child has lost its parent: as the engines of an actor.
RAY = """
import subprocess, sys, time
orphan = "import os, time; os.fork() and os._exit(0); print('begun', os.getpid(), flush=True); time.sleep(99)"
subprocess.Popen([sys.executable, "-c", orphan], start_new_session=True)
time.sleep(1000)
"""


@contextmanager
def kept(folder: Path, head: socket.socket, program: str) -> Iterator["subprocess.Popen[bytes]"]:
    host, port = head.getsockname()
    with (folder / "log").open("wb") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-c", KEEPS, f"{host}:{port}", program], stdout=log, cwd=REPOSITORY
        )
    try:
        yield keeper
    finally:
        for process in psutil.Process(keeper.pid).children(recursive=True) if keeper.poll() is None else []:
            process.kill()
        keeper.kill()
        keeper.wait()


def listening(port: int = 0) -> socket.socket:
    return socket.create_server(("127.0.0.1", port), backlog=100)


def orphans(folder: Path) -> list[int]:
    lines = (folder / "log").read_text().splitlines()
    return [int(line.split()[1]) for line in lines if line.startswith("begun")]


def test_when_its_head_goes_all_of_ray_ends_and_begins_anew_with_the_next_head(tmp_path: Path) -> None:
    head = listening()
    port = head.getsockname()[1]
    with kept(tmp_path, head, RAY):
        wait_until(lambda: len(orphans(tmp_path)) == 1)
        head.close()
        wait_until(lambda: not psutil.pid_exists(orphans(tmp_path)[0]), limit_s=10)
        with listening(port):
            wait_until(lambda: len(orphans(tmp_path)) == 2)
    assert (tmp_path / "log").read_text().count("prepared") == 2


def test_a_stop_lets_ray_end_and_leaves_nothing(tmp_path: Path) -> None:
    says = "import signal; signal.signal(signal.SIGTERM, lambda *_: (print('told', flush=True), exit(3)))"
    with listening() as head, kept(tmp_path, head, says + RAY) as keeper:
        wait_until(lambda: len(orphans(tmp_path)) == 1)
        keeper.send_signal(signal.SIGTERM)
        assert keeper.wait(20) == 0
        assert "told" in (tmp_path / "log").read_text()
        assert not psutil.pid_exists(orphans(tmp_path)[0])


@pytest.mark.parametrize("code", [0, 7])
def test_when_ray_ends_by_itself_its_code_is_that_of_the_command(tmp_path: Path, code: int) -> None:
    with listening() as head, kept(tmp_path, head, f"exit({code})") as keeper:
        assert keeper.wait(20) == code
