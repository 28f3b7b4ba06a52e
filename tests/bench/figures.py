"""What a benchmark gives: figures, each with its rounds and the goal that it is held against."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "var" / "models"
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Goal:
    """A limit of a figure: the most that it may be, or the least."""

    limit: float
    at_least: bool = False

    def met_by(self, value: float) -> bool:
        """Whether a figure of `value` is good enough, by the four digits that are shown."""
        value = float(f"{value:.4g}")
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. Without a goal it is there to explain the others.

    `rounds` are the values whose median it is; none where it was measured once.
    """

    name: str
    value: float
    unit: str
    goal: Goal | None = None
    rounds: tuple[float, ...] = ()

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without one."""
        return None if self.goal is None else self.goal.met_by(self.value)

    @property
    def spread(self) -> tuple[float, float] | None:
        """The lowest and the highest round, without a quarter at either end; None for fewer than three."""
        if len(self.rounds) < ROUNDS:
            return None
        cut = len(self.rounds) // 4
        kept = sorted(self.rounds)[cut : len(self.rounds) - cut]
        return kept[0], kept[-1]


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says: the Whisper model, by what the class's durations are divided, how long to
    soak.
    """

    whisper: str = "tiny.en"
    scale: float = 20.0
    minutes: float = 3.0


class Skipped(Exception):
    """The benchmark can't be run here; the message says why and what to do."""


def median_of(name: str, rounds: Sequence[float], unit: str, goal: Goal | None = None) -> Figure:
    """The figure of several rounds."""
    return Figure(name, statistics.median(rounds), unit, goal, tuple(rounds))


def ratio_of(
    name: str, above: Sequence[float], below: Sequence[float], unit: str, goal: Goal | None = None
) -> Figure:
    """The ratio of two that were measured in turn: each round of one by that of the other."""
    return median_of(name, [one / other for one, other in zip(above, below, strict=True)], unit, goal)


def in_turn(ways: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """The answers of each way. The ways take turns, so that whatever else the machine does meets all."""
    made: dict[str, list[T]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            made[name].append(way())
    return made


def seconds_of(work: Callable[[], object]) -> float:
    """How long a piece of work takes by the clock."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def at_least(limit: float) -> Goal:
    """A figure is to be `limit` or more."""
    return Goal(limit, at_least=True)


def at_most(limit: float) -> Goal:
    """A figure is to be `limit` or less."""
    return Goal(limit)


def percentile(values: Sequence[float], percent: int) -> float:
    """The value below which `percent` of them lie."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def model_folder(name: str) -> Path:
    """A model of this checkout. Raises Skipped."""
    if not (MODELS / name).is_dir():
        raise Skipped(f"the model {name} is not here; run: introeval models pull {name}")
    return MODELS / name
