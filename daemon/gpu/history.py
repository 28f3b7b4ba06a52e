"""The GPU's recent history for the dashboard: a bounded ring of readings."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from daemon.contracts.wire.status import GpuPoint, GpuState
from daemon.core.timestamps import to_iso

_SAMPLE_S = 5.0  # a reading takes some milliseconds: a thousandth of a core
_LOOK_S = 60.0  # between checks of a machine without a GPU
KEPT = 120
KEPT_S = KEPT * _SAMPLE_S


class GpuRecorder:
    """Reads the GPU as long as `run` runs. `group` gives the loaded group."""

    def __init__(
        self,
        read: Callable[[], Awaitable[GpuState]],
        group: Callable[[], Iterable[str]],
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._read, self._group = read, group
        self._clock, self._sleep = clock, sleep
        self._points: deque[GpuPoint] = deque(maxlen=KEPT)
        self.latest = GpuState(absent="not read yet")

    def recall(self, points: Iterable[GpuPoint]) -> None:
        """Put the readings of an earlier run before those of this one."""
        self._points.extendleft(reversed(list(points)))

    def points(self) -> list[GpuPoint]:
        """The last readings, the oldest first: ten minutes of them; empty on a machine without a GPU."""
        return list(self._points)

    async def run(self) -> None:
        """Take readings until cancelled."""
        while True:
            self.latest = state = await self._read()
            if state.absent is None:
                self._points.append(
                    GpuPoint(
                        at=to_iso(self._clock()),
                        utilisation=state.utilisation,
                        used_mb=state.used_mb,
                        temperature_c=state.temperature_c,
                        power_w=state.power_w,
                        group=sorted(self._group()),
                    )
                )
            await self._sleep(_SAMPLE_S if state.absent is None else _LOOK_S)
