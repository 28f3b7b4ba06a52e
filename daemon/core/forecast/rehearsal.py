"""The figures of a rehearsal: a synthetic class on a machine's real engines, seen from outside.

Times are in seconds from the moment at which the first video was handed in.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from math import ceil
from statistics import fmean

from pydantic import BaseModel, ConfigDict

from daemon.core.forecast.durations import Durations, MeasuredAttempt, MeasuredSwitch
from daemon.core.schedule.decision import Policy
from daemon.core.schedule.phase_state import Group
from daemon.core.tasks.task import Stage

PROMISE_S = 30.0
"""Seconds that the plan allows for a student: thirty students in fifteen minutes."""

_POINTS = 200
"""Readings that a report keeps: a picture has no more columns."""


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sighting(_Figures):
    """One look at the machine: the stages whose engines are alive, and the load of GPU and processor in
    percent; None where there is no GPU.
    """

    at: float
    alive: frozenset[Stage]
    cpu: float
    gpu: float | None = None
    gpu_mb: float | None = None


class LoadedPhase(_Figures):
    """One time that a group was loaded: asked for, ready, and left. From the daemon's own record.

    `switch_s` of the time until it was ready was the switch; the rest was the canary, asked once a day.
    """

    group: tuple[Stage, ...]
    asked: float
    ready: float
    left: float
    switch_s: float

    @property
    def canary_s(self) -> float:
        """The seconds of the canary; 0 when it was not asked."""
        return max(0.0, self.ready - self.asked - self.switch_s)


class StageFigures(_Figures):
    """The attempts at one stage that gave its outcome, in seconds."""

    attempts: int
    mean_s: float
    p95_s: float


class Exclusion(_Figures):
    """What the looks from outside saw of engines of different groups: `broken` says when and which; `blind`
    looks could not see the containers.
    """

    looks: int
    blind: int
    groups: tuple[tuple[Stage, ...], ...]
    broken: tuple[str, ...]


class Rehearsal(_Figures):
    """The figures of one rehearsal. A wait is from handing in a video to its result in the outbox.

    `foretold_s` is the end that the simulation gave before, from durations that `foretold_from` names;
    `again_s` the end that it gives with the `durations` that this rehearsal measured, the canary included.
    """

    made_at: str
    program: str
    machine: str
    runtime: str
    models: dict[Stage, str]
    students: int
    arrivals: str
    outcomes: dict[str, int]
    makespan_s: float
    wait_p50_s: float
    wait_p95_s: float
    stages: dict[Stage, StageFigures]
    foretold_s: float
    foretold_from: str
    again_s: float
    one_by_one_s: float
    exclusion: Exclusion
    phases: tuple[LoadedPhase, ...]
    looks: tuple[Sighting, ...]
    handed_in: tuple[float, ...]
    results: tuple[float, ...]
    durations: Durations
    alarms: tuple[str, ...] = ()

    @property
    def promise_s(self) -> float:
        """The time that the plan allows for so many students, from the last video on at the latest."""
        return max(self.students * PROMISE_S, self.handed_in[-1] + PROMISE_S)

    @property
    def kept(self) -> bool:
        """Whether the class was done in the time of the plan, each with a result, and the engines apart."""
        whole = len(self.results) == self.students and not self.outcomes.get("failed")
        return whole and self.makespan_s <= self.promise_s and not self.exclusion.broken

    @property
    def switching_s(self) -> float:
        """The seconds of all switches, without the canary."""
        return sum(phase.switch_s for phase in self.phases)

    @property
    def canary_s(self) -> float:
        """The seconds of the day's canary, in all stages."""
        return sum(phase.canary_s for phase in self.phases)

    @property
    def has_gpu(self) -> bool:
        """Whether a GPU was seen."""
        return any(look.gpu is not None for look in self.looks)

    @property
    def excluded(self) -> str:
        """Whether engines of different groups were seen alive together, as a sentence."""
        seen = self.exclusion
        groups = " | ".join("+".join(group) for group in seen.groups)
        if len(seen.groups) == 1:
            return f"All engines may be alive together on this machine ({groups}); {seen.looks} looks."
        unseen = f"; at {seen.blind} more the Docker engine did not answer" if seen.blind else ""
        if seen.broken:
            return f"Engines of different groups ({groups}) were alive together{unseen}."
        told = f"no engines of different groups ({groups}) were alive together"
        return f"In {seen.looks} looks from outside {told}{unseen}."


