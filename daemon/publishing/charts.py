"""The pictures of a class report, as places on the canvas of an SVG."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from daemon.contracts.wire.status import GpuPoint, PhaseSpan
from daemon.core.timestamps import from_iso

_APART_S = 600.0  # so long without a phase: another time line
_WIDE = 660.0
_LEFT = 34.0
_BUCKETS = 330  # of readings of the GPU: more are not to be seen


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many results have each score from 1 to 10."""

    label: str
    counts: tuple[int, ...]
    mean: float | None

    @property
    def told(self) -> str:
        """The same in words."""
        told = [f"{count} with {level}" for level, count in enumerate(self.counts, 1) if count]
        return ", ".join(told) or "no ratings"


@dataclass(frozen=True, slots=True)
class Bar:
    """A time of a group: where it lies, and how long the switch to it took, in the places of the canvas."""

    x: float
    width: float
    switch: float
    group: str
    told: str


@dataclass(frozen=True, slots=True)
class TimeLine:
    """The phases of a time without a long break, and the GPU's use as the points of a line."""

    begins_at: str
    seconds: float
    bars: tuple[Bar, ...]
    gpu: str

    @property
    def told(self) -> str:
        """The same in words."""
        return "; ".join(bar.told for bar in self.bars)


def histogram(label: str, scores: Sequence[int]) -> Histogram:
    """The distribution of scores."""
    counts = tuple(scores.count(level) for level in range(1, 11))
    return Histogram(label, counts, fmean(scores) if scores else None)


def time_lines(phases: Sequence[PhaseSpan], points: Sequence[GpuPoint]) -> Iterator[TimeLine]:
    """A time line for each time without a long break; both are the oldest first."""
    parts: list[list[PhaseSpan]] = []
    last = float("-inf")
    for span in phases:
        if from_iso(span.started_at) - last > _APART_S:
            parts.append([])
        parts[-1].append(span)
        last = max(last, _end(span))
    return (_time_line(part, points) for part in parts)


def _time_line(phases: Sequence[PhaseSpan], points: Sequence[GpuPoint]) -> TimeLine:
    begin = from_iso(phases[0].started_at)
    seconds = max(max(map(_end, phases)) - begin, 1.0)
    scale = _WIDE / seconds
    bars = tuple(_bar(span, begin, scale) for span in phases)
    return TimeLine(phases[0].started_at, seconds, bars, _line(points, begin, seconds))


def _bar(span: PhaseSpan, begin: float, scale: float) -> Bar:
    started = from_iso(span.started_at)
    ready = from_iso(span.ready_at) if span.ready_at else _end(span)
    group = " and ".join(span.group) or "nothing"
    told = f"{group} for {_end(span) - started:.0f} s, of them {ready - started:.0f} s to start"
    x, width = _LEFT + (started - begin) * scale, (_end(span) - started) * scale
    return Bar(x, max(width, 1.0), (ready - started) * scale, group, told)


def _line(points: Sequence[GpuPoint], begin: float, seconds: float) -> str:
    """The mean use in each of many short times, from 0 % at 110 to 100 % at 50."""
    found: dict[int, list[float]] = {}
    for point in points:
        after = from_iso(point.at) - begin
        if point.utilisation is not None and 0 <= after <= seconds:
            found.setdefault(int(after / seconds * _BUCKETS), []).append(point.utilisation)
    places = [
        (_LEFT + at * _WIDE / _BUCKETS, 110 - 60 * min(fmean(used), 100) / 100) for at, used in found.items()
    ]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in sorted(places))


def _end(span: PhaseSpan) -> float:
    return from_iso(span.ended_at or span.ready_at or span.started_at)
