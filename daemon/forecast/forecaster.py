"""The forecast of a running daemon: computed off the loop, cheap to read, stored where it must last.

It is computed when somebody asks and something has changed, never by a timer: an idle daemon stays idle.
At each phase's end the history is read again, the scheduler's policy is updated from it, and the estimate
of each open task is stored.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace

import structlog

from daemon.contracts.ports import SupervisorSource
from daemon.contracts.signal import Signal
from daemon.contracts.values import Change, Orders
from daemon.contracts.wire.status import Clock
from daemon.core.errors import NotSettled, StoreError
from daemon.core.forecast.class_roll import Members, Roll
from daemon.core.forecast.durations import PLANNED, Durations, learn
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
_SHARE = 20.0  # times its duration is the pause after a forecast: at most a twentieth of a core
_STALE_S = 15.0
_AT_BIRTH = 40  # tasks simulated while the database thread waits, for some 0.03 s
_TAIL_S = 10.0  # for which births of a burst follow the last forecast's end, without another simulation
_CLASS = "class"


@reads
def read_durations(db: Database) -> Durations:
    """The durations in the history. Call it on the database thread."""
    return learn({stage: measured.tries(db, stage) for stage in Stage}, measured.switches(db))


class Forecaster:
    """Owns the forecast. Reading it is cheap, and safe on any thread.

    `plan` makes the scheduler's policy from the known durations; `replanned` signals another policy, with
    the measured duration of a switch in seconds.
    """

    def __init__(
        self,
        work: SupervisorSource,
        session: Session,
        plan: Callable[[Durations], Policy],
        clock: Callable[[], float],
    ) -> None:
        self._work, self._session = work, session
        self._plan, self._now = plan, clock
        self.replanned = Signal[[Policy, float | None]]()
        self._durations = PLANNED
        self._outcomes = False  # whether any came since the history was read
        self._latest: Forecast | None = None
        self._at_birth: tuple[int, LikelyRange] | None = None  # the newest task, and the end with it
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
        """Read the history and the class of earlier runs. Raises StoreError."""
        self._loop = asyncio.get_running_loop()
        self._durations = await self._session(read_durations)
        mark = await self._session(settings.get, _CLASS)
        if mark is None and (found := await self._session(recovery.open_tasks)):
            mark = {"began": self._now(), "first": None, "again": [task.id for task in found]}
        if mark is not None:
            self._class.take_up(mark, *await self._session(measured.class_of, mark["first"]))
        self.replan()

    async def run(self, stop: asyncio.Event) -> None:
        """Compute forecasts when they are asked for, until `stop`."""
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

    # Events.

    def replan(self) -> None:
        """Update the scheduler's policy from the known durations and the placement."""
        durations = self._durations
        policy = self._plan(durations)
        usual_s = None
        if durations.switches:
            usual_s = durations.round_s(policy) / len(policy.residency)
        self.replanned(policy, usual_s)

    def born(self, tasks: Sequence[Task]) -> None:
        """Add new tasks that are in the database; some may be final already."""
        self._class.born(tasks, self._work.view.tasks, self._now())
        self._keep()

    def committed(self, changes: Sequence[Change]) -> None:
        """Record committed transitions."""
        self._class.moved((change.after for change in changes), self._work.view.tasks, self._now())
        self._keep()
        self._outcomes |= any(change.seconds is not None for change in changes)

    def ordered(self, orders: Orders) -> None:
        """Record the standing orders: a new deadline may announce another class."""
        self._class.set_deadline(orders.deadline, self._work.view.tasks, self._now())
        self._keep()

    def forgotten(self, ids: Sequence[int]) -> None:
        """Record that these tasks were deleted."""
        self._class.forget(ids)
        self._keep()

    def switched(self, group: str, seconds: float) -> None:
        """Record a switch: another duration was measured."""
        self._outcomes = True

    def phase_ended(self) -> None:
        """Record the end of a phase: the history is read again and estimates are stored."""
        self._phase_over = True
        self._woken.set()

    # Queries.

    def refresh(self) -> None:
        """Request another forecast soon, if something changed."""
        since = self._now() - self._made_until
        if self._stale and not 0 <= since < self._rest_s:  # below 0 the clock was set back
            self._wake()

    @property
    def etas(self) -> Mapping[int, float]:
        """The expected end of each open task, by its id; a new mapping with each forecast."""
        return self._etas

    @property
    def next_switch_at(self) -> float | None:
        """The time at which another group will be loaded; None when none is foreseen."""
        at = self._latest.next_switch_at if self._latest and not self._work.orders.paused else None
        return at if at is not None and at > self._now() else None

    @property
    def why_detail(self) -> str:
        """The scheduler's action or wait in one line, with figures."""
        work = self._work
        view, decision = work.view, work.decision
        return explain(view, work.policy, decision, forecast=self._latest, durations=self._durations)

    def usual_switch_s(self, to: Group | None) -> float | None:
        """The usual duration of a switch to a group, in seconds; None before one was measured."""
        return None if to is None or not self._durations.switches else self._durations.switch_s(None, to)

    @property
    def members(self) -> Members:
        """The tasks of the class."""
        return self._class.members

    def clock(self, deadline: float | None, outcomes: Mapping[str, int]) -> Clock | None:
        """The class clock against a deadline, in epoch seconds; None without a class and a deadline.

        `outcomes` are the numbers of its finished tasks.
        """
        roll, tasks = self._class, self._work.view.tasks
        left = roll.left(tasks)
        # A forecast without any of these tasks was made for an earlier class.
        end = latest.done if (latest := self._latest) and not left.isdisjoint(latest.tasks) else None
        if end is None and self._at_birth is not None and self._at_birth[0] in left:
            end = self._at_birth[1]
        plan = None if deadline is None else self._plan_against(deadline, roll.total)
        return face(
            roll,
            left,
            end,
            deadline,
            self._now(),
            lambda: self._why_late(left, plan, roll.total),
            paused=self._work.orders.paused,
            guess=self._durations.is_planned,
            outcomes=outcomes,
        )

    def expected(self, new: Sequence[Task]) -> Mapping[int, float]:
        """The expected end of tasks at their birth, by their ids.

        Called on the database thread, once for a group of births. In a burst later births are put at the end.
        """
        now, tail = self._now(), self._tail
        if tail is None or not 0 <= now - tail[0] <= _TAIL_S:
            view = self._work.view
            known = {task.id for task in new}
            tasks = [*(task for task in view.tasks if task.id not in known), *new]
            made = self._run(replace(view, tasks=tasks, last_claim_at=now), _AT_BIRTH)
            if made is None or made.done is None:
                return {}
            self._at_birth = new[-1].id, made.done
            if len(tasks) > _AT_BIRTH:
                self._tail = (now, made.done, made.task_s)
            return {task.id: made.tasks[task.id].expected for task in new if task.id in made.tasks}
        at, last, task_s = tail
        spans = {task.id: behind(last, place * task_s) for place, task in enumerate(new, 1)}
        self._tail = (at, spans[new[-1].id], task_s)
        self._at_birth = new[-1].id, spans[new[-1].id]
        return {task_id: span.expected for task_id, span in spans.items()}

    # Computation.

    @property
    def _stale(self) -> bool:
        if self._latest is None or self._work.turns != self._made_of:
            return True
        return bool(self._work.view.tasks) and self._now() - self._latest.made_at > _STALE_S

    def _keep(self) -> None:
        """Store what a restart must know of the class, soon."""
        if not self._class.is_stored:
            self._wake()

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
        try:
            return forecast(
                view,
                self._work.policy,
                self._durations,
                started=dict(self._work.started),
                policies=self._work.policies,
                **({} if exactly is None else {"exactly": exactly}),
            )
        except NotSettled as exc:  # the rules do not settle; work must go on without a forecast
            log.error("no forecast", error=str(exc))
            return None

    def _plan_against(self, deadline: float, total: int) -> FirstForecast:
        """The forecast from the time when this class was first compared with this deadline."""
        began = self._class.began_at
        if self._held_against is None or self._held_against[:2] != (began, deadline):
            policy = self._work.policy
            shares = {stage: self._durations.share_s(stage, policy) for stage in Stage}
            self._held_against = began, deadline, FirstForecast(total, shares)
        return self._held_against[2]

    def _why_late(self, left: Set[int], plan: FirstForecast | None, total: int) -> str:
        if all(task.held for task in self._work.view.tasks if task.id in left):
            return "only held tasks are left"
        if plan is None or self._latest is None:
            return "there is no forecast yet"
        work = self._work
        return late(work.view, work.policy, self._durations, self._latest, plan, total)
