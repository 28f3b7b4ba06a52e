"""The supervisor: the one coroutine that decides. Observe, decide, commit, act; again at every event.

A turn takes all events that came, lets the scheduler decide on what then stands, commits every
transition of both in one transaction, and only then acts: starts attempts, begins a switch. So
nothing is ever done that a crash could make forget, and a turn costs one fsync.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import structlog

from daemon.contracts.ports import Node
from daemon.contracts.signal import Signal
from daemon.contracts.values import Failed, Orders, Ticket
from daemon.contracts.wire import Order, Verb
from daemon.core.errors import Blame, EngineError, StoreError
from daemon.core.intake.ownership import Ownership
from daemon.core.schedule.decision import (
    Action,
    Admit,
    Decision,
    OpenBatch,
    Policy,
    Release,
    Start,
    Switch,
    View,
    Why,
)
from daemon.core.schedule.phase_state import Group
from daemon.core.schedule.scheduler import decide, in_order
from daemon.core.tasks.lifecycle import RetryPolicy, backoff_s
from daemon.core.tasks.task import FINAL, PENDING, RUNNING, Event, Stage, Task
from daemon.monitoring.alarms import Alarms
from daemon.monitoring.progress import Progress
from daemon.supervisor.attempts import AttemptEnded, Attempts
from daemon.supervisor.consistency import ConsistencyCheck
from daemon.supervisor.decision_log import DecisionLog
from daemon.supervisor.journal import Journal, Payload
from daemon.supervisor.mailbox import Arrived, Letter, Mailbox, PauseAtOnce, VideoUnreadable
from daemon.supervisor.phases import Phases, Switched
from daemon.supervisor.predecode import Predecoder
from daemon.supervisor.standing_orders import StandingOrders
from daemon.supervisor.task_book import TaskBook
from daemon.supervisor.task_requests import TaskRequest, answer, execute

log = structlog.get_logger()


class Supervisor:
    """Owns the state of every open task. Nobody else changes one."""

    def __init__(
        self,
        *,
        node: Node,
        journal: Journal,
        predecoder: Predecoder,
        policy: Policy,
        retry: RetryPolicy,
        alarms: Alarms,
        clock: Callable[[], float],
        progress: Progress,
        decision_log: DecisionLog,
        newest_only: Ownership | None = None,
        prepare: Callable[[Group], Awaitable[None]],
    ) -> None:
        self._node, self._journal, self._policy = node, journal, policy
        self._alarms, self._clock = alarms, clock
        self._mailbox = mailbox = Mailbox(clock)
        self._predecoder = predecoder
        predecoder.unreadable.connect(lambda task_id, fault: mailbox.add(VideoUnreadable(task_id, fault)))
        self._attempts = Attempts(node, predecoder, progress, clock, mailbox.add, mailbox.broke)
        self._phases = Phases(
            node, journal, policy, alarms, clock, mailbox.add, mailbox.broke, prepare, decision_log.note
        )
        self._decision_log = decision_log
        self._consistency = ConsistencyCheck(journal.session, alarms)
        self._book = TaskBook(retry, clock, newest_only=newest_only)
        self._standing = StandingOrders(journal, clock)
        self.orders_changed = self._standing.changed
        self.tasks_ended = Signal[[]]()
        """Tasks came to their end, or results are to be delivered again: there are documents to deliver."""
        self.switch_began = Signal[[]]()
        self.decision = Decision((), Why.IDLE)
        self._recovered = False
        self.turns, self.turning = 0, False  # what the watchdog sees of us

    @property
    def tasks(self) -> Sequence[Task]:
        """Every open task."""
        return self._book.tasks

    @property
    def idle(self) -> bool:
        """Whether nothing is open, in work or still to be committed."""
        busy = self._book.tasks or self._book.changes or self._mailbox or self._phases.state.switching
        return self._recovered and not busy

    @property
    def view(self) -> View:
        """What stands now, as the next decision sees it."""
        orders = self._standing.now
        return View(
            self._clock(),
            self._book.tasks,
            self._phases.state,
            paused=orders.paused,
            draining=orders.draining,
            go_at=orders.go_at,
            last_claim_at=self._book.last_claim_at,
        )

    @property
    def orders(self) -> Orders:
        """What the operator ordered."""
        return self._standing.now

    @property
    def started(self) -> Mapping[int, float]:
        """When each try that runs began, by task id, in seconds since the epoch."""
        return self._attempts.started

    @property
    def policy(self) -> Policy:
        """What the scheduler goes by now."""
        return self._policy

    def replan(self, policy: Policy, switch_s: float | None = None) -> None:
        """Go by another policy from the next decision on, and by what a switch is known to cost."""
        self._policy = self._phases.policy = policy
        if switch_s is not None:
            self._phases.price_switch(switch_s)
        self._mailbox.wake()

    def try_again(self) -> None:
        """Let no group rest any longer: what was in the way of its engine is gone."""
        self._phases.try_again()
        self._mailbox.wake()

    def arrived(self, tasks: Iterable[Task]) -> None:
        """New tasks stand in the database."""
        self._mailbox.add(Arrived(tuple(tasks)))

    async def ask(self, verb: Verb, task_id: int, *, extract: bool = False) -> Task | None:
        """Do what a person asks for a task. With `extract`, a new rating begins with the form.

        Gives the task where it is open then. Raises UnknownTask, IllegalTransition for what the task's
        status does not allow, and Stopping.
        """
        asked = TaskRequest(verb, task_id, extract, asyncio.get_running_loop().create_future())
        self._mailbox.add(asked)
        return await asked.answer

    async def order(self, order: Order, *, at_once: bool = False) -> None:
        """Pause, go on, drain, or go; kept through a restart. Raises StoreError.

        A pause that is `at_once` ends what runs: those tasks wait again, and are charged nothing.
        """
        await self._standing.give(order, at_once=at_once)
        if at_once:
            self._mailbox.add(PauseAtOnce())
        self._mailbox.wake()

    async def deadline(self, at: float | None) -> None:
        """By when the class is to be done, in epoch seconds; kept through a restart. Raises StoreError."""
        await self._standing.deadline(at)

    async def run(self, stop: asyncio.Event, grace_s: float) -> None:
        """Work until `stop`, then let running attempts end within `grace_s` seconds; nothing is lost."""
        try:
            await self._work(stop)
        except StoreError as exc:
            if not self._journal.session.is_ending:
                raise
            log.warning("the daemon stops, and the database cannot be written", cause=str(exc))
        await self._finish(grace_s)

    async def _work(self, stop: asyncio.Event) -> None:
        await self._standing.recall()
        self._book.add(await self._journal.recover())
        self.tasks_ended()  # the recovery may have ended tasks
        await self._consistency.recall()
        await self._begin_clean(stop)
        self._recovered = True
        stopping = asyncio.create_task(self._mailbox.wake_at(stop))
        try:
            while not stop.is_set():
                self.turns, self.turning = self.turns + 1, True
                wake_at = await self._turn()
                self.turning = False
                await self._mailbox.wait(wake_at)
        finally:
            stopping.cancel()

    async def _begin_clean(self, stop: asyncio.Event) -> None:
        """Trust no stored phase: end whatever an earlier daemon may have left. Tried until it holds."""
        failures = 0
        while not stop.is_set():
            try:
                await self._node.ensure(None)
            except EngineError as exc:
                failures += 1
                self._alarms.set("engines_left", str(exc))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), backoff_s(failures))
            else:
                self._alarms.clear("engines_left")
                return

    async def _turn(self) -> float | None:
        """Take the events, decide, commit, act. When to look again at the latest."""
        self._mailbox.check()
        for happening in self._mailbox.take():
            await self._take(happening)
        starts: list[Task] = []
        switch = None
        while (decision := await self._decide()).actions:
            switch = await self._move(decision.actions, starts)
            if starts or switch:
                break
        payloads = await self._commit(starts)
        self.decision = decision
        for task in starts:
            self._attempts.start(task, payloads.get(task.id))
        if switch is not None:
            await self._phases.begin(switch, self._book.tasks)
            self.switch_began()
        self._decode_ahead()
        return decision.wake_at

    async def _move(self, actions: Iterable[Action], starts: list[Task]) -> Switch | None:
        """Enter what was decided into the book. Fills `starts`; gives the switch, if there is one."""
        switch = None
        for action in actions:
            match action:
                case Release(task=task):
                    self._book.move(task.id, Event.RELEASED)
                case Admit(task=task):
                    self._book.move(task.id, Event.ADMITTED, await self._phases.batch_for(task))
                case Start(task=task):
                    starts.append(self._book.move(task.id, Event.STARTED))
                    self._phases.started(task)
                case OpenBatch():
                    await self._phases.close_batch()
                case Switch():
                    switch = action
        return switch

    async def _decide(self) -> Decision:
        await self._phases.observe()
        view = self.view
        decision = decide(view, self._policy)
        self._decision_log.turn(view, self._policy, decision)
        return decision

    async def _take(self, happening: Letter) -> None:
        match happening:
            case Arrived(tasks=tasks):
                self._book.add(tasks)
                self._journal.events.changed()
            case VideoUnreadable(task_id=task_id, fault=fault):
                task = self._book.get(task_id)
                if task is not None and task.status not in RUNNING and fault.blame is Blame.PERMANENT:
                    self._book.end(task, Failed(Ticket(task.id, task.revision, task.attempt), fault), None)
            case Switched():
                await self._phases.end(happening)
            case AttemptEnded():
                await self._end_attempt(happening)
            case PauseAtOnce():
                await self._interrupt()
            case TaskRequest():
                await answer(happening, self._execute(happening))

    async def _interrupt(self) -> None:
        running = [task for task in self._book.tasks if task.status in RUNNING]
        await self._attempts.interrupt(task.id for task in running)
        for task in running:
            self._book.move(task.id, Event.CANCELLED if task.cancel_requested else Event.RELEASED)

    async def _execute(self, asked: TaskRequest) -> Task | None:
        await self._commit()  # what the store now sees of the task must be all that happened to it
        return await execute(
            asked, self._journal, self._book, self._attempts, self._clock(), self.tasks_ended
        )

    async def _end_attempt(self, ended: AttemptEnded) -> None:
        outcome = ended.outcome
        task = self._book.answered(outcome.ticket)
        if task is None:
            return
        if not isinstance(outcome, Failed):
            self._phases.worked(task.stage)
        elif outcome.fault.blame is Blame.ENGINE:
            self._phases.failed(task.stage, outcome.fault)
        self._book.end(task, outcome, ended.seconds)
        if (
            isinstance(outcome, Failed)
            and outcome.fault.died
            and self._book.changes[-1].event is Event.FAILED
        ):
            # It is the video that ends engines: of this one nothing is to mend.
            self._phases.worked(task.stage)
        await self._consistency.check(task.stage, outcome)

    async def _commit(self, starts: Sequence[Task] = ()) -> dict[int, Payload]:
        """Make the changes durable. Gives what the tasks that start now are to work on, by their ids."""
        changes = self._book.changes
        if not changes:
            return {}
        payloads = await self._journal.commit(changes, self.view.phase.extent(self._book.tasks), starts)
        self._book.changes = []
        if not self._book.tasks:
            await self._consistency.end_class()
        if any(change.after.status in FINAL for change in changes):
            self.tasks_ended()
        return payloads

    def _decode_ahead(self) -> None:
        mine = [t for t in self._book.tasks if t.stage is Stage.STT and not t.held]
        waiting = in_order(t for t in mine if t.status not in RUNNING)
        self._predecoder.want([t for t in mine if t.status in RUNNING] + waiting[: self._policy.batch_size])

    async def _finish(self, grace_s: float) -> None:
        """1. let attempts end; 2. release the others; 3. end every engine; 4. end the decoding."""
        await self._attempts.join(grace_s)
        await self._phases.stop_switching()
        try:
            await self._commit_last()
        except StoreError as exc:  # the next start releases them
            log.warning("what was in hand is done again by the next start", cause=str(exc))
        try:
            await self._phases.aclose()
        except StoreError as exc:
            log.warning("the end of the phase cannot be written", cause=str(exc))
        await self._predecoder.aclose()
        self._decision_log.close()

    async def _commit_last(self) -> None:
        """Write what has happened until now, and release what is in hand. Raises StoreError."""
        for happening in self._mailbox.take_last():
            if not isinstance(happening, Switched):
                await self._take(happening)
        for task in self._book.tasks:
            if task.status in RUNNING | PENDING:
                self._book.move(task.id, Event.RELEASED)
        await self._commit()
