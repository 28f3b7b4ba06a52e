"""The uncertainty of a forecast: the likely range of a future time."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from daemon.core.forecast.durations import Pace
from daemon.core.schedule.decision import Policy
from daemon.core.tasks.task import Stage

_LIKELY = 1.2816  # standard deviations to either side hold four of five
_UNKNOWN = 0.02  # share of the whole by which classes differ beside chance


@dataclass(frozen=True, slots=True)
class LikelyRange:
    """A future time in epoch seconds: `expected`, and the bounds within which four of five lie."""

    expected: float
    earliest: float
    latest: float


class Uncertainty:
    """The uncertainty of the time that work takes.

    Chance grows with the square root of the number of attempts, the error of their mean in proportion to it.
    Stages beside each other end with the slower one, which is later than either is expected to end.
    """

    def __init__(self, policy: Policy) -> None:
        self._groups = policy.residency
        self._chance = dict.fromkeys(Stage, 0.0)
        self._ignorance = dict.fromkeys(Stage, 0.0)
        self._late = 0.0
        self._work = dict.fromkeys(Stage, 0.0)
        self._variance = dict.fromkeys(Stage, 0.0)

    def add(self, stage: Stage, share_s: float, pace: Pace) -> None:
        """Add an attempt that keeps its stage busy for `share_s` seconds."""
        variance = (pace.spread * share_s) ** 2
        self._chance[stage] += variance
        self._ignorance[stage] += pace.spread * share_s / sqrt(len(pace.ratios))
        self._work[stage] += share_s
        self._variance[stage] += variance

    def next_phase(self) -> None:
        """Another group is loaded: the work before has ended."""
        self._late = self._lateness()
        self._work = dict.fromkeys(Stage, 0.0)
        self._variance = dict.fromkeys(Stage, 0.0)

    def about(self, at: float, now: float) -> LikelyRange:
        """The range of a time that would be `at` if everything took as long as expected."""
        variance = (_UNKNOWN * (at - now)) ** 2
        for group in self._groups:
            variance += max(self._chance[s] for s in group) + max(self._ignorance[s] for s in group) ** 2
        expected, slack = at + self._lateness(), _LIKELY * sqrt(variance)
        return LikelyRange(expected, max(now, expected - slack), expected + slack)

    def _lateness(self) -> float:
        """The excess of the larger of two normal variables (Clark, Operations Research 9, 1961)."""
        busiest = sorted(((self._work[s], self._variance[s]) for s in Stage if self._work[s]), reverse=True)[
            :2
        ]
        if len(busiest) < 2:
            return self._late
        (more, one), (less, other) = busiest
        spread = sqrt(one + other)
        if not spread:
            return self._late
        normal, apart = NormalDist(), (more - less) / spread
        return self._late + spread * normal.pdf(apart) - (more - less) * normal.cdf(-apart)


def behind(last: LikelyRange, seconds: float) -> LikelyRange:
    """The range of an end that follows another by so many seconds, as in a long queue."""
    slack = _UNKNOWN * _LIKELY * seconds
    return LikelyRange(
        last.expected + seconds, last.earliest + seconds - slack, last.latest + seconds + slack
    )
