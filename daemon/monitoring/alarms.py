"""The alarms: raised once, cleared when the problem is fixed, shown everywhere."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from daemon.contracts.signal import Signal
from daemon.contracts.wire.status import AlarmLine
from daemon.core.timestamps import to_iso

log = structlog.get_logger()

# Codes of alarms whose messages name files, and so students, or a student.
_NAMING = ("intake_", "outbox", "alert_oldest_wait")
_LOOK = "it may name a student, which no log does; run: introeval status"


@dataclass(frozen=True, slots=True)
class Alarm:
    """A problem that a person should fix. `since` is in seconds since the epoch."""

    code: str
    message: str
    since: float
    acknowledged: bool = False

    @property
    def line(self) -> AlarmLine:
        """The alarm as it is on the control socket."""
        return AlarmLine(
            code=self.code, message=self.message, since=to_iso(self.since), acknowledged=self.acknowledged
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

    def set(self, code: str, message: str) -> None:
        """Raise an alarm; if it lasts already, only replace its message."""
        known = self._lasting.get(code)
        if known is None:
            log.warning("alarm", code=_logged(code), message=_LOOK if _names_files(code) else message)
            alarm = self._lasting[code] = Alarm(code, message, self._clock())
            self.changed(alarm, True)
        else:
            self._lasting[code] = replace(known, message=message)

    def clear(self, code: str) -> None:
        """Clear an alarm, if it lasts."""
        known = self._lasting.pop(code, None)
        if known is not None:
            log.info("alarm cleared", code=_logged(code))
            self.changed(known, False)

    def acknowledge(self, code: str, actor: str) -> bool:
        """Record that a person has seen an alarm. Whether it lasts, and nobody had seen it."""
        known = self._lasting.get(code)
        if known is None or known.acknowledged:
            return False
        self._lasting[code] = replace(known, acknowledged=True)
        log.info("alarm acknowledged", code=_logged(code), actor=actor)
        return True

    def on(self, code: str, message: str | None) -> None:
        """Set an alarm, or clear it when `message` is None: the OnAlarm of whoever watches one thing."""
        if message is None:
            self.clear(code)
        else:
            self.set(code, message)

    def replace(self, prefix: str, messages: dict[str, str]) -> None:
        """Make `messages` the only lasting alarms with codes that begin with `prefix`."""
        for code in [code for code in self._lasting if code.startswith(prefix) and code not in messages]:
            self.clear(code)
        for code, message in messages.items():
            self.set(code, message)


def _names_files(code: str) -> bool:
    """Whether an alarm may name a student, which no log may: a journal can't forget."""
    return code.startswith(_NAMING)


def _logged(code: str) -> str:
    """The code for the log; the part after a space names the file that the alarm is about."""
    return code.partition(" ")[0]
