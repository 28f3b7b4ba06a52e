"""The forecast: the scheduler's own rules run forward with durations learnt from this machine's history.

The first tasks in order are simulated one by one; the others follow at the pace of full rounds, so that
the cost is bounded however many are open. The expected end comes from one run with expected durations;
its range comes from how widely past durations spread, and from how few of them there are.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from daemon.core.forecast.durations import Durations
from daemon.core.forecast.uncertainty import LikelyRange, Uncertainty, behind
from daemon.core.schedule.decision import Policy, View
from daemon.core.schedule.phase_state import Group
from daemon.core.schedule.queue import in_order
from daemon.core.schedule.simulation import simulate
from daemon.core.schedule.timetable import Attempt, Mark, SwitchResult, Timetable
from daemon.core.tasks.task import FINAL, RUNNING, Event, Stage, Task

EXACTLY = 100
"""The number of tasks that are simulated; a hundred take about 0.1 s."""

_LEAST_LEFT = 0.1  # of a usual switch is still left of one that takes longer
_STAGES = list(Stage)
_STAGE_DONE: dict[Event | Mark, Stage] = {
    Event.TRANSCRIBED: Stage.STT,
    Event.UNSCORABLE: Stage.STT,
    Event.EXTRACTED: Stage.EXTRACT,
    Event.RATED: Stage.RATE,
}


@dataclass(frozen=True, slots=True)
class Forecast:
    """The expected end of the open tasks, by their ids. Held tasks have none and are left out.

    `next_switch_at` is when another group is asked for; None for never. `switching_s` is what all switches
    till the end cost, and `task_s` the seconds by which one more task puts off the end of a long queue.
    """

    made_at: float
    tasks: Mapping[int, LikelyRange] = field(default_factory=dict)
    next_switch_at: float | None = None
    switching_s: float = 0.0
    task_s: float = 0.0

    @property
    def done(self) -> LikelyRange | None:
        """The end of all open tasks that are not held; None when there are none."""
        return max(self.tasks.values(), key=lambda span: span.expected, default=None)


def forecast(
    view: View,
    policy: Policy,
    durations: Durations,
    *,
    started: Mapping[int, float] | None = None,
    exactly: int = EXACTLY,
    policies: Mapping[str, Policy] | None = None,
) -> Forecast:
    """Run the scheduler forward from `view`, as if the operator ended a pause now.

    `started` are the starts of the running attempts in epoch seconds, by task id. `policies` are those of the
    nodes where one has another than `policy`.
    """
    of_nodes = {name: (policies or {}).get(name, policy) for name in view.nodes}
    queue = in_order((t for t in view.tasks if not t.held), policy.order)
    chosen = sorted(queue, key=lambda task: task.status not in RUNNING)[:exactly]
    running = [task for task in chosen if task.status in RUNNING]
    since = {task.id: started[task.id] for task in running if started and task.id in started}
    busy = Counter(task.stage for task in running)
    world = _Expected(policy, durations, _at_once(queue, policy), busy, view.now, since)
    under_way = None
    if view.phase.switching_since is not None:
        usual = durations.switch_s(None, view.phase.last_group)
        elapsed = view.now - view.phase.switching_since
        under_way = SwitchResult(max(usual - elapsed, _LEAST_LEFT * usual))
    timetable = simulate(
        replace(view, tasks=chosen, paused=False),
        of_nodes,
        tries=world.attempt,
        loads=world.load,
        under_way=under_way,
        share=durations.share,
    )
    ends = world.spans(timetable, running)
    working = [each for name, each in of_nodes.items() if name not in view.leaving]
    each_s = [durations.work_s(each) + durations.round_s(each) / each.batch_size for each in working]
    task_s = 1 / sum(1 / seconds for seconds in each_s) if all(each_s) else 0.0
    last = max(
        ends.values(), key=lambda span: span.expected, default=LikelyRange(view.now, view.now, view.now)
    )
    known = {task.id for task in chosen}
    for place, task in enumerate((t for t in queue if t.id not in known), 1):
        ends[task.id] = behind(last, place * task_s)
    return Forecast(
        made_at=view.now,
        tasks=ends,
        next_switch_at=_next_switch(timetable),
        switching_s=timetable.switching_s + _queued_switching_s(len(queue) - len(chosen), policy, durations),
        task_s=task_s,
    )


def _queued_switching_s(tasks: int, policy: Policy, durations: Durations) -> float:
    """The seconds of the switches for so many tasks in full batches."""
    return tasks * durations.round_s(policy) / policy.batch_size


def _at_once(queue: Sequence[Task], policy: Policy) -> dict[Stage, float]:
    """The number of attempts of each stage that will run beside each other."""
    before = Counter(task.stage for task in queue)
    return {
        stage: float(max(1, min(policy.parallel[stage], sum(before[s] for s in _STAGES[: place + 1]))))
        for place, stage in enumerate(_STAGES)
    }


def _next_switch(timetable: Timetable) -> float | None:
    asked = (e for e in timetable.entries if e.what is Mark.SWITCHING and e.group is not None)
    return next((e.at for e in asked if e.at > timetable.began_at), None)


@dataclass
class _Expected:
    """A world in which everything takes as long as expected."""

    policy: Policy
    durations: Durations
    at_once: Mapping[Stage, float]
    running: Mapping[Stage, int]
    now: float
    started: Mapping[int, float]
    left: dict[int, float] = field(default_factory=dict)

    def attempt(self, task: Task) -> Attempt:
        pace = self.durations.paces[task.stage]
        # Only the present attempt is under way; all later ones of the task begin anew.
        since = None if task.id in self.left else self.started.get(task.id)
        if since is None:
            return Attempt(pace.alone(task.duration_s))
        at_once = self.running[task.stage]
        self.left[task.id] = pace.left(task.duration_s, at_once, self.now - since)
        return Attempt(self.left[task.id] * pace.curve.share(at_once))

    def load(self, leaving: Group | None, entering: Group | None) -> SwitchResult:
        return SwitchResult(self.durations.switch_s(leaving, entering))

    def spans(self, timetable: Timetable, begun: Iterable[Task]) -> dict[int, LikelyRange]:
        """The end of each task, with its likely range; attempts of `begun` are under way."""
        doubt = Uncertainty(self.policy)
        running: Counter[Stage] = Counter()
        for task in begun:
            running[task.stage] += 1
        for task in begun:
            pace = self.durations.paces[task.stage]
            doubt.add(task.stage, self.left.get(task.id, 0.0) / running[task.stage], pace)
        ends: dict[int, LikelyRange] = {}
        for entry in timetable.entries:
            if entry.what is Mark.LOADED:
                doubt.next_phase()
            if entry.task is None:
                continue
            task, stage = entry.task, _STAGE_DONE.get(entry.what)
            if entry.what is Event.STARTED:
                running[task.stage] += 1
                pace = self.durations.paces[task.stage]
                seconds = pace.seconds(task.duration_s, self.at_once[task.stage])
                doubt.add(task.stage, seconds / max(1, running[task.stage]), pace)
            elif stage is not None:
                running[stage] -= 1
            if task.status in FINAL:
                ends[task.id] = doubt.about(entry.at, self.now)
        return ends
