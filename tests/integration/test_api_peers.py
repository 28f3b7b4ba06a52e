"""Who may change things: the kernel's word for who asks, held against the owner and the operators' group."""

import asyncio
import contextlib
import grp
import os
import pwd
import socket
from pathlib import Path

import pytest

from daemon.api.connection_limits import SHARE
from daemon.api.operators import operators
from tests.support.inprocess import Lab

NOBODY = 65534


def test_the_owner_and_root_may_and_others_may_not() -> None:
    may = operators("")
    assert may(0)
    assert may(os.geteuid())
    assert not may(NOBODY)
    assert not may(-1)


def test_who_is_in_the_operators_group_may() -> None:
    someone = next(user for user in pwd.getpwall() if user.pw_uid not in (0, os.geteuid()))
    group = grp.getgrgid(someone.pw_gid).gr_name
    assert operators(group)(someone.pw_uid)
    assert not operators("no such group")(someone.pw_uid)
    assert not operators(group)(4_000_000), "a user id that nobody has"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to ask as somebody else")
@pytest.mark.anyio
async def test_another_user_reads_and_is_refused_to_change(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon() as daemon:
        with socket.socket(socket.AF_UNIX) as read, socket.socket(socket.AF_UNIX) as change:
            _connect_as_nobody(lab.config.paths.socket, read, change)
            assert b" 200 " in await _answer(read, b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
            refused = await _answer(change, b"POST /pause HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            assert b" 403 " in refused
        assert not daemon.supervisor.orders.paused


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to ask as somebody else")
@pytest.mark.anyio
async def test_another_users_streams_leave_room_for_the_operator(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    async with lab.daemon():
        path = lab.config.paths.socket
        with contextlib.ExitStack() as opened:
            streams = [opened.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(SHARE + 1)]
            _connect_as_nobody(path, *streams)
            for stream in streams[:-1]:
                assert b" 200 " in await _answer(stream, b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
            refused = await _answer(streams[-1], b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 429 " in refused
            operator = opened.enter_context(socket.socket(socket.AF_UNIX))
            operator.connect(str(path))
            assert b" 200 " in await _answer(operator, b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")


def _connect_as_nobody(path: Path, *sockets: socket.socket) -> None:
    """The kernel notes who it is that connects at the moment of it.

    The folder of the test is closed to others, so the socket is reached as the working directory's.
    """
    path.chmod(0o666)  # as if the other user were in the socket's group
    before = os.open(".", os.O_PATH)
    os.chdir(path.parent)
    os.chmod(path.parent, 0o755)
    os.seteuid(NOBODY)
    try:
        for each in sockets:
            each.connect(path.name)
    finally:
        os.seteuid(0)
        os.fchdir(before)
        os.close(before)


async def _answer(asked: socket.socket, request: bytes) -> bytes:
    asked.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(asked, request)
    async with asyncio.timeout(20):
        return await loop.sock_recv(asked, 4096)
