"""The alert rules: conditions that raise alarms, evaluated in one place."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from daemon.config.load import Config
from daemon.contracts.wire.status import DaemonStatus
from daemon.core.errors import StoreError
from daemon.core.tasks.task import RUNNING, Task
from daemon.monitoring.alarms import Alarms
from daemon.system.waits import happens

PREFIX = "alert_"
EVERY_S = 10.0
_BROKEN = {"missing", "crash_loop", "unreachable", "denied", "failed"}


@dataclass(frozen=True, slots=True)
class Situation:
    """The figures that the alert rules read: `failed` counts the failures of the last hour, `switching_s` is
    the duration of the running switch so far.
    """

    now: float
    tasks: Sequence[Task]
    failed: int
    status: DaemonStatus
    switching_s: float | None


def conditions(situation: Situation, config: Config) -> dict[str, str]:
    """The conditions that hold now, by alarm code: each one line that says what to do."""
    found: dict[str, str] = {}
    for rule in (_queue, _failures, _switch, _disk, _engines, _deadline):
        found |= rule(situation, config)
    return {PREFIX + code: message for code, message in found.items()}


def _queue(situation: Situation, config: Config) -> dict[str, str]:
    found: dict[str, str] = {}
    open_now = [task for task in situation.tasks if not task.held]
    if len(open_now) > config.alerts.queue_depth:
        found["queue_depth"] = (
            f"{len(open_now)} tasks are open, more than alerts.queue_depth ({config.alerts.queue_depth}); "
            "to see why, run: introeval status"
        )
    waiting = [task for task in open_now if task.status not in RUNNING and task.revision == 1]
    oldest = min(waiting, key=lambda task: (task.claimed_at, task.id), default=None)
    limit_s = config.alerts.oldest_wait_min * 60
    if oldest is not None and (wait_s := situation.now - oldest.claimed_at) > limit_s:
        found["oldest_wait"] = (
            f"task {oldest.id} of {oldest.student} has waited {wait_s / 60:.0f} min; "
            f"to see why, run: introeval task {oldest.id}"
        )
    return found


def _failures(situation: Situation, config: Config) -> dict[str, str]:
    if situation.failed < config.alerts.failures:
        return {}
    told = f"{situation.failed} tasks failed in the last hour"
    return {"failures": f"{told}; run: introeval tasks --status failed"}


def _disk(situation: Situation, config: Config) -> dict[str, str]:
    disk = situation.status.disk
    if disk is None or disk.free_mb >= 2 * disk.min_free_mb:
        return {}
    told = (
        f"{disk.free_mb:.0f} MB are free on the state folder's disk; below {disk.min_free_mb:.0f} no video "
        "is taken; delete what is not needed there"
    )
    return {"disk": told}


def _engines(situation: Situation, config: Config) -> dict[str, str]:
    found = {}
    for engine in situation.status.engines:
        if engine.state in _BROKEN:
            said = engine.detail
            if engine.name not in said:
                said = f"{engine.name} is {engine.state}" + (f": {said}" if said else "")
            found[f"engine_{engine.stage}"] = f"{said}; run: introeval doctor"
    return found


def _deadline(situation: Situation, config: Config) -> dict[str, str]:
    clock = situation.status.clock
    if clock is None or not clock.at_risk:
        return {}
    cause = f": {clock.cause}" if clock.cause else ""
    return {"deadline": f"the deadline {clock.deadline} is at risk{cause}"}


def _switch(situation: Situation, config: Config) -> dict[str, str]:
    switching, took_s = situation.status.switching, situation.switching_s
    if switching is None or took_s is None:
        return {}
    usual_s = switching.usual_s
    if usual_s is None:
        usual_s = max(config.extract.load_timeout_s, config.rate.load_timeout_s)
        usual = ""
    else:
        usual = f", and usually takes {usual_s:.0f} s"
    if took_s <= config.gpu.free_timeout_s + 2 * usual_s:
        return {}
    to = " and ".join(switching.to) or "nothing"
    return {
        "switch_blocked": f"the switch to {to} has taken {took_s:.0f} s{usual}; "
        "to see what holds the GPU, run: introeval doctor"
    }


class AlertRules:
    """Evaluates the alert rules repeatedly. `look` gives the situation, or raises StoreError."""

    def __init__(
        self,
        config: Config,
        alarms: Alarms,
        look: Callable[[], Awaitable[Situation]],
        every_s: float = EVERY_S,
    ) -> None:
        self._config, self._alarms, self._look, self._every_s = config, alarms, look, every_s

    async def run(self, stop: asyncio.Event) -> None:
        """Evaluate until `stop`."""
        while not stop.is_set():
            with contextlib.suppress(StoreError):  # reported where the work needs the database
                self._alarms.replace(PREFIX, conditions(await self._look(), self._config))
            await happens(stop, self._every_s)
