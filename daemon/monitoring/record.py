"""Writes the record of the day to the database: events, readings of the GPU, what the dashboard showed.

It looks once a second and writes in batches, beside the work and never in its way: what can't be written now
is written later, or is lost when there is too much of it. A crash costs the last second of events, and the
last ten of the recording.
"""

import asyncio
import contextlib
from collections.abc import Callable

from daemon.contracts.wire.status import GpuPoint
from daemon.core.errors import StoreError
from daemon.core.keeping.frames import Stretch
from daemon.core.keeping.traces import Traces
from daemon.monitoring.alarms import Alarm
from daemon.monitoring.camera import Camera
from daemon.monitoring.events import Events
from daemon.monitoring.sources import GpuWatch
from daemon.store import phases, recording
from daemon.store.session import Session
from daemon.system.waits import happens

_EVERY_S, _IDLE = 1.0, 5  # seconds between two looks, and so many times that while nothing happens
_NEWS_S, _QUIET_S = 10.0, 60.0  # between two writes of frames, and of the mere fact that nothing changed
_READINGS = 12  # a minute of them is one write
_STRETCH_S, _QUIET_STRETCH_S = 120.0, 900.0
_STRETCHES = 20
_OF_SWITCHES = ("gpu_memory", "gpu_lost", "engine_")  # codes of alarms


class Record:
    """Keeps the record. `still` is held while it looks and writes."""

    def __init__(
        self, session: Session, events: Events, gpu: GpuWatch, camera: Camera, clock: Callable[[], float]
    ) -> None:
        self._session, self._events, self._gpu = session, events, gpu
        self._camera, self._clock = camera, clock
        self._read_at = max((point.at for point in gpu.points()), default="")
        self._stretch = Stretch(clock())
        self._written = (0, clock())  # frames of the stretch that are written, and when
        self._refusal: str | None = None
        self.still = asyncio.Lock()

    async def run(self, stop: asyncio.Event) -> None:
        """Look every second, and write what is due, until `stop`."""
        seconds = 0
        while not await happens(stop, _EVERY_S):
            seconds += 1
            async with self.still:
                if not self._camera.idle or seconds % _IDLE == 0:
                    await self._look()
                frames = self._frames_due()
                if frames or self._events.unwritten or len(self._new_points()) >= _READINGS:
                    await self._write(frames=frames)

    async def flush(self) -> None:
        """Write all that is new, e.g. at the end."""
        async with self.still:
            await self._look()
            await self._write()

    def refused(self, alarm: Alarm, lasts: bool) -> None:
        """Note why a switch has to wait, or failed: an alarm about it has begun."""
        if lasts and alarm.code.startswith(_OF_SWITCHES):
            self._refusal = alarm.trouble.cause

    async def forget(self, traces: Traces) -> None:
        """Drop a student from the record and from the last events. Raises StoreError."""
        async with self.still:
            self._events.forget(traces)
            await self._write()
            last: int | None = 0
            while last is not None:  # in steps: the work needs the database's thread, too
                last = await self._session(recording.forget_frames, traces, last, _STRETCHES)
            await self._session(recording.forget_events, traces)
            self._camera.forget()
            self._begin(self._clock())

    async def _look(self) -> None:
        now = self._clock()
        with contextlib.suppress(StoreError):  # the work needs the database too, and has told of it
            state = await self._camera.look()
            age_s, frames = now - self._stretch.began_at, self._stretch.frames
            over = age_s >= _STRETCH_S and frames > 1
            if over or not self._stretch.ended_at <= now <= self._stretch.began_at + _QUIET_STRETCH_S:
                await self._write()
                self._begin(now)
            self._stretch.add(now, state)

    def _begin(self, now: float) -> None:
        self._stretch = Stretch(now)
        self._written = (0, now)

    def _frames_due(self) -> bool:
        """Not with each event: a stretch is written anew as a whole."""
        frames, at = self._written
        wait_s = _NEWS_S if self._stretch.frames > frames else _QUIET_S
        return not 0 <= self._stretch.ended_at - at < wait_s

    def _new_points(self) -> list[GpuPoint]:
        return [point for point in self._gpu.points() if point.at > self._read_at]

    async def _write(self, *, frames: bool = True) -> None:
        """Write what is new; what can't be written now is left for the next time."""
        events, points, stretch = self._events.unwritten, self._new_points(), self._stretch
        with contextlib.suppress(StoreError):
            if (cause := self._refusal) is not None:
                await self._session(phases.refused, cause)
                self._refusal = None
            await self._session(recording.keep, events, points, stretch if frames else None)
            self._events.written_id = events[-1].id if events else self._events.written_id
            self._read_at = points[-1].at if points else self._read_at
            self._written = (stretch.frames, stretch.ended_at) if frames else self._written
