"""The supervisor's records in the database: transitions, batches, phases, and standing orders."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from daemon.contracts.ledger import Ledger
from daemon.contracts.values import Change, Orders
from daemon.core.content.document import Profile, SetAside, Speaking, Transcript
from daemon.core.schedule.phase_state import Extent, Group
from daemon.core.tasks.task import FINAL, Phase, Stage, Task
from daemon.monitoring.events import Events
from daemon.store import audit, commits, phases, recovery, reports, settings
from daemon.store.database import Database, writes
from daemon.store.session import Session

_ORDERS = "orders"


@dataclass(frozen=True, slots=True)
class Payload:
    """The results of earlier stages, for a task that is past stt."""

    transcript: Transcript
    speaking: Speaking
    profile: Profile | None
    set_aside: tuple[SetAside, ...]


class Journal:
    """Writes what the supervisor did, retries until it is durable, and then tells `events`."""

    def __init__(self, session: Session, clock: Callable[[], float], events: Events) -> None:
        self.session, self.events = session, events
        self._until_durable = session.until_durable
        self._clock = clock
        self._phase = Phase.STT
        self._last_batch: int | None = None
        self._phase_id: int | None = None
        self._phase_start: float | None = None
        self._group: Group = frozenset()
        self._brought = 0  # tasks that left the loaded group's stages

    async def orders(self) -> Orders:
        """The orders in force at the last stop."""
        kept = await self._until_durable(settings.get, _ORDERS, {})
        return Orders(**{**kept, "drained": tuple(kept.get("drained", ()))})

    async def keep_orders(self, orders: Orders, what: str, actor: str | None) -> None:
        """Store the orders, so that they survive a restart; `what` was ordered now. Raises StoreError."""
        now = self._clock()

        @writes
        def keep(db: Database) -> None:
            before, after = settings.get(db, _ORDERS, asdict(Orders())), asdict(orders)
            settings.put(db, _ORDERS, after)
            audit.append(db, at=now, actor=actor, what=what, subject=audit.WHOLE, before=before, after=after)

        await self.session(keep)

    async def recover(self) -> list[Task]:
        """Repair what a crash left. Gives the open tasks."""

        @writes
        def recover(db: Database) -> list[Task]:
            self._last_batch = phases.last_batch(db)
            self._write_state(db, Extent(Phase.STT, None, 0, 0))
            return recovery.recover(db, self._clock())

        return await self._until_durable(recover)

    async def commit(
        self,
        changes: Sequence[Change],
        extent: Extent,
        starts: Sequence[Task] = (),
    ) -> dict[int, Payload]:
        """Make the changes durable, with the row that says what runs, in one transaction.

        Gives the payloads of those of `starts` that are past stt, by task id. In the same call, because a
        second one would wait on the database thread behind whatever a delivery has queued there meanwhile.
        """
        self._brought += sum(self._is_brought(change) for change in changes)

        @writes
        def commit(db: Database) -> dict[int, Payload]:
            commits.commit(db, changes)
            self._write_state(db, extent)
            return {task.id: _payload(db, task.id) for task in starts if task.stage is not Stage.STT}

        payloads = await self._until_durable(commit)
        self.events.committed(changes)
        return payloads

    def _write_state(self, db: Database, extent: Extent) -> None:
        """Write the row that says what runs; in eval its batch is the one that was transcribed last."""
        phases.set_system_state(
            db,
            extent.phase,
            self._clock(),
            batch_id=self._last_batch if extent.phase is Phase.EVAL else extent.batch_id,
            phase_start=self._phase_start,
            total=extent.total,
            completed=extent.done,
        )

    async def open_batch(self, size: int) -> int:
        """Begin a batch. Gives its id."""
        self._last_batch = batch_id = await self._until_durable(phases.open_batch, self._clock(), size)
        return batch_id

    async def close_batch(self, batch_id: int) -> None:
        """End a batch."""
        await self._until_durable(phases.close_batch, batch_id, self._clock())

    async def phase_began(self, group: Group | None, extent: Extent) -> None:
        """Record that a switch begins, to a group, or to none, which counts as the stt phase."""
        now, phase = self._clock(), extent.phase
        if not (phase is self._phase is Phase.EVAL):  # another pass of the same phase
            self._phase_start = now
        self._phase, self._brought = phase, 0

        @writes
        def begin(db: Database) -> int | None:
            self._write_state(db, extent)
            return None if group is None else phases.began(db, group, phase, None, now)

        self._phase_id = await self._until_durable(begin)
        self._group = group or frozenset()
        self.events.add(
            "phase", f"the switch to {phases.group_name(group)} begins" if group else "every engine stops"
        )

    async def phase_ready(self, switch_s: float, ledger: Ledger) -> None:
        """Record that the group of the last switch is verified loaded, with the switch's ledger."""
        if self._phase_id is not None:
            await self._until_durable(phases.ready, self._phase_id, self._clock(), switch_s, ledger)
            self.events.switched(phases.group_name(self._group), switch_s)

    async def phase_ended(self) -> None:
        """Record the end of the running phase."""
        if self._phase_id is not None:
            await self._until_durable(phases.ended, self._phase_id, self._clock(), self._brought)
            self._phase_id = None

    def _is_brought(self, change: Change) -> bool:
        """Whether an attempt of the loaded group ended, and the task needs the group no more."""
        after = change.after
        here = change.seconds is not None and change.node is None
        return here and (after.status in FINAL or after.stage not in self._group)


def _payload(db: Database, task_id: int) -> Payload:
    transcript, speaking, profile = reports.payload(db, task_id)
    if transcript is None or speaking is None:
        raise AssertionError(f"task {task_id} is past stt and has no transcript")
    return Payload(transcript, speaking, profile, reports.set_aside(db, task_id))
