"""The speed of the work: tasks for each hour in which something was done, without the hours in between."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Span = tuple[float, float]
"""The begin and the end of something, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class LoadedSpan:
    """A time that a group was loaded: its switch began at `started_at`; `ended_at` is None while it lasts."""

    started_at: float
    ready_at: float
    ended_at: float | None


def working_s(attempts: Sequence[Span], loaded: Iterable[LoadedSpan]) -> float:
    """The seconds in which one of these attempts ran, or the switch before some of them."""
    switches = [
        (phase.started_at, phase.ready_at)
        for phase in loaded
        if any(phase.ready_at <= began and (phase.ended_at is None or began <= phase.ended_at)
               for began, _ in attempts)
    ]  # fmt: skip
    total, until = 0.0, float("-inf")
    for began, ended in sorted([*attempts, *switches]):
        total += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return total
