"""The alert rules: conditions that raise alarms, evaluated in one place."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from daemon.config.load import Config
from daemon.contracts.wire.status import DaemonStatus
from daemon.contracts.wire.words import ClockState
from daemon.core.alarms import Trouble, trouble, trouble_of
from daemon.core.errors import StoreError
from daemon.core.tasks.task import RUNNING, Task
from daemon.monitoring.alarms import Alarms
from daemon.system.waits import happens

PREFIX = "alert_"
EVERY_S = 10.0
_BROKEN = {"missing", "crash_loop", "unreachable", "denied", "failed"}
_LATE = {
    ClockState.AT_RISK: "the deadline may be missed",
    ClockState.LATE: "the deadline will be missed by {minutes:.0f} min",
    ClockState.MISSED: "the deadline passed, and the class is not done",
}
_OF_GROUP = "engine_"  # the alarms of a group that failed to start or to answer
_MOST = 3  # students that an alarm names


@dataclass(frozen=True, slots=True)
class Situation:
    """The figures that the alert rules read: `failed` are the students of the tasks that failed in the last
    hour, `switching_s` is the duration of the running switch so far.
    """

    now: float
    tasks: Sequence[Task]
    failed: Sequence[str]
    status: DaemonStatus
    switching_s: float | None


def conditions(situation: Situation, config: Config) -> list[Trouble]:
    """The conditions that hold now, as alarms."""
    rules = (_queue, _failures, _switch, _disk, _engines, _deadline)
    return [found for rule in rules for found in rule(situation, config)]


def _queue(situation: Situation, config: Config) -> Iterator[Trouble]:
    open_now = [task for task in situation.tasks if not task.held]
    if len(open_now) > config.alerts.queue_depth:
        told = f"{len(open_now)} tasks are open, more than alerts.queue_depth ({config.alerts.queue_depth})"
        yield trouble("alert_queue_depth", told, affects=_whose(open_now))
    waiting = [task for task in open_now if task.status not in RUNNING and task.revision == 1]
    oldest = min(waiting, key=lambda task: (task.claimed_at, task.id), default=None)
    limit_s = config.alerts.oldest_wait_min * 60
    if oldest is not None and (wait_s := situation.now - oldest.claimed_at) > limit_s:
        late = [task for task in waiting if situation.now - task.claimed_at > limit_s]
        yield trouble(
            "alert_oldest_wait",
            f"task {oldest.id} has waited {wait_s / 60:.0f} min",
            affects=_whose(late),
            fix=f"to see why, run: introeval task {oldest.id}",
        )


def _failures(situation: Situation, config: Config) -> Iterator[Trouble]:
    failed = situation.failed
    if len(failed) >= config.alerts.failures:
        told = f"{len(failed)} tasks failed in the last hour"
        yield trouble("alert_failures", told, affects=_named(failed))


def _disk(situation: Situation, config: Config) -> Iterator[Trouble]:
    disk = situation.status.disk
    if disk is not None and disk.free_mb < 2 * disk.min_free_mb:
        told = f"{disk.free_mb:.0f} MB are free on the state folder's disk"
        yield trouble(
            "alert_disk", told, affects=f"new videos: below {disk.min_free_mb:.0f} MB none is taken"
        )


def _engines(situation: Situation, config: Config) -> Iterator[Trouble]:
    told_of = {
        stage
        for alarm in situation.status.alarms
        if alarm.code.startswith(_OF_GROUP)
        for stage in alarm.code.removeprefix(_OF_GROUP).split("_")
    }
    for engine in situation.status.engines:
        if engine.state in _BROKEN and engine.stage not in told_of:  # one problem is one alarm
            said = engine.detail
            if engine.name not in said:
                said = f"{engine.name} is {engine.state}" + (f": {said}" if said else "")
            wait = [task for task in situation.tasks if task.stage.value == engine.stage and not task.held]
            yield trouble_of(f"alert_engine_{engine.stage}", said, affects=_whose(wait) if wait else "")


def _deadline(situation: Situation, config: Config) -> Iterator[Trouble]:
    clock = situation.status.clock
    if clock is None or clock.state not in _LATE:
        return
    said = _LATE[ClockState(clock.state)].format(minutes=abs(clock.spare_s or 0.0) / 60)
    left = [task for task in situation.tasks if not task.held]
    yield trouble(
        "alert_deadline",
        said + (f": {clock.cause}" if clock.cause else ""),
        affects=_whose(left) if left else "",
    )


def _switch(situation: Situation, config: Config) -> Iterator[Trouble]:
    switching, took_s = situation.status.switching, situation.switching_s
    if switching is None or took_s is None:
        return
    usual_s = switching.usual_s
    if usual_s is None:
        usual_s = max(config.extract.load_timeout_s, config.rate.load_timeout_s)
        usual = ""
    else:
        usual = f", and usually takes {usual_s:.0f} s"
    if took_s > config.gpu.free_timeout_s + 2 * usual_s:
        to = " and ".join(switching.to) or "nothing"
        told = f"the switch to {to} has taken {took_s:.0f} s{usual}"
        yield trouble("alert_switch_blocked", told, affects=_whose(situation.tasks))


def _whose(tasks: Sequence[Task]) -> str:
    return _named([task.student for task in sorted(tasks, key=lambda task: task.id)])


def _named(each: Sequence[str]) -> str:
    """The number of tasks, given the student of each, and the first of the students."""
    students = list(dict.fromkeys(each))
    more = f" and {len(students) - _MOST} more" if len(students) > _MOST else ""
    count = "1 task" if len(each) == 1 else f"{len(each)} tasks"
    return f"{count} of {', '.join(students[:_MOST])}{more}" if students else "no task now"


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
