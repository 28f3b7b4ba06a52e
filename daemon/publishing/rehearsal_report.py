"""The report of a rehearsal, and the numbers of its SVG: phases, engines seen alive, load, results."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from daemon.core.forecast.rehearsal import Rehearsal, Sighting
from daemon.core.tasks.task import Stage
from daemon.publishing.pages import page

LEFT, RIGHT = 64.0, 708.0
_STEPS_S = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_TICKS = 10
_LETTERS = 7.0  # px that a letter of a label takes at most


@dataclass(frozen=True, slots=True)
class TimelineBar:
    """A bar from `x` to `x` + `width`; `kind` is its class in the style sheet, `title` what it stands for."""

    x: float
    width: float
    kind: str
    label: str
    title: str


@dataclass(frozen=True, slots=True)
class Picture:
    """All that the template draws. Paths are in the picture's units, from 0 at the top of their own lane."""

    phases: Sequence[TimelineBar]
    alive: dict[Stage, Sequence[TimelineBar]]
    load: str
    memory: str
    most_mb: float
    handed_in: str
    results: str
    ticks: Sequence[tuple[float, str]]


def rehearsal_report(rehearsal: Rehearsal) -> bytes:
    """The report of a rehearsal."""
    return page("rehearsal.html.j2", r=rehearsal, drawn=picture(rehearsal))


def picture(rehearsal: Rehearsal, height: float = 80.0) -> Picture:
    """The picture; each of the two charts is `height` high."""
    end = max(rehearsal.makespan_s, 1.0)

    def x(at: float) -> float:
        return LEFT + min(max(at, 0.0), end) / end * (RIGHT - LEFT)

    looks = [look for look in rehearsal.looks if 0.0 <= look.at <= end]
    most_mb = max((look.gpu_mb or 0.0 for look in looks), default=0.0)
    return Picture(
        phases=list(_phases(rehearsal, x)),
        alive={stage: list(_alive(stage, looks, x)) for stage in Stage},
        load=_line([(x(k.at), _up(k.gpu if rehearsal.has_gpu else k.cpu, 100.0, height)) for k in looks]),
        memory=_line([(x(k.at), _up(k.gpu_mb, most_mb, height)) for k in looks if k.gpu_mb]),
        most_mb=most_mb,
        handed_in=_steps(rehearsal.handed_in, rehearsal.students, x, height),
        results=_steps(rehearsal.results, rehearsal.students, x, height),
        ticks=[(x(at), f"{at // 60}:{at % 60:02}") for at in _ticks(end)],
    )


def _phases(rehearsal: Rehearsal, x: Callable[[float], float]) -> Iterator[TimelineBar]:
    for phase in rehearsal.phases:
        name = " and ".join(phase.group)
        canary = f", canary {phase.canary_s:.1f} s" if phase.canary_s else ""
        switch = f"switch to {name}: {phase.switch_s:.1f} s{canary}"
        yield TimelineBar(x(phase.asked), x(phase.ready) - x(phase.asked), "switch", "", switch)
        width = x(phase.left) - x(phase.ready)
        label = name if width > len(name) * _LETTERS else ""
        yield TimelineBar(
            x(phase.ready), width, _kind(phase.group[0]), label, f"{name}: {phase.left - phase.ready:.1f} s"
        )


def _alive(stage: Stage, looks: Sequence[Sighting], x: Callable[[float], float]) -> Iterator[TimelineBar]:
    began: float | None = None
    for look, following in zip_longest(looks, looks[1:]):
        if stage in look.alive and began is None:
            began = look.at
        ends = following is None or stage not in following.alive
        if began is not None and ends:
            until = look.at if following is None else following.at
            yield TimelineBar(x(began), max(x(until) - x(began), 1.0), _kind(stage), "", f"{stage} alive")
            began = None


def _kind(stage: Stage) -> str:
    return "stt" if stage is Stage.STT else "eval"


def _up(value: float | None, most: float, height: float) -> float:
    return height - (value or 0.0) / most * height if most else height


def _line(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) if points else ""


def _steps(times: Sequence[float], students: int, x: Callable[[float], float], height: float) -> str:
    drawn = f"M{LEFT:.1f} {height:.1f}"
    for count, at in enumerate(sorted(times), 1):
        drawn += f"H{x(at):.1f}V{_up(count, students, height):.1f}"
    return f"{drawn}H{RIGHT:.1f}"


def _ticks(end: float) -> range:
    step = next((step for step in _STEPS_S if end / step <= _TICKS), 3600)
    return range(0, int(end) + 1, step)
