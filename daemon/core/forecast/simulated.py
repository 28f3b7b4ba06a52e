"""A simulated class: one to come, through the scheduler's own rules, and its phases as text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from daemon.core.forecast.durations import Durations
from daemon.core.schedule.decision import LOCAL, Policy, View
from daemon.core.schedule.phase_state import Group, PhaseState
from daemon.core.schedule.simulation import simulate
from daemon.core.schedule.timetable import Attempt, Input, Mark, SwitchResult, Timetable, What
from daemon.core.tasks.task import FINAL, Event, Task

_DONE = {Event.TRANSCRIBED, Event.UNSCORABLE, Event.EXTRACTED, Event.RATED}
_BLOCKS = {"switch": "░", "idle": " ", "stt": "▁", "extract": "▄", "rate": "▆", "both": "█"}
_LETTERS = {"switch": "-", "idle": " ", "stt": "s", "extract": "e", "rate": "r", "both": "#"}


@dataclass(frozen=True, slots=True)
class Coming:
    """A video that will be submitted: seconds from the beginning, its student, and its length."""

    at: float
    student: str
    media_s: float


@dataclass(frozen=True, slots=True)
class SimulatedPhase:
    """One time that a group was loaded, in seconds from the beginning: asked for, loaded, left.

    `tries` is the number of its outcomes. Nothing after the last outcome of all is part of it.
    """

    group: Group
    asked: float
    loaded: float
    left: float
    tries: int


@dataclass(frozen=True, slots=True)
class SimulatedClass:
    """The figures of a simulation. Times are in seconds; a wait is from a video's claim to its result."""

    makespan_s: float
    mean_wait_s: float
    worst_wait_s: float
    switches: int
    switching_s: float
    phases: tuple[SimulatedPhase, ...]
    ends: tuple[float, ...]


def simulate_class(
    coming: Sequence[Coming], policy: Policy, durations: Durations, nodes: int = 1
) -> SimulatedClass:
    """Run a class, from so many idle nodes to the last result, with expected durations.

    The phases are those of this machine's node.
    """
    tasks = [_task(place, one) for place, one in enumerate(coming, 1)]
    switch_s = durations.round_s(policy) / len(policy.residency)

    def attempt(task: Task) -> Attempt:
        return Attempt(durations.paces[task.stage].alone(task.duration_s))

    def loads(leaving: Group | None, entering: Group | None) -> SwitchResult:
        return SwitchResult(durations.switch_s(leaving, entering))

    idle = PhaseState(switch_s=switch_s)
    first = [task for task in tasks if task.claimed_at <= 0.0]
    script = [Input(task.claimed_at, What.ARRIVE, task) for task in tasks if task.claimed_at > 0.0]
    timetable = simulate(
        View(0.0, first, idle, others={f"node{number}": idle for number in range(2, nodes + 1)}),
        policy,
        tries=attempt,
        loads=loads,
        script=script,
        share=durations.share,
    )
    waits = timetable.waits.values()
    phases = tuple(_phases(timetable))
    return SimulatedClass(
        makespan_s=timetable.makespan_s,
        mean_wait_s=fmean(waits) if waits else 0.0,
        worst_wait_s=max(waits, default=0.0),
        switches=timetable.switches,
        switching_s=sum(phase.loaded - phase.asked for phase in phases)
        if nodes == 1
        else timetable.switching_s,
        phases=phases,
        ends=tuple(sorted(timetable.ended.values())),
    )


def evenly(students: int, over_s: float, media_s: float) -> list[Coming]:
    """So many students who submit one video each, evenly over `over_s` seconds; 0 for all at once."""
    step = over_s / max(1, students - 1)
    return [Coming(place * step, f"student{place + 1}", media_s) for place in range(students)]


def picture(phases: Sequence[SimulatedPhase], width: int, until_s: float, *, plain: bool = False) -> str:
    """The phases on a line of `width` characters that ends at `until_s`; `plain` uses ASCII alone."""
    signs = _LETTERS if plain else _BLOCKS
    line = []
    for column in range(width):
        at = (column + 0.5) * until_s / width
        line.append(
            signs[next((_what(phase, at) for phase in phases if phase.asked <= at < phase.left), "idle")]
        )
    return "".join(line).rstrip()


def legend(*, plain: bool = False) -> str:
    """The legend of `picture`."""
    signs = _LETTERS if plain else _BLOCKS
    return "  ".join(
        f"{signs[key]} {text}"
        for key, text in (
            ("switch", "switch"),
            ("stt", "stt"),
            ("extract", "extract"),
            ("rate", "rate"),
            ("both", "several engines"),
        )
    )


def _what(phase: SimulatedPhase, at: float) -> str:
    if at < phase.loaded:
        return "switch"
    return next(iter(phase.group)).value if len(phase.group) == 1 else "both"


def _task(id_: int, one: Coming) -> Task:
    return Task(
        id=id_,
        student=one.student,
        filename=f"{id_}.mp4",
        path="",
        sha256="",
        size_bytes=0,
        duration_s=one.media_s,
        claimed_at=one.at,
    )


def _phases(timetable: Timetable) -> Iterator[SimulatedPhase]:
    last = max((e.at for e in timetable.entries if e.task and e.task.status in FINAL), default=0.0)
    open_: tuple[Group, float, float] | None = None
    outcomes = 0
    for entry in timetable.entries:
        if entry.node != LOCAL:
            continue
        if entry.what is Mark.SWITCHING:
            if open_ is not None:
                yield SimulatedPhase(*open_, min(entry.at, max(last, open_[2])), outcomes)
            open_, outcomes = None, 0
            asked = entry.at
            if entry.group is not None:
                open_ = entry.group, asked, asked
        elif entry.what is Mark.LOADED and open_ is not None:
            open_ = open_[0], open_[1], entry.at
        elif entry.what in _DONE:
            outcomes += 1
    if open_ is not None:
        yield SimulatedPhase(*open_, max(last, open_[2]), outcomes)
