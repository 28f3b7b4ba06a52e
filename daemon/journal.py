"""What the supervisor writes down and reads back, on the one database thread.

A database that can't be used now (its disk is full, another program locks it) is an alarm; the same
write is tried again until it is durable, and until then nothing that depends on it happens.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from typing import ParamSpec, TypeVar

from daemon.alarms import Alarms
from daemon.core.decision import Group
from daemon.core.document import Profile, Speaking, Transcript
from daemon.core.errors import StoreError
from daemon.core.task import Phase, Stage, Task
from daemon.events import Events
from daemon.store.phases import group_name
from daemon.store.store import SqliteStore
from daemon.values import Change, Ledger

P = ParamSpec("P")
R = TypeVar("R")

_AGAIN_S = 2.0
_READ_S = 3.0
_ORDERS = "orders"


@dataclass(frozen=True, slots=True)
class Extent:
    """Of the running batch or phase: `done` tasks of `total`."""

    batch_id: int | None
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Payload:
    """What the earlier stages gave for a task that is past stt."""

    transcript: Transcript
    speaking: Speaking
    profile: Profile | None


@dataclass(frozen=True, slots=True)
class Orders:
    """What the operator asked of the whole daemon. `go_at`, in epoch seconds, covers older claims; by
    `deadline` the class is to be done.
    """

    paused: bool = False
    go_at: float = 0.0
    draining: bool = False
    deadline: float | None = None


class Journal:
    """The store as the coroutines of the daemon use it. What is durable is told to `events`."""

    def __init__(
        self,
        store: SqliteStore,
        executor: Executor,
        alarms: Alarms,
        clock: Callable[[], float],
        events: Events | None = None,
    ) -> None:
        self.store = store
        self.events = events or Events(clock)
        self._executor, self._alarms, self._clock = executor, alarms, clock
        self._phase: Phase = Phase.STT
        self._phase_id: int | None = None
        self._phase_start: float | None = None
        self._group = ""
        self._outcomes = 0
        self._ends_at: float | None = None
        self.tries = 0  # so that a wait for the database is told from a standstill

    async def __call__(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a method of the store on the database thread. Raises what it raises."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: function(*args, **kwargs))

    async def read(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call what only reads, for somebody who waits for the answer.

        The one thread may be busy with a write, which has the patience to wait for another program's lock.
        Raises StoreError after a few seconds, and what the function raises.
        """
        try:
            async with asyncio.timeout(_READ_S):
                return await self(function, *args, **kwargs)
        except TimeoutError as exc:
            told = f"the database does not answer within {_READ_S:g} s"
            raise StoreError(
                f"{told}: another program has locked it, or its disk is slow; end that program, or ask again"
            ) from exc

    async def surely(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The same, again and again while it is a StoreError. Raises it once the daemon is to stop."""
        while True:
            self.tries += 1
            try:
                value = await self(function, *args, **kwargs)
            except StoreError as exc:
                self._alarms.set("store", str(exc))
                if self._ends_at is not None and asyncio.get_running_loop().time() >= self._ends_at:
                    raise
                await asyncio.sleep(_AGAIN_S)
            else:
                self._alarms.clear("store")
                return value

    @property
    def is_ending(self) -> bool:
        """Whether the daemon stops, and what can't be written is left for its next start."""
        return self._ends_at is not None

    def end_by(self, grace_s: float) -> None:
        """Try nothing again after `grace_s` seconds: the daemon stops. What was not written is done again
        after its next start, from what the database holds then.
        """
        self._ends_at = asyncio.get_running_loop().time() + grace_s
        self._hurrying = asyncio.create_task(self._hurry())

    async def _hurry(self) -> None:
        with contextlib.suppress(StoreError):  # closed already, or told of where it is written to
            await self(self.store.hurry)

    async def orders(self) -> Orders:
        """What was asked for before the last stop."""
        return Orders(**await self.surely(self.store.setting, _ORDERS, {}))

    async def keep_orders(self, orders: Orders) -> None:
        """Keep what was asked for through a restart. Raises StoreError."""
        await self(self.store.put_setting, _ORDERS, asdict(orders))

    async def recover(self) -> list[Task]:
        """Put right what a crash left; the open tasks."""
        return await self.surely(self.store.recover, self._clock())

    async def commit(
        self, changes: Sequence[Change], extent: Extent, starts: Sequence[Task] = ()
    ) -> dict[int, Payload]:
        """Make the changes durable, with the row that says what runs, in one transaction.

        Gives the payloads of those of `starts` that are past stt, by task id: one way to the database
        thread and not two, the second behind whatever a delivery has put there meanwhile.
        """
        self._outcomes += sum(change.seconds is not None for change in changes)

        def commit() -> dict[int, Payload]:
            with self.store.together():
                self.store.commit(changes)
                self._write_state(extent)
                return {task.id: self._payload(task.id) for task in starts if task.stage is not Stage.STT}

        payloads = await self.surely(commit)
        self.events.committed(changes)
        return payloads

    def _write_state(self, extent: Extent) -> None:
        self.store.set_system_state(
            self._phase,
            self._clock(),
            batch_id=extent.batch_id,
            phase_start=self._phase_start,
            total=extent.total,
            completed=extent.done,
        )

    def _payload(self, task_id: int) -> Payload:
        transcript, speaking, profile = self.store.payload(task_id)
        if transcript is None or speaking is None:
            raise AssertionError(f"task {task_id} is past stt and has no transcript")
        return Payload(transcript, speaking, profile)

    async def open_batch(self, size: int) -> int:
        """Begin a batch; its id."""
        return await self.surely(self.store.open_batch, self._clock(), size)

    async def close_batch(self, batch_id: int) -> None:
        """End a batch."""
        await self.surely(self.store.close_batch, batch_id, self._clock())

    async def phase_began(self, group: Group | None, phase: Phase) -> None:
        """A switch begins: to a group, or to nothing, which is called the stt phase."""
        now = self._clock()
        self._phase, self._phase_start, self._outcomes = phase, now, 0

        def begin() -> int | None:
            with self.store.together():
                self._write_state(Extent(None, 0, 0))
                return None if group is None else self.store.phase_began(group, phase, None, now)

        self._phase_id = await self.surely(begin)
        self._group = group_name(group or ())
        self.events.add("phase", f"the switch to {self._group} begins" if group else "every engine stops")

    async def phase_ready(self, switch_s: float, ledger: Ledger) -> None:
        """The group of the last switch is verified loaded; the ledger says what it found on the GPU."""
        if self._phase_id is not None:
            await self.surely(self.store.phase_ready, self._phase_id, self._clock(), switch_s, ledger)
            self.events.switched(self._group, switch_s)

    async def phase_ended(self) -> None:
        """The running phase is left."""
        if self._phase_id is not None:
            await self.surely(self.store.phase_ended, self._phase_id, self._clock(), self._outcomes)
            self._phase_id = None
