"""What the tests in real terminals share: one tmux server, one scripted daemon a module, folders for both."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.engine import absent
from tests.terminal.desk import Desk, Played, played
from tests.terminal.ssh import Server, serving
from tests.terminal.tmux import Tmux, nothing_left_behind


@pytest.fixture(scope="session")
def tmux() -> Iterator[Tmux]:
    """The server of this run of tests."""
    if shutil.which("tmux") is None:
        absent("tmux is not installed (Debian: tmux)")
    folder = Path(tempfile.mkdtemp(prefix="introeval-tmux-"))
    server = Tmux(folder / "socket")
    try:
        yield server
    finally:
        server.close()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that other users may look into, with a path short enough for a socket."""
    path = Path(tempfile.mkdtemp(prefix="introeval-terminal-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


@pytest.fixture(scope="module")
def daemon(folder: Path) -> Iterator[Played]:
    """A scripted daemon of this module."""
    with played(folder / "s") as daemon:
        yield daemon


@pytest.fixture
def desk(tmux: Tmux, folder: Path) -> Iterator[Desk]:
    """Where dashboards are opened. At the end all are closed, and none may live on."""
    desk = Desk(tmux, folder)
    try:
        yield desk
    finally:
        desk.close()
    nothing_left_behind(str(folder))


@pytest.fixture(scope="module")
def ssh() -> Iterator[Server]:
    """An SSH server of this module."""
    path = Path(tempfile.mkdtemp(prefix="introeval-sshd-"))
    try:
        with serving(path) as server:
            yield server
    finally:
        shutil.rmtree(path)
