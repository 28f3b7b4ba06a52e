"""The claims that stay open since something hinders them, and when to go on with them."""

from collections.abc import Callable, Iterable

from daemon.contracts.values import Claim
from daemon.intake.alarm import IntakeAlarm

_LONGEST_RETRY_S = 60.0
_TRIES_BEFORE_REST = 3


class Delays:
    """The claims that are delayed, each with its alarm, and what delays all of them.

    `retry_at` is when to try again, ever more rarely, by `ticks`; None when nothing is to be tried. At the
    start it is now: a crash may have left claims.
    """

    def __init__(self, ticks: Callable[[], float]) -> None:
        self._ticks = ticks
        self._claims: dict[str, tuple[Claim, IntakeAlarm]] = {}
        self._of_all: IntakeAlarm | None = None
        self._tries = 0
        self.retry_at: float | None = ticks()

    @property
    def claims(self) -> list[Claim]:
        """Those that are delayed."""
        return [claim for claim, _ in self._claims.values()]

    @property
    def alarms(self) -> list[IntakeAlarm]:
        """Everything that lasts."""
        return [*([self._of_all] if self._of_all else []), *(alarm for _, alarm in self._claims.values())]

    @property
    def is_due(self) -> bool:
        """Whether it is time to try again."""
        return self.retry_at is not None and self.retry_at <= self._ticks()

    @property
    def is_hopeful(self) -> bool:
        """Whether a try is to come that is worth waiting for: several in vain are not followed by one."""
        return self.retry_at is not None and self._tries < _TRIES_BEFORE_REST

    def begin(self) -> None:
        """A try begins."""
        self.retry_at = None

    def put(self, delayed: Iterable[tuple[Claim, IntakeAlarm]]) -> None:
        """Delay these claims."""
        new = {claim.id: (claim, alarm) for claim, alarm in delayed}
        self._claims |= new
        if new:
            self._plan()

    def put_all(self, alarm: IntakeAlarm | None) -> None:
        """Delay everything, or with None no longer everything."""
        self._of_all = alarm
        if alarm is not None:
            self._plan()

    def end(self, claims: Iterable[Claim]) -> None:
        """These are delayed no longer."""
        for claim in claims:
            self._claims.pop(claim.id, None)
        if not self._claims and self._of_all is None:
            self._tries = 0

    def _plan(self) -> None:
        if self.retry_at is None:
            self.retry_at = self._ticks() + min(2.0**self._tries, _LONGEST_RETRY_S)
            self._tries += 1
