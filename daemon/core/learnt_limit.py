"""A time limit that learns how slow this machine is, so that no limit can end a slow start for ever."""

from dataclasses import dataclass, replace
from typing import Self

TIMES = 4.0  # a limit is at least this many times what the machine has been seen to take
_FADE = 0.9  # one success after the other forgets what was learnt, until the latest counts again
_MOST = 8.0  # times the usual limit: a limit that was too short grows to this, and no further


@dataclass(frozen=True, slots=True)
class LearntLimit:
    """A limit of `usual`, and more on a machine that has shown that it needs more.

    In seconds, or in any other measure of time. `shown` is the longest that something of its kind took.
    """

    usual: float
    shown: float = 0.0

    @property
    def now(self) -> float:
        """The present limit."""
        return max(self.usual, TIMES * self.shown)

    def passed(self, took: float) -> Self:
        """The limit after something ended by itself, which took so long."""
        return replace(self, shown=max(took, _FADE * self.shown))

    def ran_out(self, after: float) -> Self:
        """The limit after one of `after` ended something: twice that, so that the next attempt has longer."""
        doubled = min(2 * after, max(after, _MOST * self.usual))
        return replace(self, shown=max(self.shown, doubled / TIMES))
