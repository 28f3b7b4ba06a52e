"""Delivers each alarm to the lab's hooks, once when it begins and once when it clears.

A command gets it as JSON on its standard input, without a shell; a webhook as the body of a POST. Neither
delays the work: alarms wait in a bounded queue. An error of a hook is an alarm itself, which is not
delivered to hooks.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable

import structlog

from daemon.config.records import AlertSettings
from daemon.core.alarms import trouble_of
from daemon.core.timestamps import to_iso
from daemon.monitoring.alarms import Alarm, Alarms
from daemon.monitoring.receivers import TIMEOUT_S, call, post

log = structlog.get_logger()

CODE = "hook"
_MOST_WAITING = 200  # a hook that hangs must not fill the memory


class Hooks:
    """Delivers alarms to the lab. `pause_s`, times the attempt's number, is between attempts at a webhook."""

    def __init__(
        self,
        config: AlertSettings,
        alarms: Alarms,
        clock: Callable[[], float],
        *,
        timeout_s: float = TIMEOUT_S,
        tries: int = 3,
        pause_s: float = 2.0,
    ) -> None:
        self._config, self._alarms, self._clock = config, alarms, clock
        self._timeout_s, self._attempts, self._pause_s = timeout_s, tries, pause_s
        self._waiting: deque[bytes] = deque(maxlen=_MOST_WAITING)
        self._woken = asyncio.Event()
        if config.command or config.webhook:
            alarms.changed.connect(self._tell)
            for alarm in alarms.all:  # of the start, which came before
                self._tell(alarm, True)

    def _tell(self, alarm: Alarm, lasts: bool) -> None:
        if alarm.code == CODE:
            return
        if len(self._waiting) == _MOST_WAITING:
            log.warning("an alarm is not delivered to the hooks: too many wait", code=alarm.code)
        said = {
            "kind": "alarm" if lasts else "cleared",
            "code": alarm.code,
            "message": alarm.trouble.cause,
            "affects": alarm.trouble.affects,
            "fix": alarm.trouble.fix,
            "since": to_iso(alarm.since),
            "at": to_iso(self._clock()),
        }
        self._waiting.append(json.dumps(said).encode() + b"\n")
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop`; alarms that still wait then are dropped."""
        telling = asyncio.create_task(self._run())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([telling, stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (telling, stopped):
                each.cancel()
            ended = (await asyncio.gather(telling, stopped, return_exceptions=True))[0]
        if isinstance(ended, Exception):
            raise ended

    async def _run(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._waiting:
                await self._hand_on(self._waiting.popleft())

    async def _hand_on(self, said: bytes) -> None:
        complaints = []
        if self._config.command:
            complaints.append(await call("alerts.command", self._config.command, said, self._timeout_s))
        if self._config.webhook:
            complaints.append(await self._post(self._config.webhook, said))
        wrong = [complaint for complaint in complaints if complaint is not None]
        self._alarms.on(CODE, trouble_of(CODE, wrong[0]) if wrong else None)

    async def _post(self, url: str, said: bytes) -> str | None:
        """The error of the webhook at its last attempt, or None."""
        complaint = None
        for attempt in range(self._attempts):
            await asyncio.sleep(self._pause_s * attempt)
            complaint = await post("alerts.webhook", url, said, self._timeout_s)
            if complaint is None:
                break
        return complaint
