"""Nobody can hold all connections of the control socket: each user has a share, one is the operator's."""

import asyncio
import grp
import os
import pwd
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from daemon.api import client
from daemon.api.connection_limits import MOST, SHARE, ConnectionRefusal, Peer, ReservedFor, refusal
from daemon.api.operators import kept_for
from daemon.core.errors import Crowded
from tests.support.inprocess import Lab

ANNA, BEN, CLEO, DORA = (
    4_000_000_001,
    4_000_000_002,
    4_000_000_003,
    4_000_000_004,
)  # domain users, nobody here
OLGA = 4_000_000_010  # an operator
KEPT = ReservedFor(frozenset({0, os.geteuid()}), frozenset({OLGA}))


@dataclass
class Open:
    """A connection as the shares see it."""

    uid: int
    refusal: ConnectionRefusal | None = None


def connect(opened: list[Peer], uid: int, times: int = 1) -> list[ConnectionRefusal | None]:
    """Open more; what each is told. One that is told nothing at all is closed."""
    told = []
    for _ in range(times):
        told.append(refusal(uid, opened, KEPT))
        if told[-1] is None or not told[-1].mute:
            opened.append(Open(uid, told[-1]))
    return told


def test_one_user_has_a_quarter_and_the_others_are_served_beside_him() -> None:
    opened: list[Peer] = []
    assert connect(opened, ANNA, SHARE) == [None] * SHARE
    (beyond,) = connect(opened, ANNA)
    assert beyond is not None
    assert (beyond.status, beyond.mute) == (429, False)
    assert str(ANNA) in beyond.problem.message
    assert connect(opened, ANNA, 10 * MOST)[-1] is not None
    assert len(opened) == 2 * SHARE, "those that are refused are bounded as well"
    assert connect(opened, BEN, SHARE) == [None] * SHARE
    del opened[0]
    assert connect(opened, ANNA) == [None], "what is refused counts for nothing"


def test_a_quarter_is_kept_for_who_operates_whoever_holds_the_others() -> None:
    opened: list[Peer] = []
    for user in (ANNA, BEN, CLEO):
        connect(opened, user, 10 * MOST)
    (late,) = connect(opened, DORA)
    assert late is not None
    assert late.status == 503
    assert connect(opened, OLGA) == [None]
    assert connect(opened, 0) == [None]
    assert connect(opened, os.geteuid(), SHARE - 2) == [None] * (SHARE - 2)
    (full,) = connect(opened, 0)
    assert full is not None
    assert (full.status, full.mute) == (503, False)


def test_an_operator_has_a_share_as_well() -> None:
    opened: list[Peer] = []
    assert connect(opened, OLGA, SHARE) == [None] * SHARE
    (beyond,) = connect(opened, OLGA)
    assert beyond is not None
    assert beyond.status == 429


def test_the_operators_are_who_is_listed_in_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        grp, "getgrnam", {"staff": SimpleNamespace(gr_mem=["daemon", "no such user"])}.__getitem__
    )
    assert kept_for("staff") == ReservedFor({0, os.geteuid()}, {pwd.getpwnam("daemon").pw_uid})
    assert kept_for("nobody has it") == kept_for("") == ReservedFor({0, os.geteuid()}, set())


@pytest.fixture
def owners(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The daemon's owners, of whom this process's user is none until he is added."""
    owners: set[int] = set()
    monkeypatch.setattr("daemon.app.run.kept_for", lambda name: ReservedFor(owners))
    return owners


@pytest.fixture
def streams() -> Iterator[Callable[[Path], None]]:
    """Fills this user's share with event streams."""
    with ExitStack() as opened:

        def fill(path: Path) -> None:
            for _ in range(SHARE):
                one = opened.enter_context(socket.socket(socket.AF_UNIX))
                one.connect(str(path))
                one.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")

        yield fill


@pytest.mark.anyio
async def test_who_holds_his_share_of_streams_is_told_in_one_line_and_the_operator_is_served(
    tmp_path: Path, streams: Callable[[Path], None], owners: set[int]
) -> None:
    lab = Lab(tmp_path)
    path = lab.config.paths.socket

    def ask() -> None:
        with pytest.raises(Crowded, match=f"holds {SHARE} connections") as told:
            client.get(path, "/status")
        assert str(told.value).count("\n") == 0
        with pytest.raises(Crowded):
            next(client.follow(path, None))

    async with lab.daemon():
        await asyncio.to_thread(streams, path)
        await asyncio.to_thread(ask)
        owners.add(os.geteuid())
        assert (await asyncio.to_thread(client.get, path, "/status"))["paused"] is False
