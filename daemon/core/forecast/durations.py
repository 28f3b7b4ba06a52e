"""The durations of attempts and switches on this machine, learnt from its own history. What it does not
show yet is assumed as planned.

stt depends on the length of the video, the models on their stage, a switch on the group it leaves and the
one it loads. An attempt also depends on how many run beside it, as `batch_curve` learns it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, median

from daemon.core.schedule.batch_curve import (
    FIRST_GUESS,
    ONE_AFTER_ANOTHER,
    BatchCurve,
    Spent,
    learn_curve,
    spent,
)
from daemon.core.schedule.decision import Policy
from daemon.core.schedule.phase_state import Group
from daemon.core.tasks.task import Stage

_OUTLIER = 4.0  # times the median; longer ones are cut: a hang says nothing of the next attempt
_USUAL_SPREAD = 0.2
_BELIEF = 2.0  # the assumption before any measurement weighs as much as so many attempts
_LEAST_LEFT = 0.1  # of the expected duration: what still runs is not expected to end at once
_PLANNED_S = {Stage.STT: 10.0, Stage.EXTRACT: 20.0, Stage.RATE: 20.0}
_PLANNED_SWITCH_S = 5.0


@dataclass(frozen=True, slots=True)
class MeasuredAttempt:
    """An attempt that gave its stage's outcome: its seconds, the video's, and how it spent them beside others
    (empty: alone). `on_processor`: its engine has no GPU.
    """

    seconds: float
    media_s: float
    spent: Spent = ()
    on_processor: bool = False


@dataclass(frozen=True, slots=True)
class MeasuredSwitch:
    """A verified switch: from which group (None: from nothing) to which, and its seconds."""

    leaving: Group | None
    entering: Group
    seconds: float


@dataclass(frozen=True, slots=True)
class Pace:
    """The duration of an attempt at one stage.

    Alone it is `mean_s` for a video of `media_s` seconds, and `per_s` more for each further second; beside
    others as `curve` says. `ratios`, sorted, are the past durations over what this would have predicted.
    """

    mean_s: float
    media_s: float
    per_s: float
    ratios: tuple[float, ...]
    curve: BatchCurve = FIRST_GUESS

    def alone(self, media_s: float) -> float:
        """The expected duration, in seconds, of an attempt with none beside it."""
        return max(0.0, self.mean_s + self.per_s * (media_s - self.media_s if media_s > 0 else 0.0))

    def seconds(self, media_s: float, at_once: float) -> float:
        """The expected duration of an attempt, in seconds."""
        return self.alone(media_s) / self.curve.share(at_once)

    def left(self, media_s: float, at_once: float, elapsed_s: float) -> float:
        """The expected rest, in seconds, of an attempt that has run for `elapsed_s`: the mean over the past
        attempts that took longer than that.
        """
        whole = self.seconds(media_s, at_once)
        longer = [whole * ratio - elapsed_s for ratio in self.ratios if whole * ratio > elapsed_s]
        return fmean(longer) if longer else _LEAST_LEFT * whole

    @property
    def spread(self) -> float:
        """The standard deviation of an attempt's duration, as a share of the expected one."""
        squares = sum((ratio - 1.0) ** 2 for ratio in self.ratios)
        return sqrt((squares + _BELIEF * _USUAL_SPREAD**2) / (len(self.ratios) - 1 + _BELIEF))


