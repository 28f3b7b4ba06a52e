"""`forecast`: how near it comes after one class of history, and what it costs."""

import statistics
import time
from random import Random

from daemon.core.forecast.durations import PLANNED
from daemon.core.forecast.forecast import forecast
from tests.bench.figures import Figure, Options, at_most
from tests.unit.scheduling import APART, policy, view_of
from tests.unit.test_forecast import burst, true_class

SEEDS = 40
RUNS = 9
POLICY = policy(APART, size=20, remainder=True, llm=4)


def measure(options: Options) -> list[Figure]:
    """Of classes of thirty whose durations are random by a fifth, and of queues of 60 and of 5,000."""
    misses = sorted(_miss(seed) for seed in range(SEEDS))
    return [
        Figure("forecast: a class's end, median miss", 100 * statistics.median(misses), "%", at_most(3.0)),
        Figure("forecast: a class's end, p95 miss", 100 * misses[SEEDS * 95 // 100 - 1], "%", at_most(8.0)),
        Figure("forecast: 60 open tasks", _cost_ms(60), "ms", at_most(50.0)),
        Figure("forecast: 5,000 open tasks", _cost_ms(5000), "ms", at_most(300.0)),
    ]


def _miss(seed: int) -> float:
    _, learnt = true_class(Random(f"history {seed}"), POLICY)
    truth, _ = true_class(Random(f"truth {seed}"), POLICY)
    done = forecast(view_of(0.0, burst(30), None, switch_s=5.0), POLICY, learnt).done
    assert done is not None
    return abs(done.expected / truth.makespan_s - 1)


def _cost_ms(tasks: int) -> float:
    view = view_of(0.0, burst(tasks), None, switch_s=5.0)
    spent = []
    for _ in range(RUNS):
        began = time.perf_counter()
        forecast(view, POLICY, PLANNED)
        spent.append(time.perf_counter() - began)
    return 1000 * statistics.median(spent)
