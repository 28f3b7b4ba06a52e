"""The alarms: raised once, cleared when the problem is fixed, shown everywhere."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import structlog

from daemon.contracts.signal import Signal
from daemon.contracts.wire.status import AlarmLine
from daemon.core.alarms import KINDS, Trouble, kind_of
from daemon.core.timestamps import to_iso

log = structlog.get_logger()

_LOOK = "it may name a student, which no log does; run: introeval status"


@dataclass(frozen=True, slots=True)
class Alarm:
    """A problem that lasts. `since` is in seconds since the epoch; `acknowledged_by` who has seen it."""

    trouble: Trouble
    since: float
    acknowledged_by: str | None = None

    @property
    def code(self) -> str:
        """The code of its problem."""
        return self.trouble.code

    @property
    def line(self) -> AlarmLine:
        """The alarm as it is on the control socket."""
        told = self.trouble
        return AlarmLine(
            code=told.code,
            message=told.cause,
            affects=told.affects,
            fix=told.fix,
            since=to_iso(self.since),
            acknowledged=self.acknowledged_by is not None,
        )


class Alarms:
    """The one place that knows the present problems.

    `changed` signals an alarm once when it begins, with True, and once when it clears, with False.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lasting: dict[str, Alarm] = {}
        self.changed = Signal[[Alarm, bool]]()

    @property
    def all(self) -> list[Alarm]:
        """The alarms that last, the oldest first."""
        return list(self._lasting.values())

    def set(self, trouble: Trouble) -> None:
        """Raise an alarm; if its code lasts already, only replace its parts."""
        code = trouble.code
        known = self._lasting.get(code)
        if known is not None:
            self._lasting[code] = replace(known, trouble=trouble)
            return
        told = _LOOK if _is_private(code) else f"{trouble.cause}; {trouble.fix}"
        log.warning("alarm", code=_logged(code), message=told)  # whom it affects stands in no log
        alarm = self._lasting[code] = Alarm(trouble, self._clock())
        self.changed(alarm, True)

    def clear(self, code: str) -> None:
        """Clear an alarm, if it lasts."""
        known = self._lasting.pop(code, None)
        if known is not None:
            log.info("alarm cleared", code=_logged(code))
            self.changed(known, False)

    def acknowledge(self, code: str, actor: str) -> bool:
        """Record that a person has seen an alarm. Whether it lasts, and nobody had seen it."""
        known = self._lasting.get(code)
        if known is None or known.acknowledged_by:
            return False
        self._lasting[code] = replace(known, acknowledged_by=actor)
        return True

    def on(self, code: str, trouble: Trouble | None) -> None:
        """Set an alarm, or clear it when `trouble` is None: the OnAlarm of whoever watches one thing."""
        if trouble is None:
            self.clear(code)
        else:
            self.set(trouble)

    def replace(self, prefix: str, troubles: Iterable[Trouble]) -> None:
        """Make `troubles` the only lasting alarms with codes that begin with `prefix`."""
        now = {trouble.code: trouble for trouble in troubles}
        for code in [code for code in self._lasting if code.startswith(prefix) and code not in now]:
            self.clear(code)
        for trouble in now.values():
            self.set(trouble)


def _is_private(code: str) -> bool:
    """Whether an alarm may name a student, which no log may: a journal can't forget."""
    return KINDS[kind_of(code)].private


def _logged(code: str) -> str:
    """The code for the log; the part after a space names the file that the alarm is about."""
    return code.partition(" ")[0]
