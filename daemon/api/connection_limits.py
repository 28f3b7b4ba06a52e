"""Who may hold how many connections of the control socket, so that no reader can hold them all.

A connection that is beyond a limit is answered with a line that says so, and closed. That takes its request,
which may not come: so at twice the limit there is no answer at all.
"""

from collections.abc import Collection, Iterator, Set
from dataclasses import dataclass
from typing import Protocol

from daemon.contracts.wire.base import Problem
from daemon.core.errors import Crowded

MOST = 200
"""So many connections are served; the files that the work needs stay free."""
SHARE = MOST // 4
"""So many of them one user may hold, and so many are kept for root, the daemon's user and the operators."""

_TOO_MANY, _UNAVAILABLE = 429, 503


@dataclass(frozen=True, slots=True)
class ConnectionRefusal:
    """What a connection beyond a limit is answered; `mute` when it is closed without an answer."""

    status: int
    problem: Problem
    mute: bool


class Peer(Protocol):
    """One end of a connection: whose it is, and why it is not served."""

    uid: int
    refusal: ConnectionRefusal | None


@dataclass(frozen=True, slots=True)
class _Limit:
    """At most so many of these connections are served."""

    of: list[Peer]
    most: int
    status: int
    message: str


@dataclass(frozen=True, slots=True)
class ReservedFor:
    """For whom a part is kept: `owners` (root and the daemon's user) have no share, `operators` have one."""

    owners: Set[int]
    operators: Set[int] = frozenset()


def refusal(uid: int, others: Collection[Peer], kept: ReservedFor) -> ConnectionRefusal | None:
    """Why one more connection of a user is not served beside the `others` that are open; None if it is."""
    for limit in _limits(uid, others, kept):
        served = sum(peer.refusal is None for peer in limit.of)
        if served >= limit.most:
            problem = Problem(error=Crowded.__name__, message=limit.message)
            return ConnectionRefusal(limit.status, problem, mute=len(limit.of) >= 2 * limit.most)
    return None


def _limits(uid: int, others: Collection[Peer], kept: ReservedFor) -> Iterator[_Limit]:
    if uid not in kept.owners:
        mine = [peer for peer in others if peer.uid == uid]
        told = f"user {uid} holds {SHARE} connections, which is the share of one; close some, and ask again"
        yield _Limit(mine, SHARE, _TOO_MANY, told)
    known = kept.owners | kept.operators
    if uid not in known:
        users = [peer for peer in others if peer.uid not in known]
        most = MOST - SHARE
        told = f"{most} connections are open, and the others are kept for the operators; ask again later"
        yield _Limit(users, most, _UNAVAILABLE, told)
    told = f"{MOST} connections are open, which is all that there are; ask again later"
    yield _Limit(list(others), MOST, _UNAVAILABLE, told)
