import asyncio
import os
from pathlib import Path

import pytest

from introeval_tui.link.client import Client, Garbled, RequestRefused, Unreachable
from tests.tui.fake_daemon import FakeDaemon
from tests.tui.opened import at

pytestmark = pytest.mark.anyio


@pytest.fixture
async def fake(tmp_path: Path) -> FakeDaemon:
    fake = at(tmp_path)
    await fake.start()
    return fake


async def test_requests_share_one_connection(fake: FakeDaemon) -> None:
    client = Client(fake.path)
    await asyncio.gather(*(client.get("/status") for _ in range(5)))
    assert len(fake._open) == 1
    assert b'"pid":4242' in await client.get("/status")
    client.close()
    await fake.kill()


async def test_a_connection_that_the_daemon_closed_is_opened_again(fake: FakeDaemon) -> None:
    client = Client(fake.path)
    await client.get("/status")
    await fake.kill()
    await fake.restart()
    assert b'"pid":4243' in await client.get("/status")
    client.close()
    await fake.kill()


async def test_an_order_is_never_sent_twice(fake: FakeDaemon) -> None:
    client = Client(fake.path)
    await client.get("/status")
    fake.garbage = b"no HTTP\r\n\r\n"
    with pytest.raises(Garbled):
        await client.post("/pause")
    assert fake.asked("POST") == ["POST /pause"]
    await fake.kill()


async def test_what_the_daemon_refuses_is_said_in_its_words(fake: FakeDaemon) -> None:
    fake.refuse = (409, "task 3 is \x1bcompleted")
    with pytest.raises(RequestRefused, match="task 3 is \ufffdcompleted") as caught:
        await Client(fake.path).post("/tasks/3/cancel")
    assert caught.value.code == 409
    with pytest.raises(RequestRefused, match="error 404"):
        await Client(fake.path).get("/nothing")
    await fake.kill()


async def test_no_socket_says_how_to_start_the_daemon(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="no daemon runs") as caught:
        await Client(tmp_path / "none").get("/status")
    assert "systemctl start introeval" in caught.value.fix


async def test_a_socket_of_a_dead_daemon_says_so(fake: FakeDaemon) -> None:
    await fake.kill()
    with pytest.raises(Unreachable, match="the daemon has ended"):
        await Client(fake.path).get("/status")


async def test_a_socket_that_may_not_be_opened_names_the_group(
    fake: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "denied")

    monkeypatch.setattr(asyncio, "open_unix_connection", denied)  # root may open every socket
    with pytest.raises(Unreachable, match="permission denied") as caught:
        await Client(fake.path).get("/status")
    assert "usermod -aG" in caught.value.fix
    assert os.stat(fake.path).st_gid >= 0
    await fake.kill()


async def test_a_daemon_that_says_nothing_is_given_up(fake: FakeDaemon) -> None:
    fake.silent = True
    with pytest.raises(Unreachable, match=r"no answer in 0\.05 s"):
        await Client(fake.path).get("/status", timeout=0.05)
    await fake.kill()


async def test_after_a_broken_answer_the_next_is_read_from_its_beginning(fake: FakeDaemon) -> None:
    client = Client(fake.path)
    fake.delay_s = 0.2
    with pytest.raises(Unreachable):
        await client.get("/gpu", timeout=0.05)
    fake.delay_s = 0
    assert b'"api_version"' in await client.get("/status")
    client.close()
    await fake.kill()


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 two OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -4\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"x" * 100_000,
    ],
)
async def test_garbage_is_called_garbage(fake: FakeDaemon, garbage: bytes) -> None:
    fake.garbage = garbage
    with pytest.raises(Garbled, match="not an IntroEval daemon"):
        await Client(fake.path).get("/status", timeout=5)
    await fake.kill()


async def test_chunked_answers_are_read(fake: FakeDaemon) -> None:
    fake.garbage = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
    )
    assert await Client(fake.path).get("/status") == b"abcde"
    await fake.kill()
