"""The forecast of a running daemon: kept fresh off the loop, told cheaply, written where it is to last.

It is computed when somebody asks and something has changed, never by a timer: an idle daemon stays idle.
At each phase's end the history is read again, the scheduler's policy follows it, and what is expected of
each open task is written down.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import structlog

from daemon.contracts.ports import SupervisorSource
from daemon.contracts.signal import Signal
from daemon.contracts.values import Change
from daemon.contracts.wire.status import Clock
from daemon.core.errors import StoreError
from daemon.core.forecast.class_roll import Roll
from daemon.core.forecast.durations import Durations, learn
from daemon.core.forecast.explain import FirstForecast, explain, late
from daemon.core.forecast.forecast import Forecast, forecast
from daemon.core.forecast.uncertainty import LikelyRange, behind
from daemon.core.schedule.decision import Policy, View
from daemon.core.schedule.phase_state import Group
from daemon.core.tasks.task import Stage, Task
from daemon.forecast.class_clock import face
from daemon.store import measured, recovery, settings
from daemon.store.database import Database, reads
from daemon.store.session import Session
from daemon.system.waits import waking

log = structlog.get_logger()

_SOONEST_S = 2.0
_SHARE = 20.0  # times what one took: a forecast never takes more than a twentieth of a processor
_STALE_S = 15.0
_AT_BIRTH = 40  # tasks that are simulated while the database waits, a few hundredths of a second
_TAIL_S = 10.0  # for which births of a burst are put behind those before them without another simulation
_CLASS = "class"


@reads
def read_durations(db: Database) -> Durations | None:
    """What the history shows; None before each stage was measured."""
    return learn({stage: measured.tries(db, stage) for stage in Stage}, measured.switches(db))


class Forecaster:
    """Everything that is expected. What others ask is cheap, and may be asked on any thread.

    `plan` makes the scheduler's policy from what was learnt; `replanned` tells of another one, with what a
    switch is known to cost.
    """

    def __init__(
        self,
        work: SupervisorSource,
        session: Session,
        plan: Callable[[Durations | None], Policy],
        clock: Callable[[], float],
    ) -> None:
        self._work, self._session = work, session
        self._plan, self._now = plan, clock
        self.replanned = Signal[[Policy, float | None]]()
        self._durations: Durations | None = None
        self._outcomes = False  # since the history was read
        self._latest: Forecast | None = None
        self._made_of = -1
        self._made_until, self._rest_s = 0.0, 0.0
        self._etas: Mapping[int, float] = {}
        self._tail: tuple[float, LikelyRange, float] | None = None
        self._class = Roll()
        self._held_against: tuple[float, float, FirstForecast] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()
        self._phase_over = False

    async def begin(self) -> None:
        """Read what earlier runs left. Raises StoreError."""
        self._loop = asyncio.get_running_loop()
        self._durations = await self._session(read_durations)
        known = await self._session(settings.get, _CLASS)
        open_ids = {task.id for task in await self._session(recovery.open_tasks)}
        if open_ids:
            first = known["first"] if known else None
            born = set() if first is None else set(await self._session(measured.ids_from, first))
            self._class.take_up(known["began"] if known else self._now(), first, len(born), open_ids - born)
        self.replan()

    async def run(self, stop: asyncio.Event) -> None:
        """Compute what is asked for, until `stop`."""
        async with waking(stop, self._woken.set):
            while not stop.is_set():
                await self._woken.wait()
                self._woken.clear()
                try:
                    if (mark := self._class.unsaved()) is not None:
                        await self._session(settings.put, _CLASS, mark)
                    if self._phase_over:
                        await self._end_phase()
                    elif self._stale:
                        await self._make()
                except StoreError as exc:
                    log.warning("no forecast", error=str(exc))

    # What happens.

    def replan(self) -> None:
        """Let the scheduler go by what is known now, of the durations and of what the plan is made from."""
        durations = self._durations
        policy = self._plan(durations)
        usual_s = None
        if durations is not None and durations.switches:
            usual_s = durations.round_s(policy) / len(policy.residency)
        self.replanned(policy, usual_s)

    def born(self, tasks: Sequence[Task]) -> None:
        """New tasks stand in the database, some of them final at once."""
        if self._class.born(tasks, self._work.view.tasks, self._now()):
            self._wake()  # to write down where the class began

    def committed(self, changes: Sequence[Change]) -> None:
        """Transitions are durable."""
        self._class.moved((change.after for change in changes), self._work.view.tasks, self._now())
        self._outcomes |= any(change.seconds is not None for change in changes)

    def switched(self, group: str, seconds: float) -> None:
        """A group is loaded: one more cost is known."""
        self._outcomes = True

    def phase_ended(self) -> None:
        """A group is left."""
        self._phase_over = True
        self._woken.set()

    # What is asked.

    def refresh(self) -> None:
        """Have it computed anew soon, if something changed."""
        since = self._now() - self._made_until
        if self._stale and not 0 <= since < self._rest_s:  # below 0 the clock was set back
            self._wake()

    @property
    def etas(self) -> Mapping[int, float]:
        """When each open task is expected to be done, by its id; another mapping with each forecast."""
        return self._etas

    @property
    def next_switch_at(self) -> float | None:
        """When another group is going to be loaded."""
        at = self._latest.next_switch_at if self._latest else None
        return at if at is not None and at > self._now() else None

    @property
    def why_detail(self) -> str:
        """What the scheduler does or waits for, with figures."""
        work = self._work
        view, decision = work.view, work.decision
        return explain(
            view, work.policy, decision, at=_shown, forecast=self._latest, durations=self._durations
        )

    def usual_switch_s(self, to: Group | None) -> float | None:
        """What a switch to a group usually takes, in seconds; None before one was measured."""
        if to is None or self._durations is None:
            return None
        return self._durations.switch_s(None, to) or None

    def clock(self, deadline: float | None) -> Clock | None:
        """The class clock, against a deadline; one from before the class began is another class's."""
        roll, tasks, latest = self._class, self._work.view.tasks, self._latest
        left = roll.left(tasks)
        # One that knows of none of them was made of an earlier class.
        end = latest.done if latest is not None and not left.isdisjoint(latest.tasks) else None
        plan = None if deadline is None else self._plan_against(deadline, roll.total)

        def why_late() -> str:
            if all(task.held for task in tasks if task.id in left):
                return "only held tasks are left"
            return self._why_late(plan, roll.total)

        return face(roll, left, end, deadline, self._now(), why_late)

    def expected(self, new: Sequence[Task]) -> Mapping[int, float]:
        """When tasks that are being born are expected to be done, by their ids; empty when nothing is known.

        Called on the database thread, once a group. In a burst what comes is put behind what came before.
        """
        if self._durations is None:
            return {}
        now, tail = self._now(), self._tail
        if tail is None or not 0 <= now - tail[0] <= _TAIL_S:
            view = self._work.view
            known = {task.id for task in new}
            tasks = [*(task for task in view.tasks if task.id not in known), *new]
            made = self._run(replace(view, tasks=tasks, last_claim_at=now), _AT_BIRTH)
            if made is None or made.done is None:
                return {}
            if len(tasks) > _AT_BIRTH:
                self._tail = (now, made.done, made.task_s)
            return {task.id: made.tasks[task.id].expected for task in new if task.id in made.tasks}
        at, last, task_s = tail
        spans = {task.id: behind(last, place * task_s) for place, task in enumerate(new, 1)}
        self._tail = (at, spans[new[-1].id], task_s)
        return {task_id: span.expected for task_id, span in spans.items()}

    # How it is made.

    @property
    def _stale(self) -> bool:
        if self._latest is None or self._work.turns != self._made_of:
            return True
        return bool(self._work.view.tasks) and self._now() - self._latest.made_at > _STALE_S

    def _wake(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._woken.set)

    async def _end_phase(self) -> None:
        self._phase_over = False
        await self._learn()
        self.replan()
        await self._make()
        if self._etas:
            await self._session(measured.set_estimates, self._etas)

    async def _learn(self) -> None:
        if self._outcomes:
            self._outcomes = False
            self._durations = await self._session(read_durations)

    async def _make(self) -> None:
        await self._learn()
        began = self._now()
        self._made_of, view = self._work.turns, self._work.view
        self._latest = await asyncio.to_thread(self._run, view) if view.tasks else Forecast(view.now)
        if self._latest is not None:
            self._etas = {task_id: span.expected for task_id, span in self._latest.tasks.items()}
        self._made_until = ended = self._now()
        self._rest_s = max(_SOONEST_S, _SHARE * (ended - began))

    def _run(self, view: View, exactly: int | None = None) -> Forecast | None:
        durations = self._durations
        if durations is None:
            return None
        try:
            return forecast(
                view,
                self._work.policy,
                durations,
                started=dict(self._work.started),
                **({} if exactly is None else {"exactly": exactly}),
            )
        except RuntimeError as exc:  # the rules come to no rest: the work must not end for want of a forecast
            log.error("no forecast", error=str(exc))
            return None

    def _plan_against(self, deadline: float, total: int) -> FirstForecast | None:
        """What was expected when this class was first held against this deadline."""
        durations, began = self._durations, self._class.began_at
        if durations is None:
            return None
        if self._held_against is None or self._held_against[:2] != (began, deadline):
            policy = self._work.policy
            shares = {stage: durations.share_s(stage, policy) for stage in Stage}
            self._held_against = began, deadline, FirstForecast(self._now(), total, shares)
        return self._held_against[2]

    def _why_late(self, plan: FirstForecast | None, total: int) -> str:
        if plan is None or self._latest is None or self._durations is None:
            return "not every stage was measured yet"
        work = self._work
        return late(work.view, work.policy, self._durations, self._latest, plan, total, _shown)


def _shown(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))
