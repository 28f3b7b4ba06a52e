"""The claims that stay open because of a problem, and when to retry them."""

from collections.abc import Callable, Iterable

from daemon.contracts.values import Claim
from daemon.intake.alarm import IntakeAlarm

_LONGEST_RETRY_S = 60.0
_ATTEMPTS_BEFORE_REST = 3


class Delays:
    """The delayed claims, each with its alarm, and the alarm that delays all of them.

    `retry_at` is the time of the next attempt, by `ticks`: 1 s after the first, at most 60 s after a later
    one; None without one. At the start it is now, since a crash may have left claims.
    """

    def __init__(self, ticks: Callable[[], float]) -> None:
        self._ticks = ticks
        self._claims: dict[str, tuple[Claim, IntakeAlarm]] = {}
        self._of_all: IntakeAlarm | None = None
        self._attempts = 0
        self.retry_at: float | None = ticks()

    @property
    def claims(self) -> list[Claim]:
        """The delayed claims."""
        return [claim for claim, _ in self._claims.values()]

    @property
    def alarms(self) -> list[IntakeAlarm]:
        """The alarms of all delays."""
        return [*([self._of_all] if self._of_all else []), *(alarm for _, alarm in self._claims.values())]

    @property
    def is_due(self) -> bool:
        """Whether it is time for the next attempt."""
        return self.retry_at is not None and self.retry_at <= self._ticks()

    @property
    def is_hopeful(self) -> bool:
        """Whether the next attempt is worth waiting for: after three in vain it is not."""
        return self.retry_at is not None and self._attempts < _ATTEMPTS_BEFORE_REST

    def begin(self) -> None:
        """Record that an attempt begins."""
        self.retry_at = None

    def put(self, delayed: Iterable[tuple[Claim, IntakeAlarm]]) -> None:
        """Delay claims, each with its alarm, and plan an attempt."""
        new = {claim.id: (claim, alarm) for claim, alarm in delayed}
        self._claims |= new
        if new:
            self._plan()

    def put_all(self, alarm: IntakeAlarm) -> None:
        """Delay all claims by this alarm."""
        self._of_all = alarm
        self._plan()

    def resume(self, open_claims: Iterable[Claim]) -> None:
        """End the delay of all claims by one alarm, and that of claims that are no longer open: the error may
        have come after they were done.
        """
        self._of_all = None
        still = {claim.id for claim in open_claims}
        self.end([claim for claim in self.claims if claim.id not in still])

    def end(self, claims: Iterable[Claim]) -> None:
        """End the delay of these claims."""
        for claim in claims:
            self._claims.pop(claim.id, None)
        if not self._claims and self._of_all is None:
            self._attempts = 0

    def _plan(self) -> None:
        if self.retry_at is None:
            self.retry_at = self._ticks() + min(2.0**self._attempts, _LONGEST_RETRY_S)
            self._attempts += 1
