"""The supervisor: the one coroutine that decides, from its start to its stop. One turn for every event."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import structlog

from daemon.contracts.ports import Lender, Node
from daemon.contracts.values import NodePlan, Orders
from daemon.contracts.wire.canary import CanaryLine
from daemon.contracts.wire.words import Order, Verb
from daemon.core.alarms import trouble_of
from daemon.core.canary.record import NOTHING_DRIFTED
from daemon.core.errors import EngineError, IllegalTransition, StoreError
from daemon.core.intake.ownership import Ownership
from daemon.core.schedule.decision import Decision, Policy, View
from daemon.core.schedule.orders import useful
from daemon.core.schedule.phase_state import Group
from daemon.core.tasks.lifecycle import RetryPolicy, backoff_s
from daemon.core.tasks.task import Task
from daemon.monitoring.alarms import Alarms
from daemon.monitoring.progress import Progress
from daemon.supervisor.attempts import Attempts
from daemon.supervisor.canary import Canary
from daemon.supervisor.consistency import ConsistencyCheck
from daemon.supervisor.decision_log import DecisionLog
from daemon.supervisor.journal import Journal
from daemon.supervisor.known_words import KnownWords
from daemon.supervisor.lent import LentCanary, LentRecords
from daemon.supervisor.mailbox import Arrived, Mailbox, PauseAtOnce, VideoUnreadable
from daemon.supervisor.nodes import NodeJoined, NodeLeft, NodeLost, Nodes
from daemon.supervisor.phases import Phases
from daemon.supervisor.predecode import Predecoder
from daemon.supervisor.rechecks import Rechecks
from daemon.supervisor.standing_orders import StandingOrders
from daemon.supervisor.task_book import TaskBook
from daemon.supervisor.task_requests import TaskRequest
from daemon.supervisor.turns import Turns
from daemon.system.waits import happens, waking

log = structlog.get_logger()


class Supervisor:
    """Owns the state of every open task. Nobody else changes one."""

    def __init__(
        self,
        *,
        node: Node,
        canary: Canary,
        words: KnownWords,
        rechecks: Rechecks,
        journal: Journal,
        predecoder: Predecoder,
        policy: Policy,
        fit: Callable[[NodePlan], Policy],
        retry: RetryPolicy,
        alarms: Alarms,
        clock: Callable[[], float],
        progress: Progress,
        decision_log: DecisionLog,
        ownership: Ownership | None = None,
        newest_only: Ownership | None = None,
        prepare: Callable[[Group], Awaitable[None]],
    ) -> None:
        self._node, self._canary, self._journal = node, canary, journal
        self._alarms, self._clock = alarms, clock
        self._mailbox = mailbox = Mailbox(clock)
        self._predecoder = predecoder
        predecoder.unreadable.connect(lambda task_id, fault: mailbox.add(VideoUnreadable(task_id, fault)))
        self._attempts = Attempts(
            *(node, predecoder, progress, clock, mailbox.add, mailbox.broke),
            lambda gone, why: mailbox.add(NodeLost(gone, why)),
        )
        self._phases = Phases(
            *(node, canary, journal, policy, alarms, clock),
            *(mailbox.add, mailbox.broke, prepare, decision_log.note),
        )
        self._nodes = Nodes(node, self._phases, self._employ, fit)
        self._prepare, self._words = prepare, words
        self._consistency = ConsistencyCheck(journal.session, alarms, journal.events)
        self._book = TaskBook(retry, clock, ownership=ownership, newest_only=newest_only)
        self._standing = StandingOrders(journal, clock)
        self._turns = Turns(
            *(journal, self._book, self._nodes, self._attempts, predecoder, self._consistency),
            *(self._standing, decision_log, rechecks, clock),
        )
        self._rechecks = rechecks
        rechecks.ended.connect(mailbox.wake)
        self._decision_log = decision_log
        self.orders_changed = self._standing.changed
        self.tasks_ended, self.switch_began = self._turns.tasks_ended, self._turns.switch_began
        self.class_ended = self._turns.class_ended
        self.rating_asked, self.rated_anew = self._turns.rating_asked, self._turns.rated_anew
        self._recovered = False
        self.turns, self.turning = 0, False  # read by the watchdog

    @property
    def tasks(self) -> Sequence[Task]:
        """Every open task."""
        return self._book.tasks

    @property
    def idle(self) -> bool:
        """Whether nothing is open, in work or still to be committed."""
        busy = self._book.tasks or self._book.changes or self._mailbox or self._nodes.switching
        return self._recovered and not (busy or self._rechecks.running)

    @property
    def stopped_by_canary(self) -> bool:
        """Whether all that is open waits for a group whose canary drifted."""
        stages = {task.stage for task in self._book.tasks if not task.held}
        if not stages or self._nodes.switching:  # then the alarms do not tell all yet
            return False
        leaving = self.view.leaving
        every = [phases for name, phases in self._nodes.phases.items() if name not in leaving]
        return all(each.drifted & each.policy.group_of(stage) for each in every for stage in stages)

    @property
    def view(self) -> View:
        """The state that the next decision is made from."""
        return self._turns.view

    @property
    def decision(self) -> Decision:
        """The last decision for this machine's node or, while it has nothing to do, for one that works."""
        return self._turns.decision

    @property
    def orders(self) -> Orders:
        """The operator's orders."""
        return self._standing.now

    @property
    def started(self) -> Mapping[int, float]:
        """The start of each running attempt, by task id, in seconds since the epoch."""
        return self._attempts.started

    @property
    def policy(self) -> Policy:
        """The policy that the scheduler uses now at this machine's node."""
        return self._phases.policy

    @property
    def policies(self) -> Mapping[str, Policy]:
        """The policy of each node, by its name."""
        return self._nodes.policies

    def replan(self, policy: Policy, switch_s: float | None = None) -> None:
        """Use another policy from the next decision on. `switch_s` is the measured duration of a switch."""
        self._nodes.replan(policy)
        if switch_s is not None:
            for phases in self._nodes.phases.values():
                phases.price_switch(switch_s)
        self._mailbox.wake()

    def try_again(self) -> None:
        """End the rest of every group: the obstacle to its engine is gone."""
        for phases in self._nodes.phases.values():
            phases.try_again()
        self._mailbox.wake()

    def join(self, name: str, node: Lender) -> None:
        """Give work to another machine's node from now on. Who calls this closes the node."""
        self._mailbox.add(NodeJoined(name, node))

    def left(self, name: str) -> None:
        """Give up what a node had in hand, and give it no more. Its tasks wait again; nobody is to blame."""
        self._mailbox.add(NodeLeft(name))

    async def drain(self, name: str, *, on: bool, actor: str | None = None) -> None:
        """Let a node finish what it has in hand, and give it no more; or, not `on`, give it work again.

        It holds through a restart, also of a node that is not there. Raises StoreError.
        """
        await self._standing.drain_node(name, on=on, actor=actor)
        self._mailbox.wake()

    def _employ(self, name: str, node: Lender) -> Phases:
        """The phases of a node that joins."""
        canary = LentCanary(name, node, self._canary, self._words, self._alarms, self._clock)
        records = LentRecords(self._journal.session, self._clock)
        return Phases(
            *(node, canary, records, self.policy, self._alarms, self._clock),
            *(self._mailbox.add, self._mailbox.broke, self._prepare),
            on_event=lambda event: None,
            name=name,
        )

    def arrived(self, tasks: Iterable[Task]) -> None:
        """Add new tasks that are in the database."""
        self._mailbox.add(Arrived(tuple(tasks)))

    async def ask(
        self, verb: Verb, task_id: int, *, extract: bool = False, actor: str | None = None
    ) -> Task | None:
        """Do what a person asks for a task. With `extract`, a new rating begins with the form.

        Gives the task if it is open then. Raises UnknownTask, IllegalTransition for what the task's
        status does not allow, ConfigError when a new rating has no rubric, and Stopping.
        """
        answer: asyncio.Future[Task | None] = asyncio.get_running_loop().create_future()
        self._mailbox.add(TaskRequest(verb, task_id, extract, actor, answer))
        return await answer

    async def order(self, order: Order, *, at_once: bool = False, actor: str | None = None) -> None:
        """Pause, resume, drain, or go; kept through a restart. Raises StoreError.

        A pause `at_once` ends the running attempts: their tasks wait again, and no attempt is counted.
        Another order that changes nothing is not kept.
        """
        ends = at_once and order is Order.PAUSE
        if self._recovered and not ends and order not in useful(self.view):
            return
        await self._standing.give(order, at_once=ends, actor=actor)
        if ends:
            self._mailbox.add(PauseAtOnce())
        self._mailbox.wake()

    async def deadline(self, at: float | None, actor: str | None = None) -> None:
        """Set when the class is to be done, in epoch seconds; kept through a restart. Raises StoreError."""
        await self._standing.deadline(at, actor)

    async def canaries(self) -> list[CanaryLine]:
        """What is recorded of the canary, and what differs. Raises StoreError."""
        return await self._canary.lines()

    async def accept_canary(self, actor: str) -> None:
        """Make what drifted of the canary the reference. Raises IllegalTransition where nothing did."""
        if not await self._canary.accept(actor):
            raise IllegalTransition(NOTHING_DRIFTED)
        self.try_again()

    async def run_canary(self) -> None:
        """Ask the canary again before the next task of each stage."""
        await self._canary.again()
        self.try_again()

    async def run(self, stop: asyncio.Event, grace_s: float) -> None:
        """Work until `stop`, then give running attempts `grace_s` seconds to end and release the others."""
        try:
            await self._work(stop)
        except BaseException as exc:
            if not (isinstance(exc, StoreError) and self._journal.session.is_ending):
                await self._attempts.join(0.0)  # an engine with work in hand is not stopped
                raise
            log.warning("the database can't be written; the next start recovers the tasks", cause=str(exc))
        await self._finish(grace_s)

    async def _work(self, stop: asyncio.Event) -> None:
        await self._standing.recall()
        self._book.add(await self._journal.recover())
        self.tasks_ended()  # the recovery may have ended tasks
        await self._consistency.recall()
        await self._canary.recall()
        await self._begin_clean(stop)
        self._recovered = True
        async with waking(stop, self._mailbox.wake):
            while not stop.is_set():
                self.turns, self.turning = self.turns + 1, True
                self._mailbox.check()
                wake_at = await self._turns.make(self._mailbox.take())
                self.turning = False
                await self._mailbox.wait(wake_at)

    async def _begin_clean(self, stop: asyncio.Event) -> None:
        """Stop all engines that an earlier daemon may have left; retried until it works."""
        failures = 0
        while not stop.is_set():
            try:
                await self._node.ensure(None)
            except EngineError as exc:
                failures += 1
                self._alarms.set(trouble_of("engines_left", str(exc)))
                await happens(stop, backoff_s(failures))
            else:
                self._alarms.clear("engines_left")
                return

    async def _finish(self, grace_s: float) -> None:
        """1. let attempts end; 2. release the others; 3. end every engine; 4. end the decoding."""
        await self._rechecks.interrupt()
        await self._attempts.join(grace_s)
        for phases in self._nodes.phases.values():
            await phases.stop_switching()
        try:
            await self._turns.make_last(self._mailbox.take_last())
        except StoreError as exc:  # the next start releases them
            log.warning("tasks in hand can't be released now; the next start does it", cause=str(exc))
        try:
            await self._phases.aclose()
            for name in self._nodes.others:
                await self._nodes[name].phases.abandon()
        except StoreError as exc:
            log.warning("the end of the phase can't be written", cause=str(exc))
        except EngineError as exc:  # the node's own end tries again, and raises it
            log.warning("an engine does not stop", cause=str(exc))
        await self._predecoder.aclose()
        self._decision_log.close()