def percentile(values: Collection[float], share: float) -> float:
    """The smallest of the values that at least this share of them does not exceed; 0 without any."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else 0.0


def with_canary(phases: Sequence[LoadedPhase]) -> list[MeasuredSwitch]:
    """The switches as a class of the day meets them, with the canary; the latest first."""
    return _switches(phases, canary=True)


def _switches(phases: Sequence[LoadedPhase], *, canary: bool) -> list[MeasuredSwitch]:
    groups = [frozenset(phase.group) for phase in phases]
    left = [None, *groups]
    return [
        MeasuredSwitch(leaving, entering, phase.switch_s + (phase.canary_s if canary else 0.0))
        for leaving, entering, phase in zip(left, groups, phases, strict=False)
    ][::-1]


def stage_figures(attempts: Mapping[Stage, Sequence[MeasuredAttempt]]) -> dict[Stage, StageFigures]:
    """The figures of each stage that was attempted."""
    found = {stage: [attempt.seconds for attempt in tried] for stage, tried in attempts.items() if tried}
    return {
        stage: StageFigures(attempts=len(s), mean_s=fmean(s), p95_s=percentile(s, 0.95))
        for stage, s in found.items()
    }


def exclusion(looks: Sequence[Sighting], residency: Sequence[Group], blind: int = 0) -> Exclusion:
    """Judge the looks: engines that were alive together must be of one group."""
    groups = tuple(tuple(stage for stage in Stage if stage in group) for group in residency)
    mixed = Counter[Group]()
    first: dict[Group, float] = {}
    for look in looks:
        if not any(look.alive <= group for group in residency):
            mixed[look.alive] += 1
            first.setdefault(look.alive, look.at)
    told = (
        f"{' and '.join(stage for stage in Stage if stage in alive)} were alive together in {count} looks, "
        f"first at {first[alive]:.1f} s"
        for alive, count in mixed.items()
    )
    return Exclusion(looks=len(looks), blind=blind, groups=groups, broken=tuple(told))


def one_by_one_s(
    students: int, durations: Durations, policy: Policy, phases: Sequence[LoadedPhase] = ()
) -> float:
    """The time of a class that is worked off one video at a time, each with a round of its own, and the day's
    canary once; the switches are those of `phases`.
    """
    paces = durations.paces.values()
    switching_s = replace(durations, switches=_switches(phases, canary=False)).round_s(policy)
    alone_s = sum(pace.seconds(pace.media_s, 1.0) for pace in paces)
    return students * (alone_s + switching_s) + sum(phase.canary_s for phase in phases)


def thinned(looks: Sequence[Sighting], most: int = _POINTS) -> tuple[Sighting, ...]:
    """At most so many looks, each the mean of a stretch; the engines are those of its last look."""
    size = ceil(len(looks) / most) or 1
    return tuple(_mean(looks[start : start + size]) for start in range(0, len(looks), size))


def _mean(looks: Sequence[Sighting]) -> Sighting:
    gpu = [look.gpu for look in looks if look.gpu is not None]
    memory = [look.gpu_mb for look in looks if look.gpu_mb is not None]
    return Sighting(
        at=round(fmean(look.at for look in looks), 1),
        alive=looks[-1].alive,
        cpu=round(fmean(look.cpu for look in looks), 1),
        gpu=round(fmean(gpu), 1) if gpu else None,
        gpu_mb=round(fmean(memory), 1) if memory else None,
    )
