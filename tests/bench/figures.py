"""What a benchmark gives: figures, each with the goal that it is held against."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "var" / "models"


@dataclass(frozen=True, slots=True)
class Goal:
    """A limit of a figure: the most that it may be, or the least."""

    limit: float
    at_least: bool = False

    def met_by(self, value: float) -> bool:
        """Whether a figure of `value` is good enough."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. Without a goal it is there to explain the others."""

    name: str
    value: float
    unit: str
    goal: Goal | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without one."""
        return None if self.goal is None else self.goal.met_by(self.value)


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
