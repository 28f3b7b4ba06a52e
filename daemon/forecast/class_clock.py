"""The class clock as it is shown: how many are done, when the rest is, and whether the deadline holds."""

from collections.abc import Callable, Set

from daemon.contracts.wire.status import Clock
from daemon.core.forecast.class_roll import Roll
from daemon.core.forecast.uncertainty import LikelyRange
from daemon.core.timestamps import to_iso


def face(
    roll: Roll,
    left: Set[int],
    end: LikelyRange | None,
    deadline: float | None,
    now: float,
    why_late: Callable[[], str],
) -> Clock | None:
    """The clock at `now`; None before there was a class. `left` are its open tasks, `end` is when they are
    expected to be done. A deadline from before the class began counts as another class's.

    It is at risk as soon as it may be missed, and not only when it will be, so that there is time to act.
    """
    if not roll.total:
        return None
    if not left:
        end = LikelyRange(roll.ended_at, roll.ended_at, roll.ended_at) if roll.ended_at else None
    if deadline is not None and deadline < roll.began_at:
        deadline = None
    spare_s, at_risk = _risk(end, deadline, now)
    return Clock(
        done=roll.total - len(left),
        total=roll.total,
        expected_at=None if end is None else to_iso(end.expected),
        earliest_at=None if end is None else to_iso(end.earliest),
        latest_at=None if end is None else to_iso(end.latest),
        deadline=None if deadline is None else to_iso(deadline),
        spare_s=spare_s,
        at_risk=at_risk,
        cause=why_late() if deadline is not None and at_risk and left else "",
    )


def _risk(end: LikelyRange | None, deadline: float | None, now: float) -> tuple[float | None, bool]:
    """The seconds to spare, if they are known, and whether the deadline is at risk."""
    if deadline is None:
        return None, False
    if end is None:
        return (deadline - now, True) if now > deadline else (None, False)
    return deadline - end.expected, end.latest > deadline
