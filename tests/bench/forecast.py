"""`forecast`: how near it comes after one class of history, and what it costs.

A class as `introeval simulate` shows it is held against the daemon itself on engines that take scripted
times: the same class, from the first claim to the last result.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from random import Random

from daemon.contracts.wire.words import Order
from daemon.core.forecast.durations import PLANNED, MeasuredAttempt, MeasuredSwitch, learn
from daemon.core.forecast.forecast import forecast
from daemon.core.forecast.simulated import Coming, simulate_class
from daemon.core.tasks.task import Stage
from tests.bench.figures import Figure, Options, at_most, median_of, percentile, seconds_of
from tests.support.inprocess import Lab
from tests.support.waiting import until
from tests.unit.scheduling import APART, burst, policy, view_of
from tests.unit.test_forecast import true_class

SEEDS = 40
RUNS = 9
SCRIPTED = {Stage.STT: 1.0, Stage.EXTRACT: 1.6, Stage.RATE: 1.2}
START_S = 0.5
POLICY = policy(APART, size=20, remainder=True, llm=4)


def measure(options: Options) -> list[Figure]:
    """Of classes of thirty whose durations are random by a fifth, and of queues of 60 and of 5,000."""
    misses = [_miss(seed) for seed in range(SEEDS)]
    return [
        median_of("a class's end, median miss", [100 * miss for miss in misses], "%", at_most(3.0)),
        Figure("a class's end, p95 miss", 100 * percentile(misses, 95), "%", at_most(8.0)),
        Figure("simulate against a real run", 100 * _simulation_miss(), "%", at_most(2.0)),
        median_of("60 open tasks", _costs_ms(60), "ms", at_most(50.0)),
        median_of("5,000 open tasks", _costs_ms(5000), "ms", at_most(300.0)),
    ]


def _miss(seed: int) -> float:
    _, learnt = true_class(Random(f"history {seed}"), POLICY)
    truth, _ = true_class(Random(f"truth {seed}"), POLICY)
    done = forecast(view_of(0.0, burst(30), None, switch_s=5.0), POLICY, learnt).done
    assert done is not None
    return abs(done.expected / truth.makespan_s - 1)


def _costs_ms(tasks: int) -> list[float]:
    view = view_of(0.0, burst(tasks), None, switch_s=5.0)
    return [1000 * seconds_of(lambda: forecast(view, POLICY, PLANNED)) for _ in range(RUNS)]


def _simulation_miss() -> float:
    """By which share of the real makespan the simulated one is off."""
    with tempfile.TemporaryDirectory() as folder:
        real_s, simulated_s = asyncio.run(_both(Path(folder)))
    return abs(simulated_s / real_s - 1)


async def _both(folder: Path) -> tuple[float, float]:
    """The seconds of a class of eight from its start to its last outcome, real and simulated."""
    lab = Lab(folder, seconds=SCRIPTED, start_seconds=START_S, settings={"batch.size": 4})
    async with lab.daemon() as daemon:
        await daemon.supervisor.order(Order.PAUSE)
        for number in range(8):
            lab.hand_in(f"s{number:03d}_me.mp4")
        await until(lambda: daemon.born == 8)
        began = time.monotonic()
        await daemon.supervisor.order(Order.RESUME)
        await until(lambda: not daemon.supervisor.tasks, timeout_s=120.0)
        real_s = time.monotonic() - began
        a_policy = daemon.supervisor.policy
    tries = {stage: [MeasuredAttempt(seconds, 60.0)] for stage, seconds in SCRIPTED.items()}
    durations = learn(tries, [MeasuredSwitch(None, group, START_S) for group in a_policy.residency])
    coming = [Coming(0.0, f"s{number:03d}", 60.0) for number in range(8)]
    return real_s, simulate_class(coming, a_policy, durations).makespan_s