@dataclass(frozen=True, slots=True)
class Durations:
    """The pace of each stage, learnt or planned. `switches` were measured, the latest of each kind first."""

    paces: Mapping[Stage, Pace]
    switches: Sequence[MeasuredSwitch] = ()

    @property
    def curves(self) -> Mapping[Stage, BatchCurve]:
        """What several attempts at a time gain, of the stages where any had others beside them."""
        guesses = FIRST_GUESS, ONE_AFTER_ANOTHER
        return {stage: pace.curve for stage, pace in self.paces.items() if pace.curve not in guesses}

    @property
    def is_planned(self) -> bool:
        """Whether the pace of a stage was never measured."""
        return any(pace is PLANNED.paces[stage] for stage, pace in self.paces.items())

    def switch_s(self, leaving: Group | None, entering: Group | None) -> float:
        """The duration of a switch in seconds; 0 for stopping everything.

        The median of this very switch, else of all to the same group, else of all, else as planned.
        """
        if entering is None:
            return 0.0
        to_it = [each for each in self.switches if each.entering == entering]
        same = [each.seconds for each in to_it if each.leaving == leaving]
        return median(
            same or [e.seconds for e in to_it] or [e.seconds for e in self.switches] or [_PLANNED_SWITCH_S]
        )

    def round_s(self, policy: Policy) -> float:
        """The seconds of all switches in one round through the residency; 0 without any."""
        groups = policy.residency
        if len(groups) == 1:
            return 0.0
        return sum(self.switch_s(groups[place - 1], group) for place, group in enumerate(groups))

    def share(self, stage: Stage, at_once: int) -> float:
        """The speed of one of so many attempts at a stage, as a share of its speed alone."""
        return self.paces[stage].curve.share(at_once)

    def work_s(self, policy: Policy) -> float:
        """The seconds that one more task keeps the node busy in a full round, without its switches.

        Engines of one group work beside each other, so the slowest of them counts.
        """
        return sum(max(self.share_s(stage, policy) for stage in group) for group in policy.residency)

    def share_s(self, stage: Stage, policy: Policy) -> float:
        """The seconds that one more task adds to a stage that works on as many as it can."""
        pace, slots = self.paces[stage], policy.parallel[stage]
        return pace.seconds(pace.media_s, slots) / slots


def learn_pace(attempts: Sequence[MeasuredAttempt], *, by_media: bool) -> Pace:
    """Fit one stage. `by_media`: it depends on the length of the video. `attempts` must not be empty."""
    highest = _OUTLIER * median(t.seconds for t in attempts)
    spans = [_cut(t, highest) for t in attempts]
    curve = learn_curve(spans, ONE_AFTER_ANOTHER if attempts[0].on_processor else FIRST_GUESS)
    seconds = [sum(s * share for s, share in zip(span, curve.shares, strict=True)) for span in spans]
    mean_s, media_s = fmean(seconds), fmean(t.media_s for t in attempts)
    per_s = 0.0
    if by_media and media_s > 0:
        # Assume "twice as long takes twice as long", as far as the lengths seen do not show otherwise.
        assumed = mean_s / media_s
        belief = _BELIEF * (_USUAL_SPREAD * media_s) ** 2
        apart = [t.media_s - media_s for t in attempts]
        rise = sum(d * (s - mean_s) for d, s in zip(apart, seconds, strict=True))
        per_s = (rise + belief * assumed) / (sum(d * d for d in apart) + belief)
        per_s = min(max(per_s, 0.0), assumed)
    flat = [mean_s + per_s * (t.media_s - media_s) for t in attempts]
    ratios = [s / f if f > 0 else 1.0 for s, f in zip(seconds, flat, strict=True)]
    return Pace(mean_s, media_s, per_s, tuple(sorted(ratios)), curve)


def learn(
    attempts: Mapping[Stage, Sequence[MeasuredAttempt]], switches: Sequence[MeasuredSwitch]
) -> Durations:
    """The durations in a history, the latest first; as planned for a stage that was not measured."""
    paces = {
        stage: learn_pace(known, by_media=stage is Stage.STT)
        if (known := attempts.get(stage))
        else PLANNED.paces[stage]
        for stage in Stage
    }
    return Durations(paces, tuple(switches))


def _cut(attempt: MeasuredAttempt, highest_s: float) -> Spent:
    """The seconds of an attempt at each level, cut to `highest_s` in all."""
    if not attempt.spent:
        return spent(min(attempt.seconds, highest_s), 1.0)
    share = min(1.0, highest_s / attempt.seconds) if attempt.seconds > 0 else 1.0
    return tuple(seconds * share for seconds in attempt.spent)


PLANNED = Durations({stage: Pace(seconds, 60.0, 0.0, (1.0,)) for stage, seconds in _PLANNED_S.items()})
"""The durations assumed without measurements: 10, 20 and 20 s for the stages, and 5 s a switch."""
