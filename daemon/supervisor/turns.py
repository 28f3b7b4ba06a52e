"""One turn of the supervisor: take the letters, decide, commit, act.

All transitions of a turn are committed in one transaction before anything is done about them: before attempts
start and a switch begins. So a crash can't forget what was begun, and a turn costs one fsync.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from daemon.contracts.signal import Signal
from daemon.contracts.values import Failed, Ticket
from daemon.contracts.wire.words import Verb
from daemon.core.errors import Blame, NodeGone, NotSettled
from daemon.core.schedule.cluster import UNSETTLED, decide_all, most_rounds, settled
from daemon.core.schedule.decision import (
    LOCAL,
    Action,
    Admit,
    Decision,
    OpenBatch,
    Release,
    Start,
    Switch,
    View,
    Why,
)
from daemon.core.schedule.queue import in_order
from daemon.core.tasks.task import FINAL, PENDING, RUNNING, Event, Stage, Task
from daemon.supervisor.attempts import AttemptEnded, Attempts
from daemon.supervisor.consistency import ConsistencyCheck
from daemon.supervisor.decision_log import DecisionLog
from daemon.supervisor.journal import Journal, Payload
from daemon.supervisor.losses import lose, take_of_node
from daemon.supervisor.mailbox import Arrived, Letter, PauseAtOnce, VideoUnreadable
from daemon.supervisor.nodes import NodeJoined, NodeLeft, NodeLost, Nodes
from daemon.supervisor.phases import Switched
from daemon.supervisor.predecode import Predecoder
from daemon.supervisor.rechecks import Rechecks
from daemon.supervisor.standing_orders import StandingOrders
from daemon.supervisor.task_book import TaskBook
from daemon.supervisor.task_requests import TaskRequest, answer, execute


class Turns:
    """Makes the turns, one after the other. The only writer of the book, and the only one to start work."""

    def __init__(
        self,
        journal: Journal,
        book: TaskBook,
        nodes: Nodes,
        attempts: Attempts,
        predecoder: Predecoder,
        consistency: ConsistencyCheck,
        standing: StandingOrders,
        decision_log: DecisionLog,
        rechecks: Rechecks,
        clock: Callable[[], float],
    ) -> None:
        self._rechecks = rechecks
        self._journal, self._book, self._nodes, self._attempts = journal, book, nodes, attempts
        self._predecoder, self._consistency, self._standing = predecoder, consistency, standing
        self._decision_log, self._clock = decision_log, clock
        self.decision = Decision((), Why.IDLE)
        self.tasks_ended = Signal[[]]()
        """Tasks ended, or results are to be delivered again: there are documents to deliver."""
        self.switch_began = Signal[[]]()
        self.rating_asked = Signal[[]]()
        """A person asks to rate a task again. A listener may refuse by a ConfigError."""
        self.rated_anew = Signal[[]]()
        """A task is about to be rated again."""
        self.class_ended = Signal[[]]()
        """No task is open any more."""

    @property
    def view(self) -> View:
        """The state that the next decision is made from."""
        orders, others = self._standing.now, self._nodes.others
        return View(
            self._clock(),
            self._book.tasks,
            self._nodes[LOCAL].phases.state,
            paused=orders.paused,
            draining=orders.draining,
            go_at=orders.go_at,
            last_claim_at=self._book.last_claim_at,
            others=others,
            at=self._nodes.at,
            leaving=others.keys() & set(orders.drained),
        )

    async def make(self, letters: Sequence[Letter]) -> float | None:
        """Take the letters, decide, commit, act. Gives the latest time of the next turn; None: no limit."""
        if letters or self._standing.now.paused or self._standing.now.draining:
            await self._rechecks.interrupt()
        for letter in letters:
            await self._take(letter)
        starts: list[Task] = []
        switches: dict[str, Switch] = {}
        decisions = await self._settle(starts, switches)
        starts = [task for task in starts if self._book.get(task.id) is task]  # the node of another went
        payloads = await self._commit(starts)
        idle = decisions[LOCAL].why is Why.IDLE
        at_work = (each for each in decisions.values() if idle and each.why is Why.WORKING)
        self.decision = next(at_work, decisions[LOCAL])
        for task in starts:
            node = self._nodes[self._nodes.of(task.id)].node
            self._attempts.start(task, payloads.get(task.id), node)
        await self._begin({name: switch for name, switch in switches.items() if name in decisions})
        self._decode_ahead()
        return min((d.wake_at for d in decisions.values() if d.wake_at is not None), default=None)

    async def _settle(self, starts: list[Task], switches: dict[str, Switch]) -> dict[str, Decision]:
        """Decide until only what takes time is left to do. Adds to `starts` and `switches`."""
        for _ in range(most_rounds(len(self._nodes.phases))):
            decisions = await self._decide()
            for name, decision in decisions.items():
                switches.pop(name, None)  # decided again, with what the others do
                if switch := await self._move(name, decision.actions, starts):
                    switches[name] = switch
            if all(map(settled, decisions.values())):
                return decisions
        raise NotSettled(UNSETTLED)

    async def _begin(self, switches: Mapping[str, Switch]) -> None:
        """Begin the switches, each at its node."""
        for name, switch in switches.items():
            if name == LOCAL and await self._waits(switch):
                continue
            await self._nodes[name].phases.begin(switch, self._book.tasks)
            if name == LOCAL:
                self.switch_began()

    async def make_last(self, letters: Iterable[Letter]) -> None:
        """Commit what has happened until now, and release all tasks in hand. Raises StoreError."""
        for letter in letters:
            if not isinstance(letter, Switched):
                await self._take(letter)
        for task in self._book.tasks:
            if task.status in RUNNING | PENDING:
                self._book.move(task.id, Event.RELEASED)
        await self._commit()

    async def _waits(self, switch: Switch) -> bool:
        """Whether the engines are not stopped yet: nothing is left to do, and a rating is made again."""
        idle = switch.group is None and not self._standing.now.draining
        if idle and await self._rechecks.goes_on(self._nodes[LOCAL].phases.state.group):
            return True
        await self._rechecks.interrupt()
        return False

    async def _decide(self) -> dict[str, Decision]:
        for name, phases in self._nodes.phases.items():
            try:
                await phases.observe()
            except NodeGone as exc:
                await self._lose(name, exc)
        view = self.view
        self._nodes.follow_plans()
        policies = self._nodes.policies
        decisions = decide_all(view, policies)
        self._decision_log.turn(view, policies, decisions)
        return decisions

    async def _move(self, name: str, actions: Iterable[Action], starts: list[Task]) -> Switch | None:
        """Enter what was decided for a node into the book. Adds to `starts`; gives the switch, if any."""
        phases, switch = self._nodes[name].phases, None
        for action in actions:
            match action:
                case Release(task=task):
                    self._book.move(task.id, Event.RELEASED)
                case Admit(task=task):
                    self._nodes.place(task.id, name)
                    self._book.move(task.id, Event.ADMITTED, await phases.batch_for(task))
                case Start(task=task):
                    self._nodes.place(task.id, name)
                    lender = self._nodes.lender(task.id)
                    starts.append(self._book.move(task.id, Event.STARTED, node=lender))
                    phases.started(task)
                case OpenBatch():
                    await phases.close_batch()
                case Switch():
                    switch = action
        return switch

    async def _take(self, letter: Letter) -> None:
        match letter:
            case Arrived(tasks=tasks):
                self._book.add(tasks)
                self._journal.events.changed()
            case VideoUnreadable(task_id=task_id, fault=fault):
                task = self._book.get(task_id)
                if task is not None and task.status not in RUNNING and fault.blame is Blame.PERMANENT:
                    self._book.end(task, Failed(Ticket(task.id, task.revision, task.attempt), fault), None)
            case Switched():
                await self._end_switch(letter)
            case AttemptEnded():
                await self._end_attempt(letter)
            case PauseAtOnce():
                await self._interrupt()
            case TaskRequest():
                await answer(letter, self._execute(letter))
            case NodeJoined() | NodeLeft() | NodeLost():
                await take_of_node(letter, self._nodes, self._book, self._attempts)

    async def _lose(self, name: str, error: NodeGone) -> None:
        if name == LOCAL:
            raise error
        await lose(name, str(error), self._nodes, self._book, self._attempts)

    async def _end_switch(self, switched: Switched) -> None:
        name = self._nodes.having(phases=switched.phases)
        if name is None:
            return  # a switch of a node that went meanwhile
        if isinstance(switched.error, NodeGone):
            await self._lose(name, switched.error)
        else:
            await switched.phases.end(switched)

    async def _interrupt(self) -> None:
        running = [task for task in self._book.tasks if task.status in RUNNING]
        await self._attempts.interrupt(task.id for task in running)
        for task in running:
            self._book.move(task.id, Event.CANCELLED if task.cancel_requested else Event.RELEASED)

    async def _execute(self, asked: TaskRequest) -> Task | None:
        await self._commit()  # the store decides on its row, which must be up to date
        rates = asked.verb is Verb.RATE
        if rates:
            self.rating_asked()
        task = await execute(
            asked, self._journal, self._book, self._attempts, self._clock(), self.tasks_ended
        )
        if rates:
            self.rated_anew()
        return task

    async def _end_attempt(self, ended: AttemptEnded) -> None:
        outcome = ended.outcome
        task = self._book.answered(outcome.ticket)
        if task is None:
            return
        name = self._nodes.of(task.id)
        phases = self._nodes[name].phases
        if not isinstance(outcome, Failed):
            phases.worked(task.stage)
        elif outcome.fault.blame is Blame.ENGINE and outcome.fault.begun:
            phases.failed(task.stage, outcome.fault)
        self._book.end(task, outcome, ended.seconds, node=self._nodes.lender(task.id))
        if (
            isinstance(outcome, Failed)
            and outcome.fault.died
            and self._book.changes[-1].event is Event.FAILED
        ):
            # The video is to blame and not the engine: lift the group's rest and its alarm.
            phases.worked(task.stage)
        await self._consistency.check(task.stage, outcome)

    async def _commit(self, starts: Sequence[Task] = ()) -> dict[int, Payload]:
        """Make the changes durable. Gives the payloads of the tasks that start now, by task id."""
        changes = self._book.changes
        if not changes:
            return {}
        extent = self._nodes[LOCAL].phases.state.extent(self._book.tasks)
        payloads = await self._journal.commit(changes, extent, starts)
        self._book.changes = []
        self._nodes.ended(change.after.id for change in changes if change.after.status in FINAL)
        if not self._book.tasks:
            await self._consistency.end_class()
            self.class_ended()
        if any(change.after.status in FINAL for change in changes):
            self.tasks_ended()
        return payloads

    def _decode_ahead(self) -> None:
        # One that is held while it runs goes on: its attempt waits for the sound.
        mine = [t for t in self._book.tasks if t.stage is Stage.STT and (t.status in RUNNING or not t.held)]
        waiting = in_order((t for t in mine if t.status not in RUNNING), self._nodes.policies[LOCAL].order)
        self._predecoder.want(
            [t for t in mine if t.status in RUNNING]
            + waiting[: sum(policy.batch_size for policy in self._nodes.policies.values())]
        )
