"""The steward of one life: lets happen what the agenda says, and closes the lab in the evening."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Any

from peewee import DatabaseError

from daemon.app.parts import Daemon
from daemon.contracts.values import Change
from daemon.contracts.wire.classes import DecisionWanted
from daemon.contracts.wire.words import Order, Verb
from daemon.core.errors import IllegalTransition, IntroEvalError
from daemon.monitoring.alarms import Alarm
from tests.torture.days import checks, outside
from tests.torture.days.lab import Lab, Moment

_LOOK_S = 20.0
_SAMPLE_S = 60.0
_EVENING_S = 3 * 3600.0
_LOST_EVENTS = 0.1
_RECENT = 40  # tasks that people ask something of
_OPEN = "status NOT IN ('completed', 'failed', 'cancelled')"
_LIKELY = {
    "retry": "status IN ('failed', 'cancelled') OR outcome = 'needs_review'",
    "rate": "outcome IN ('evaluated', 'needs_review')",
    "cancel": _OPEN,
    "hold": _OPEN,
    "release": "held = 1",
    "next": _OPEN,
    "in_turn": "first_at IS NOT NULL",
    "deliver": "delivered_at IS NOT NULL",
    "acknowledge": "status = 'failed' OR outcome = 'needs_review'",
}


class Steward:
    """`ended` tells how the life is to end. `die` kills the daemon where it stands."""

    def __init__(self, lab: Lab, loop: asyncio.AbstractEventLoop, die: Callable[[], object]) -> None:
        self._lab, self._loop, self._die = lab, loop, die
        self._daemon: Daemon | None = None
        self._asking: set[asyncio.Task[None]] = set()
        self.ended: asyncio.Future[str] = loop.create_future()

    def begin(self) -> None:
        """Begin to let things happen, while the daemon still starts."""
        if self._lab.agenda:
            at = max(self._lab.agenda[0].at, self._loop.time())
            self._loop.call_at(at, self._next)

    def welcome(self, daemon: Daemon) -> None:
        """The daemon runs now."""
        self._daemon = daemon
        daemon.events.tallies.append(self)
        daemon.alarms.changed.connect(self._alarm)
        daemon.intake.refusals.connect(lambda some: self._lab.count("refused", len(some)))
        self._loop.call_later(_SAMPLE_S, self._sample, daemon)
        if self._lab.calm:
            self._ask(self._close())

    def _sample(self, daemon: Daemon) -> None:
        """Count the time in which tasks are open: an hour in which nothing is to do proves little."""
        self._lab.count("class_s", int(_SAMPLE_S) * any(True for _ in daemon.supervisor.tasks))
        self._loop.call_later(_SAMPLE_S, self._sample, daemon)

    def committed(self, changes: Sequence[Change]) -> None:
        for change in changes:
            before, after = change.before, change.after
            self._lab.log(
                f"task {before.id}.r{before.revision}.a{after.attempt} {before.status} {change.event} "
                f"{after.status}"
            )

    def switched(self, group: str, seconds: float) -> None:
        self._lab.log(f"switched to {group} in {seconds:.3f} s")

    def _alarm(self, alarm: Alarm, lasts: bool) -> None:
        self._lab.log(f"alarm {'set' if lasts else 'cleared'}: {alarm.code}: {alarm.trouble.cause}")

    def _next(self) -> None:
        moment = self._lab.agenda.pop(0)
        self.begin()
        daemon = self._daemon
        if outside.happen(self._lab, moment, None if daemon is None else daemon.session.db):
            if daemon is not None and self._lab.clock.dice.random() > _LOST_EVENTS:
                daemon.intake.hint()
            return
        self._lab.log(f"{moment.what} {moment.about}")
        match moment.what:
            case "kill":
                self._lab.kill_in = moment.about
                if not moment.about:
                    self._die()
            case "evening":
                self._lab.calm = True
                if self._daemon is not None:
                    self._ask(self._close())
            case "decide":
                if self._daemon is not None:
                    self._ask(self._decide(self._daemon, moment.about))
            case "stop":
                if self._daemon is not None and not self.ended.done():
                    self.ended.set_result("stopped")
            case _:
                if self._daemon is not None:
                    self._ask(self._order(self._daemon, moment))

    def _ask(self, work: Any) -> None:
        asking = self._loop.create_task(work)
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)

    async def _decide(self, daemon: Daemon, task_id: int) -> None:
        """A person takes a result as it is."""
        try:
            await daemon.classes.decide(task_id, DecisionWanted(), "olga")
        except IntroEvalError as exc:
            self._lab.log(f"the decision on {task_id} is refused: {exc}")

    async def _order(self, daemon: Daemon, moment: Moment) -> None:
        lab, work = self._lab, daemon.supervisor
        try:
            if moment.what == "ask":
                word, part = moment.about
                task_id = self._task_for(daemon, word, part)
                if task_id is None:
                    return
                if word == Verb.DELIVER:  # what was taken comes again, perhaps of a killed daemon
                    lab.taken |= {name: False for name in lab.taken if f"/{task_id:04d}-" in name}
                await work.ask(Verb(word), task_id, extract=part * 100 % 1 > 0.5, actor="olga")
                lab.count("requests")
                lab.log(f"{word} {task_id} is done")
            elif moment.about == "deadline":
                await work.deadline(lab.clock.wall() + 3600.0, actor="olga")
            elif moment.about == "pause now":
                await work.order(Order.PAUSE, at_once=True, actor="olga")
            else:
                await work.order(Order(moment.about), actor="olga")
        except (IntroEvalError, DatabaseError) as exc:
            lab.log(f"{moment.what} {moment.about} is refused: {exc}")

    def _task_for(self, daemon: Daemon, verb: str, part: float) -> int | None:
        """A recent task of which this is likely to be asked, or, now and then, any."""
        where = _LIKELY[verb] if part * 1000 % 1 < 0.9 else "1"
        query = f"SELECT id FROM processing_tasks WHERE {where} ORDER BY id DESC LIMIT {_RECENT}"
        ids = daemon.session.db.execute_sql(query).fetchall()
        return ids[int(part * len(ids))][0] if ids else None

    async def _close(self) -> None:
        """Everything is well again: all must be worked off within the evening, with nothing left over."""
        lab, daemon = self._lab, self._daemon
        assert daemon is not None
        lab.kill_in, lab.disk_full_until, lab.disk_slow_until = None, 0.0, 0.0
        lab.sick.clear()
        for share in sorted(lab.away):
            outside.bring_back(lab, share)
        await self._resume(daemon)
        until = lab.clock.now + _EVENING_S
        while True:
            for task in daemon.supervisor.tasks:
                if task.held:
                    with contextlib.suppress(IllegalTransition):  # it was cancelled in this moment
                        await daemon.supervisor.ask(Verb.RELEASE, task.id, actor="olga")
            daemon.intake.hint()
            await asyncio.sleep(_LOOK_S)  # in which it also sees that the shares are back
            if self._is_quiet(daemon):
                break
            if lab.clock.now > until:
                lab.find("hung", f"not worked off in an evening: {_state(daemon)}")
                break
        while True:
            try:
                checks.in_the_evening(lab, daemon)
                break
            except (OSError, DatabaseError):  # its disk is still away, also for who looks
                await asyncio.sleep(_LOOK_S)
        self.ended.set_result("evening")

    async def _resume(self, daemon: Daemon) -> None:
        """A person says so until it is done: the state folder's disk may still be away."""
        while True:
            try:
                return await daemon.supervisor.order(Order.RESUME, actor="olga")
            except IntroEvalError as exc:
                self._lab.log(f"resume is refused: {exc}")
                await asyncio.sleep(_LOOK_S)

    def _is_quiet(self, daemon: Daemon) -> bool:
        """Whether nothing is to do, and no file waits in the inbox, also none whose event was lost."""
        handed_in = [self._lab.inbox / upload.path for upload in self._lab.uploads if upload.at is not None]
        return daemon.idle and daemon.intake.available and not any(map(os.path.lexists, handed_in))


def _state(daemon: Daemon) -> str:
    work = daemon.supervisor
    parts = {"intake": daemon.intake.idle, "supervisor": work.idle, "delivery": daemon.delivery.idle}
    told = [f"{task.id} {task.status}" for task in work.tasks]
    alarms = [f"{alarm.code}: {alarm.trouble.cause}" for alarm in daemon.alarms.all]
    return f"idle {parts}, {work.decision}, tasks {told}, alarms {alarms}"
