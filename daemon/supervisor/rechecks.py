"""Ratings that are made again while nothing waits: with another seed and in another order.

They happen before the engines are stopped, and load none. Anything that comes ends them at once. They change
no result: whose scores move with the seed is told.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from daemon.contracts.ports import Node
from daemon.contracts.signal import Signal
from daemon.contracts.values import Rated, RateWork, Ticket
from daemon.core.alarms import trouble
from daemon.core.content.steadiness import LIMIT, Expected
from daemon.core.errors import EngineError, ExclusionError
from daemon.core.schedule.phase_state import Group
from daemon.core.tasks.task import Stage
from daemon.monitoring.alarms import Alarms
from daemon.store import rechecks
from daemon.store.rechecks import Again
from daemon.store.session import Session

log = structlog.get_logger()

_TICKET = Ticket(0, 1, 1)  # no task has this id, so that no progress is shown
_SEEDS = 1000  # beyond those of any retry
_ALARM = "unsteady"
_MOST = 6  # scores that an alarm names


class Rechecks:
    """Rates the tasks of a sample of the class again, each `times` times at most; 0: none."""

    def __init__(
        self,
        node: Node,
        session: Session,
        alarms: Alarms,
        clock: Callable[[], float],
        times: int,
    ) -> None:
        self._node, self._session, self._alarms, self._clock = node, session, alarms, clock
        self._times = times
        self._running: asyncio.Task[None] | None = None
        self.ended = Signal[[]]()
        """A rating ended, or was ended."""

    @property
    def running(self) -> bool:
        """Whether a rating runs now."""
        return self._running is not None

    async def goes_on(self, group: Group | None) -> bool:
        """Whether a rating runs now, or begins: the loaded group is then still wanted."""
        if self._running is not None:
            return True
        if not self._times or group is None or Stage.RATE not in group:
            return False
        again = await self._session.until_durable(rechecks.next_one, self._since(), self._times)
        if again is None:
            return False
        self._running = asyncio.create_task(self._rate(again), name="a rating made again")
        return True

    async def interrupt(self) -> None:
        """End the running rating: something comes before it."""
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            self.ended()

    def _since(self) -> float:
        now = datetime.fromtimestamp(self._clock()).astimezone()
        return now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()

    async def _rate(self, again: Again) -> None:
        said, seed = (again.transcript, again.speaking, again.profile), _SEEDS + again.times
        work = RateWork(_TICKET, *said, reseed=seed, scores_only=True)
        expected: Expected = {}
        try:
            (outcome,) = [each async for each in self._node.rate([work])]
            if isinstance(outcome, Rated) and outcome.evaluation is not None:
                scores = outcome.evaluation.scores
                expected = {name: scored.model_expected for name, scored in scores.items()}
        except (EngineError, ExclusionError) as exc:  # it counts all the same, so that there is an end
            log.warning("a rating made again failed", cause=str(exc))
        await self._session.until_durable(rechecks.add, self._since(), again, expected)
        await self._tell()
        self._running = None
        self.ended()

    async def _tell(self) -> None:
        spreads = await self._session.until_durable(rechecks.spreads)
        moved = [
            f"{name} of task {each.task_id} by {points:.1f}"
            for each in spreads
            for name, points in each.points.items()
            if points > LIMIT
        ]
        if not moved:
            self._alarms.clear(_ALARM)
            return
        cause = f"rated again with other seeds, scores move by more than {LIMIT:g} point"
        self._alarms.set(trouble(_ALARM, f"{cause}: {', '.join(moved[:_MOST])}"))
