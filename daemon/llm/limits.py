"""The time limits of one engine's answers. They outlive its starts, and learn from each."""

from dataclasses import dataclass

from daemon.core.learnt_limit import LearntLimit

ON_PROCESSOR = 6.0
"""A processor reads a long prompt without a sign of life: so many times the usual pause is allowed there."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What one answer may take, in seconds: each pause without a sign of life, and the whole of it."""

    pause_s: float
    whole_s: float


class AnswerLimits:
    """The limits of an engine's answers, by default those of the configuration.

    `load_s` is for an answer of a start, however long its pauses: the machine may be reading the weights, or
    a long prompt. Its pauses show the pace for the answers that follow, which stand under `stall_s` without a
    sign of life and `timeout_s` as a whole. An answer that a limit ended doubles that limit.
    """

    def __init__(
        self, *, load_s: float = 180.0, stall_s: float = 20.0, timeout_s: float = 300.0, times: float = 1.0
    ) -> None:
        """`times` lengthens `stall_s`, as `lengthen` does."""
        self._stall_s = stall_s
        self.load = LearntLimit(load_s)
        self.stall = LearntLimit(stall_s * times)
        self.whole = LearntLimit(timeout_s)

    def lengthen(self, times: float) -> None:
        """Allow `times` the configured pause as the usual one."""
        self.stall = LearntLimit(self._stall_s * times, self.stall.shown)

    def of(self, *, start: bool) -> Allowed:
        """The limits of an answer that begins now."""
        return Allowed(self.load.now, self.load.now) if start else Allowed(self.stall.now, self.whole.now)

    def answered(self, pause_s: float, whole_s: float, *, start: bool) -> None:
        """Learn from an answer: its longest pause, and how long it took."""
        self.stall = self.stall.passed(pause_s)
        if start:
            self.load = self.load.passed(whole_s)
        else:
            self.whole = self.whole.passed(whole_s)

    def ran_out(self, after_s: float, *, start: bool, pause: bool) -> None:
        """Learn from an answer that a limit of `after_s` ended: that of a `pause`, or of the whole."""
        if start:
            self.load = self.load.ran_out(after_s)
        elif pause:
            self.stall = self.stall.ran_out(after_s)
        else:
            self.whole = self.whole.ran_out(after_s)
