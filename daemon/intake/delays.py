"""The claims that stay open since something hinders them, and when to go on with them."""

from collections.abc import Callable, Collection, Mapping

from daemon.intake.alarm import Alarm

_LONGEST_RETRY_S = 60.0
_TRIES_BEFORE_REST = 3


class Delays:
    """Alarms by the id of the claim that each keeps open; "" is for what keeps all of them.

    `retry_at` is when to try again, ever more rarely, by `ticks`; None when nothing is to be tried. At the
    start it is now: a crash may have left claims.
    """

    def __init__(self, ticks: Callable[[], float]) -> None:
        self._ticks = ticks
        self._alarms: dict[str, Alarm] = {}
        self._tries = 0
        self.retry_at: float | None = ticks()

    @property
    def alarms(self) -> Collection[Alarm]:
        """Everything that lasts."""
        return self._alarms.values()

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

    def put(self, alarms: Mapping[str, Alarm]) -> None:
        """Delay these claims."""
        self._alarms |= alarms
        if alarms and self.retry_at is None:
            self.retry_at = self._ticks() + min(2.0**self._tries, _LONGEST_RETRY_S)
            self._tries += 1

    def end(self, claims: Collection[str]) -> None:
        """These are delayed no longer."""
        for claim in claims:
            self._alarms.pop(claim, None)
        if not self._alarms:
            self._tries = 0
