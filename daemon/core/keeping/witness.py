"""Witnessed time: how long something has been kept, counted so that no clock alone makes it longer.

The wall clock can be wrong by any amount at any start. So deletion after some time depends on a count of
its own, in seconds, from two clocks: the wall clock and the one that runs since the machine was booted.

1. The count begins with the first look.
2. Within one boot the boot clock says how much time has passed; any other movement of the wall clock was a
   setting, and is no time.
3. Across a boot the wall clock says it, less what it was behind before.
4. Certain is what the boot clock says, up to a day for one look. Across a boot that is the time since it;
   where the boot's id can't be trusted, the advance of this clock.
5. Of the rest, one day is given on credit; anything beyond it is doubted, and not counted yet.
6. A clock that is set back takes first from what is doubted: that was the mistake. Else it is behind.
7. After 24 certain hours in which nobody set the clock the credit is renewed, and what was doubted
   before these hours is counted.

So a summer in which the machine was off counts in the end, at the latest when it has run for 48 hours; and a
clock that is a month ahead can be corrected for a day, before anything is deleted.
"""

from dataclasses import dataclass

from daemon.core.alarms import Trouble, trouble

STEP_S = 86_400.0  # rules 4 and 5
PROOF_S = 86_400.0  # rule 7
_SET_S = 60.0  # a larger difference of the two clocks is no slew
_TOLD_S = 3 * 86_400.0  # a weekend off is not reported


@dataclass(frozen=True, slots=True)
class Reading:
    """Both clocks at one moment: seconds since the epoch, and seconds since the boot with the id `boot`.

    `boot` is empty where the system does not give it.
    """

    wall: float
    boot: str
    uptime: float


@dataclass(frozen=True, slots=True)
class Witness:
    """The last reading, and the count until then. All in seconds.

    `doubted` and `fresh` are not counted yet: doubted before the present proof began, and since then.
    `behind` is how far the wall clock is behind an earlier reading, `proof` how long nobody has set it,
    `set_ahead` how far it was set ahead before that.
    """

    wall: float
    boot: str
    uptime: float
    witnessed: float = 0.0
    doubted: float = 0.0
    fresh: float = 0.0
    behind: float = 0.0
    credit: float = STEP_S
    proof: float = 0.0
    set_ahead: float = 0.0


def look(last: Witness | None, now: Reading) -> Witness:
    """The count at `now`. The numbers are the rules of this module."""
    if last is None:  # 1
        return Witness(now.wall, now.boot, now.uptime)
    moved = now.wall - last.wall
    ran = now.uptime - last.uptime if now.uptime >= last.uptime else now.uptime
    same_boot = now.boot == last.boot and now.uptime >= last.uptime
    if same_boot:  # 2
        passed = ran
        turned = moved - passed if abs(moved - passed) > _SET_S else 0.0
        forward, back = max(0.0, turned), max(0.0, -turned)
        set_ahead = max(0.0, last.set_ahead + turned)
    else:  # 3
        passed = max(0.0, moved - last.behind)
        forward, back = max(0.0, moved), max(0.0, -moved)
        set_ahead = last.set_ahead
    certain = min(passed, ran, STEP_S)  # 4
    credited = min(passed - certain, last.credit)  # 5
    fresh, rest = _less(last.fresh, back)  # 6
    doubted, rest = _less(last.doubted, rest)
    was_set = (same_boot and forward > 0.0) or back > _SET_S
    seen = Witness(
        now.wall,
        now.boot,
        now.uptime,
        witnessed=last.witnessed + certain + credited,
        doubted=doubted,
        fresh=fresh + passed - certain - credited,
        behind=max(0.0, last.behind - forward) + rest,
        credit=last.credit - credited,
        proof=0.0 if was_set else last.proof + certain,
        set_ahead=set_ahead,
    )
    return _proved(seen) if seen.proof >= PROOF_S else seen


def complaint(seen: Witness) -> Trouble | None:
    """The alarm about the clock, or None when nothing is strange."""
    waiting = seen.doubted + seen.fresh
    if waiting >= _TOLD_S:
        left_s = PROOF_S - seen.proof + (PROOF_S if seen.fresh else 0.0)
        told = f"the clock has gone ahead by {_days(waiting)} while nothing was watching it"
        until = f"deletions, for which this counts after {left_s / 3600:.0f} more hours of running"
        return trouble("clock", told, affects=until, fix="if the clock is wrong, set it before then")
    if seen.set_ahead >= _TOLD_S:
        told = f"the clock was set ahead by {_days(seen.set_ahead)} while the machine ran"
        return trouble("clock", told, affects="deletions, for which this does not count")
    return None


def _proved(seen: Witness) -> Witness:  # 7
    return Witness(
        seen.wall,
        seen.boot,
        seen.uptime,
        witnessed=seen.witnessed + seen.doubted,
        doubted=seen.fresh,
        behind=seen.behind,
    )


def _less(amount: float, taken: float) -> tuple[float, float]:
    """The rest of an amount, and the rest of what was to be taken from it."""
    return max(0.0, amount - taken), max(0.0, taken - amount)


def _days(seconds: float) -> str:
    return f"{seconds / 86_400:.0f} days"
