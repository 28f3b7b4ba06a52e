"""Writes the record of the day to the database: the events, and the readings of the GPU.

It is written in batches, beside the work and never in its way: what can't be written now is written later,
or is lost when there is too much of it. A crash costs the last second of events.
"""

import asyncio
from collections.abc import Iterable

from daemon.contracts.wire.status import GpuPoint
from daemon.core.errors import StoreError
from daemon.core.keeping.traces import Traces
from daemon.monitoring.events import Events
from daemon.monitoring.sources import GpuWatch
from daemon.store import recording
from daemon.store.session import Session
from daemon.system.waits import happens

_EVERY_S = 1.0
_READINGS = 12  # a minute of them is one write


class Record:
    """Keeps the events and readings. `still` is held while it writes."""

    def __init__(self, session: Session, events: Events, gpu: GpuWatch) -> None:
        self._session, self._events, self._gpu = session, events, gpu
        self._read_at = max((point.at for point in gpu.points()), default="")
        self.still = asyncio.Lock()

    async def run(self, stop: asyncio.Event) -> None:
        """Write what is new every second, until `stop`."""
        while not await happens(stop, _EVERY_S):
            points = self._new_points()
            async with self.still:
                if self._events.unwritten or len(points) >= _READINGS:
                    await self._write(points)

    async def flush(self) -> None:
        """Write all that is new, e.g. at the end."""
        async with self.still:
            await self._write(self._new_points())

    async def forget(self, traces: Traces) -> None:
        """Drop a student from the record and from the last events. Raises StoreError."""
        async with self.still:
            self._events.forget(traces)
            await self._session(recording.forget_events, traces)

    def _new_points(self) -> list[GpuPoint]:
        return [point for point in self._gpu.points() if point.at > self._read_at]

    async def _write(self, points: Iterable[GpuPoint]) -> None:
        events, points = self._events.unwritten, list(points)
        try:
            await self._session(recording.keep, events, points)
        except StoreError:
            return  # the work needs the database too, and has told of it
        self._events.written_id = events[-1].id if events else self._events.written_id
        self._read_at = points[-1].at if points else self._read_at
