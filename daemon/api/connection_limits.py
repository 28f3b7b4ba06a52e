"""Limits on the connections to the control socket, so that no reader can hold them all.

A connection beyond a limit is answered with an error and closed. The answer waits for the request, which may
never come, so beyond twice the limit a connection is closed without one.
"""

from collections.abc import Collection, Iterator, Set
from dataclasses import dataclass
from typing import Protocol

from daemon.contracts.wire.base import Problem
from daemon.core.errors import Crowded

MOST = 200
"""The most connections that are served: the process needs file descriptors for the work as well."""
SHARE = MOST // 4
"""The most that one user may hold, and the number kept for root, the daemon's user and the operators."""

_TOO_MANY, _UNAVAILABLE = 429, 503


@dataclass(frozen=True, slots=True)
class ConnectionRefusal:
    """The answer to a connection beyond a limit; `mute` when it is closed without one."""

    status: int
    problem: Problem
    mute: bool


class Peer(Protocol):
    """A connected client: its user id, and why it is not served, or None."""

    uid: int
    refusal: ConnectionRefusal | None


@dataclass(frozen=True, slots=True)
class _Limit:
    """A limit: at most `most` of the connections `of` are served."""

    of: list[Peer]
    most: int
    status: int
    message: str


@dataclass(frozen=True, slots=True)
class ReservedFor:
    """The user ids with kept connections. Only `operators` have a share; `owners` are root and the daemon."""

    owners: Set[int]
    operators: Set[int] = frozenset()


def refusal(uid: int, others: Collection[Peer], kept: ReservedFor) -> ConnectionRefusal | None:
    """The refusal of one more connection of user `uid` beside the open `others`; None when it is served."""
    for limit in _limits(uid, others, kept):
        served = sum(peer.refusal is None for peer in limit.of)
        if served >= limit.most:
            problem = Problem(error=Crowded.__name__, message=limit.message)
            return ConnectionRefusal(limit.status, problem, mute=len(limit.of) >= 2 * limit.most)
    return None


def _limits(uid: int, others: Collection[Peer], kept: ReservedFor) -> Iterator[_Limit]:
    if uid not in kept.owners:
        mine = [peer for peer in others if peer.uid == uid]
        told = f"user {uid} holds {SHARE} connections, the most for one user; close some, and try again"
        yield _Limit(mine, SHARE, _TOO_MANY, told)
    known = kept.owners | kept.operators
    if uid not in known:
        users = [peer for peer in others if peer.uid not in known]
        most = MOST - SHARE
        told = f"{most} connections are open, and the others are kept for the operators; try again later"
        yield _Limit(users, most, _UNAVAILABLE, told)
    told = f"{MOST} connections are open, the most that are served; try again later"
    yield _Limit(list(others), MOST, _UNAVAILABLE, told)
