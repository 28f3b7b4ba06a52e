"""The class clock as it is shown: how many are done, when the rest is, and whether the deadline holds."""

from collections.abc import Callable, Mapping, Set

from daemon.contracts.wire.status import Clock
from daemon.contracts.wire.words import ClockState
from daemon.core.forecast.class_roll import Roll
from daemon.core.forecast.uncertainty import LikelyRange
from daemon.core.timestamps import to_iso

_RISKS = (ClockState.AT_RISK, ClockState.LATE, ClockState.MISSED)


def face(
    roll: Roll,
    left: Set[int],
    end: LikelyRange | None,
    deadline: float | None,
    now: float,
    why_late: Callable[[], str],
    *,
    paused: bool = False,
    guess: bool = False,
    outcomes: Mapping[str, int] | None = None,
) -> Clock | None:
    """The clock at `now`; None without a class and a deadline. `left` are the class's open tasks, `end` is
    when they are expected to be done, and `guess` says that nothing of it was measured.

    A deadline is shown as soon as it is set. One that had passed when the class began is another class's.
    """
    if deadline is not None and deadline < (roll.began_at if roll.total else now):
        deadline = None
    if not roll.total:
        return None if deadline is None else Clock(done=0, total=0, deadline=to_iso(deadline))
    if not left:
        end = LikelyRange(roll.ended_at, roll.ended_at, roll.ended_at) if roll.ended_at else None
    state = state_of(bool(left), end, deadline, now, paused=paused)
    if state is ClockState.PAUSED:
        end = None
    return Clock(
        done=roll.total - len(left),
        total=roll.total,
        expected_at=None if end is None else to_iso(end.expected),
        earliest_at=None if end is None else to_iso(end.earliest),
        latest_at=None if end is None else to_iso(end.latest),
        deadline=None if deadline is None else to_iso(deadline),
        spare_s=_spare_s(state, end, deadline, now),
        cause=why_late() if state in _RISKS else "",
        state=state,
        guess=guess and bool(left) and end is not None,
        outcomes=dict(outcomes or {}),
    )


def state_of(
    is_open: bool, end: LikelyRange | None, deadline: float | None, now: float, *, paused: bool
) -> ClockState:
    """The state of a class. 1. Without an open task it is done. 2. A deadline that has passed is missed,
    whatever else. 3. A pause makes no forecast. 4. Else the forecast is held against the deadline: at risk as
    soon as it may be missed, so that there is time to act.
    """
    if not is_open:  # 1
        return ClockState.DONE
    if deadline is not None and now > deadline:  # 2
        return ClockState.MISSED
    if paused:  # 3
        return ClockState.PAUSED
    if deadline is None or end is None:  # 4
        return ClockState.RUNNING
    if end.expected > deadline:
        return ClockState.LATE
    return ClockState.AT_RISK if end.latest > deadline else ClockState.ON_TIME


def _spare_s(state: ClockState, end: LikelyRange | None, deadline: float | None, now: float) -> float | None:
    """The seconds between the end and the deadline; of a missed one without a forecast those since it."""
    if deadline is None:
        return None
    if end is None:
        return deadline - now if state is ClockState.MISSED else None
    return deadline - end.expected
