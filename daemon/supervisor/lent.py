"""What the phases of another machine's node are kept with: its batches are recorded, its switches are not.

The rows of phases and of what runs are this machine's, since their figures are compared with its own.
"""

from collections.abc import Callable, Set

from daemon.contracts.values import Ledger
from daemon.core.schedule.phase_state import Extent, Group
from daemon.core.tasks.task import Stage
from daemon.store import phases
from daemon.store.session import Session


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


class Unasked:
    """Stands for the canary at a node to which no known words are given."""

    @property
    def drifted(self) -> Set[Stage]:
        """Nothing drifts."""
        return frozenset()

    def due(self, group: Group | None) -> bool:
        """Nothing is due."""
        return False

    async def prove(self, group: Group | None) -> None:
        """Nothing is asked."""
