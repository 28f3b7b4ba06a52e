"""A start that fails leaves nothing open, since after a failed reload the same process goes on."""

import threading
from pathlib import Path

import pytest

from daemon.core.errors import AlreadyRunning, ConfigError, IntroEvalError
from daemon.node import LocalNode
from tests.support.inprocess import Lab

pytestmark = pytest.mark.anyio


def database_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("database")]


async def refuse(lab: Lab, error: type[IntroEvalError]) -> None:
    with pytest.raises(error):
        async with lab.daemon():
            raise AssertionError("it must not come up")


async def test_a_socket_that_cannot_be_bound_leaves_no_thread_and_no_database_open(tmp_path: Path) -> None:
    before = database_threads()
    (tmp_path / "file").touch()
    lab = Lab(tmp_path, settings={"paths.socket": "file/introeval.sock"})
    await refuse(lab, ConfigError)
    assert database_threads() == before
    assert not list((tmp_path / "var").glob("*-wal")), "the last connection takes it away when it is closed"


async def test_a_database_that_cannot_be_used_leaves_no_thread(tmp_path: Path) -> None:
    before = database_threads()
    (tmp_path / "var" / "introeval.db").mkdir(parents=True)
    await refuse(Lab(tmp_path), IntroEvalError)
    assert database_threads() == before


async def test_a_socket_on_which_another_daemon_answers_ends_none_of_its_engines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[LocalNode] = []
    aclose = LocalNode.aclose

    async def noted(node: LocalNode) -> None:
        ended.append(node)
        await aclose(node)

    monkeypatch.setattr(LocalNode, "aclose", noted)
    one = Lab(tmp_path / "one")
    other = Lab(tmp_path / "other", settings={"paths.socket": str(one.config.paths.socket)})
    async with one.daemon():
        await refuse(other, AlreadyRunning)
        assert not ended, "both may have the same containers"
        assert one.config.paths.socket.exists()
    assert ended
