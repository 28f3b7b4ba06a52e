"""The guard that waits for measured free GPU memory between two groups, and never goes on without it.

A group's need is an estimate, and can be more than the card has; so it counts for at most what an empty
card offers. An empty card therefore always has room, and memory that keeps a group waiting is held by
somebody, whom an alarm names after `timeout_s` seconds.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from daemon.contracts.ledger import Ledger
from daemon.contracts.values import OnAlarm
from daemon.contracts.wire.status import GpuState, Holder
from daemon.core.alarms import Trouble, trouble
from daemon.core.schedule.memory import capacity_mb
from daemon.core.schedule.phase_state import Group
from daemon.gpu.owner import descends_from

MEMORY = "gpu_memory"
LOST = "gpu_lost"
_NAMED = 3  # holders that an alarm names
_SOON_S, _LATER_S = 0.1, 1.0  # between readings: memory is freed within a second, or not soon
_HURRY_S = 3.0  # memory that a stop frees is free by then; what is left is somebody's


@dataclass(frozen=True, slots=True)
class GpuRoom:
    """A reading, from the view of the engines that start. `ours_mb` is held by engines that stay loaded."""

    needed_mb: float
    free_mb: float
    ours_mb: float
    foreign_mb: float
    foreign: tuple[Holder, ...]

    @property
    def margin_mb(self) -> float:
        """Free memory beyond the need, in MB; negative when there is no room."""
        return self.free_mb - self.needed_mb


class VramGuard:
    """Implements `ports.MemoryGuard`.

    `need_mb` gives the need of the engines that start, and `ours` the ids of processes that stay on purpose;
    their descendants are ours as well. Their memory is not foreign, and is not free for others either.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[GpuState]],
        need_mb: Callable[[Group], float],
        ours: Callable[[], Iterable[int]],
        on_alarm: OnAlarm,
        *,
        timeout_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._read, self._need_mb, self._ours = read, need_mb, ours
        self._on_alarm, self._timeout_s = on_alarm, timeout_s
        self._clock, self._sleep = clock, sleep
        self._used_before: float | None = None
        self._lasting: dict[str, Trouble] = {}

    async def measure(self) -> None:
        """Record the memory in use before the stop."""
        self._used_before = (await self._read()).used_mb

    async def clear(self, group: Group) -> Ledger:
        """Return once there is measured room for `group`, the engines that are about to start.

        Without a GPU that can be measured it returns at once.
        """
        began = self._clock()
        before, self._used_before = self._used_before, None
        try:
            while True:
                state = await self._read()
                waited = self._clock() - began
                if state.lost:
                    self._alarm(LOST, _lost(state))
                elif state.used_mb is None or state.total_mb is None:
                    return Ledger(waited_s=waited)
                else:
                    self._alarm(LOST, None)
                    room = room_for(state, self._need_mb(group), frozenset(self._ours()))
                    if room.margin_mb >= 0:
                        return _ledger(room, before, state.used_mb, waited)
                    if waited >= self._timeout_s:
                        self._alarm(MEMORY, _held(room, group))
                await self._sleep(_SOON_S if waited < _HURRY_S else _LATER_S)
        finally:
            self._alarm(MEMORY, None)
            self._alarm(LOST, None)

    def _alarm(self, code: str, now: Trouble | None) -> None:
        """Set or clear an alarm, only when it changed."""
        if self._lasting.get(code) == now:
            return
        if now is None:
            del self._lasting[code]
        else:
            self._lasting[code] = now
        self._on_alarm(code, now)


def room_for(state: GpuState, need_mb: float, ours: frozenset[int]) -> GpuRoom:
    """The room in a reading for a group that needs `need_mb`, while the processes of `ours` stay."""
    used, total = state.used_mb or 0.0, state.total_mb or 0.0
    own = [holder for holder in state.holders if descends_from(holder.pid, ours)]
    foreign = tuple(holder for holder in state.holders if holder not in own)
    own_mb, foreign_mb = _sum(own), _sum(foreign)
    offered = capacity_mb(total)
    # A holder without a figure counts with all that the others do not hold. Memory in use without any named
    # process is foreign too, unless it is no more than the driver itself keeps.
    if any(holder.memory_mb is None for holder in own):
        own_mb = max(own_mb, used - foreign_mb)
    elif any(holder.memory_mb is None for holder in foreign) or (
        not foreign and used - own_mb > total - offered
    ):
        foreign_mb = max(foreign_mb, used - own_mb)
    return GpuRoom(min(need_mb, offered), total - used, own_mb, foreign_mb, foreign)


def _sum(holders: Iterable[Holder]) -> float:
    return sum(holder.memory_mb or 0.0 for holder in holders)


def _ledger(room: GpuRoom, before: float | None, used: float, waited: float) -> Ledger:
    return Ledger(
        freed_mb=None if before is None else max(0.0, before - used),
        foreign_mb=room.foreign_mb,
        needed_mb=room.needed_mb,
        margin_mb=room.margin_mb,
        waited_s=waited,
        holders=room.foreign,
    )


def _held(room: GpuRoom, group: Group) -> Trouble:
    what = "+".join(sorted(group))
    short = f"{what} needs {room.needed_mb:.0f} MB of the GPU and {room.free_mb:.0f} MB are free: "
    if not room.foreign and room.ours_mb > room.foreign_mb:
        told = f"{room.ours_mb:.0f} MB are held by engines that stay loaded"
        fix = "lower parallel or num_ctx, or set gpu.residency to fewer engines at a time"
        return trouble(MEMORY, short + told, fix=fix)
    if not room.foreign:
        told = f"{room.foreign_mb:.0f} MB are held and the driver names no process"
        fix = "see: nvidia-smi; then end the holder, or restart the machine"
        return trouble(MEMORY, short + told, fix=fix)
    shown = [
        f"process {h.pid} ({h.name}) of {h.user} holds "
        + ("an unknown amount" if h.memory_mb is None else f"{h.memory_mb:.0f} MB")
        for h in room.foreign[:_NAMED]
    ]
    more = f", and {len(room.foreign) - _NAMED} more" if len(room.foreign) > _NAMED else ""
    return trouble(MEMORY, short + ", ".join(shown) + more)


def _lost(state: GpuState) -> Trouble:
    return trouble(LOST, f"the GPU {state.name} does not answer any more")
