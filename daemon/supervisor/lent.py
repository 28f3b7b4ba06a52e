"""What the phases of another machine's node are kept with: its batches are recorded, its switches are not,
and its canary is held against this machine's.

The rows of phases and of what runs are this machine's, since their figures are compared with its own.
"""

from collections.abc import Callable, Set
from typing import Any

from daemon.contracts.ledger import Ledger
from daemon.contracts.ports import Node
from daemon.core.alarms import trouble
from daemon.core.canary.record import CanaryRecord, CanaryRun
from daemon.core.errors import CanaryDrifted
from daemon.core.schedule.phase_state import Extent, Group
from daemon.core.tasks.task import Stage
from daemon.monitoring.alarms import Alarms
from daemon.store import phases
from daemon.store.session import Session
from daemon.supervisor.canary import Canary, day_of
from daemon.supervisor.known_words import KnownWords


class LentRecords:
    """Records the batches of a node of another machine."""

    def __init__(self, session: Session, clock: Callable[[], float]) -> None:
        self._session, self._clock = session, clock

    async def open_batch(self, size: int) -> int:
        """Begin a batch. Gives its id."""
        return await self._session.until_durable(phases.open_batch, self._clock(), size)

    async def close_batch(self, batch_id: int) -> None:
        """End a batch."""
        await self._session.until_durable(phases.close_batch, batch_id, self._clock())

    async def phase_began(self, group: Group | None, extent: Extent) -> None:
        """Nothing is recorded."""

    async def phase_ready(self, switch_s: float, ledger: Ledger) -> None:
        """Nothing is recorded."""

    async def phase_ended(self) -> None:
        """Nothing is recorded."""


class LentCanary:
    """Asks the known words of a node of another machine, which are held against this machine's record.

    They are asked when it joins, once a day, and after a change, there or of the record.
    """

    def __init__(
        self,
        name: str,
        node: Node,
        canary: Canary,
        words: KnownWords,
        alarms: Alarms,
        clock: Callable[[], float],
    ) -> None:
        self._name, self._node, self._canary, self._words = name, node, canary, words
        self._alarms, self._clock = alarms, clock
        self._asked: dict[Stage, tuple[CanaryRun, Any]] = {}  # the run, and what makes it void

    @property
    def drifted(self) -> Set[Stage]:
        """The stages whose answer is another than was recorded."""
        return frozenset(stage for stage, (run, _) in self._asked.items() if run.drift)

    def due(self, group: Group | None) -> bool:
        """Whether a stage of the loaded group must be asked before a task is."""
        return any(self._due(stage) for stage in group or ())

    async def prove(self, group: Group | None) -> None:
        """Ask the stages that are due. Raises CanaryDrifted, EngineError, NodeGone."""
        for stage in Stage:
            if stage in (group or ()) and self._due(stage):
                answer, _ = await self._words.ask(self._node, stage)
                now = self._clock()
                identity = self._words.identity(self._node, stage)
                run = CanaryRun(identity=identity, answer=answer, at=now, day=day_of(now))
                held = await self._canary.held_against(stage, run)
                self._asked[stage] = held, self._voids(stage)
        told = self._tell()
        if self.drifted & (group or frozenset()):
            raise CanaryDrifted(told)

    def _voids(self, stage: Stage) -> Any:
        """A run counts until the record is another, or a person orders to ask again."""
        return self._canary.reference(stage), self._canary.orders

    def _due(self, stage: Stage) -> bool:
        run, valid = self._asked.get(stage, (None, None))
        identity = self._words.identity(self._node, stage)
        passed = CanaryRecord(last=run).passed(day_of(self._clock()), identity)
        return bool(identity) and not (passed and valid == self._voids(stage))

    def _tell(self) -> str:
        lines = [f"{stage} {line}" for stage, (run, _) in self._asked.items() for line in run.drift]
        if not lines:
            self._alarms.clear(f"node_canary {self._name}")
            return ""
        told = f"the canary at {self._name} is not as recorded: {'; '.join(lines)}"
        self._alarms.set(trouble(f"node_canary {self._name}", told))
        return told
