"""`cluster`: a class of 240 on one to eight machines: the real supervisor over real Ray, on scripted engines.

The engines take the plan's 10, 20 and 20 s for an introduction and 20 s to start, divided by --scale. The
head is one of the machines.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from daemon.app.parts import Daemon
from daemon.cluster import start
from daemon.contracts.ports import Lender
from daemon.core.schedule.decision import Policy, View
from daemon.core.schedule.orders import Order
from daemon.core.schedule.phase_state import PhaseState
from daemon.core.schedule.simulation import simulate
from daemon.core.schedule.timetable import Attempt, SwitchResult
from daemon.core.tasks.task import Stage, Task
from tests.bench.figures import Figure, Options, Skipped, at_least, at_most
from tests.support.inprocess import PASSES, Lab
from tests.support.ray_lab import RayLab, ToTheSupervisor, looked_after, ray_lab
from tests.support.waiting import until

CLASS = 240
MACHINES = (1, 2, 4, 8)
_PLAN_S = {Stage.STT: 10.0, Stage.EXTRACT: 20.0, Stage.RATE: 20.0}
_START_S = 20.0
_SETTINGS = {
    "gpu.residency": PASSES,
    "batch.size": 40,
    "stt.parallel": 2,
    "extract.parallel": 4,
    "rate.parallel": 4,
}
_UP_S, _CLASS_S = 600.0, 1200.0


def measure(options: Options) -> list[Figure]:
    """How many times as fast each number of machines is, and how near the simulation of it is."""
    if not start.installed():
        raise Skipped(start.INSTALL)
    took = dict(zip(MACHINES, classes(MACHINES, options.scale), strict=True))
    alone, _ = took[1]
    return [figure for machines, times in took.items() for figure in _figures(machines, *times, alone)]


def classes(machines: tuple[int, ...], scale: float) -> Iterator[tuple[float, float]]:
    """The seconds of a class on each number of machines, as it was and as simulated."""
    with tempfile.TemporaryDirectory() as name, ray_lab(Path(name), max(machines) - 1) as ray:
        ray.pace({stage: seconds / scale for stage, seconds in _PLAN_S.items()}, _START_S / scale)
        for count in machines:
            yield asyncio.run(_class(Path(name) / f"of-{count}", ray, count, scale))


def _figures(machines: int, real: float, simulated: float, alone: float) -> Iterator[Figure]:
    yield Figure(f"class of {CLASS}, {machines} machines", real, "s")
    if machines > 1:
        goal = at_least(0.95 * machines)
        yield Figure(f"{machines} machines: times as fast as one", alone / real, "x", goal)
    apart = abs(simulated / real - 1.0) * 100
    yield Figure(f"{machines} machines: the simulation is off by", apart, "%", at_most(5))


class _Some(ToTheSupervisor):
    """Employs the first machines that join, and no more."""

    def __init__(self, daemon: Daemon, most: int) -> None:
        super().__init__(daemon)
        self._most, self._names = most, set[str]()

    def join(self, name: str, node: Lender) -> None:
        if len(self._names) < self._most:
            self._names.add(name)
            super().join(name, node)

    def left(self, name: str) -> None:
        if name in self._names:
            self._names.remove(name)
            super().left(name)


async def _class(folder: Path, ray: RayLab, machines: int, scale: float) -> tuple[float, float]:
    seconds = {stage: takes / scale for stage, takes in _PLAN_S.items()}
    lab = Lab(folder, seconds=seconds, start_seconds=_START_S / scale, settings=_SETTINGS)
    async with lab.daemon() as daemon, _with_others(daemon, ray, machines - 1):
        supervisor = daemon.supervisor
        await supervisor.order(Order.PAUSE)  # the intake is no part of it
        for number in range(CLASS):
            lab.hand_in(f"s{number:03d}_me.mp4")
        await until(lambda: len(supervisor.view.tasks) == CLASS, _UP_S)
        expected = _simulated(supervisor.view, supervisor.policies, lab)  # it keeps the loop for seconds
        began = time.monotonic()
        await supervisor.order(Order.RESUME)
        await until(lambda: not supervisor.view.tasks, _CLASS_S)
        return time.monotonic() - began, expected


@asynccontextmanager
async def _with_others(daemon: Daemon, ray: RayLab, others: int) -> AsyncIterator[None]:
    if not others:
        yield
        return
    async with looked_after(ray, _Some(daemon, others), daemon.alarms.on):
        await until(lambda: len(daemon.supervisor.view.others) == others, _UP_S)
        yield


def _simulated(view: View, policies: Mapping[str, Policy], lab: Lab) -> float:
    """What `introeval simulate` says of the same class with the same durations."""
    idle = PhaseState(switch_s=lab.start_seconds)
    tries = {stage: Attempt(seconds) for stage, seconds in lab.seconds.items()}

    def attempt(task: Task) -> Attempt:
        return tries[task.stage]

    timetable = simulate(
        View(view.now, view.tasks, idle, others=dict.fromkeys(view.others, idle)),
        policies,
        tries=attempt,
        loads=lambda leaving, entering: SwitchResult(lab.start_seconds if entering else 0.0),
    )
    return timetable.makespan_s
