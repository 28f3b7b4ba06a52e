"""The reason why the scheduler waits, switches or is late, in plain sentences with figures.

They name durations and no time of the day, since their readers may be in another zone.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from daemon.core.forecast.durations import PLANNED, Durations
from daemon.core.forecast.forecast import Forecast
from daemon.core.schedule.decision import Decision, Policy, View, Why
from daemon.core.schedule.phase_state import Group
from daemon.core.tasks.task import RUNNING, Stage


@dataclass(frozen=True, slots=True)
class FirstForecast:
    """The forecast for the class when it was first compared with its deadline.

    `total` tasks were claimed by then; `share_s` is the time that one more adds to each stage.
    """

    total: int
    share_s: Mapping[Stage, float]


def explain(
    view: View,
    policy: Policy,
    decision: Decision,
    *,
    forecast: Forecast | None = None,
    durations: Durations = PLANNED,
) -> str:
    """The scheduler's action or wait, and how long it lasts; "" when there is nothing to say."""
    if view.phase.switching:
        return _switching(view, durations)
    if view.paused:
        waiting = sum(t.status not in RUNNING for t in view.tasks)
        return f"nothing starts and nothing switches; {_tasks(waiting)} wait for resume"
    if decision.why is Why.LINGERING and decision.wake_at is not None:
        return _lingering(view, policy, decision.wake_at, durations)
    if decision.why is Why.BACKOFF and decision.wake_at is not None:
        resting = [name(group) for group, until in view.phase.rests.items() if group and until > view.now]
        whose = f"; {', '.join(resting)} rests after errors" if resting else ""
        return f"waits {seconds(decision.wake_at - view.now)} to retry{whose}"
    if view.phase.group is None or not view.tasks:
        return ""
    return _working(view, policy, forecast)


def late(
    view: View,
    policy: Policy,
    durations: Durations,
    forecast: Forecast,
    plan: FirstForecast,
    total: int,
) -> str:
    """The main reason why a class of `total` tasks ends after its deadline, or may."""
    if view.paused:
        return "paused by the operator"
    for group, until in view.phase.rests.items():
        if group and until > view.now:
            return f"{name(group)} rests for {seconds(until - view.now)} after errors"
    left = Counter(task.stage for task in view.tasks if not task.held)
    lost: list[tuple[float, str]] = []
    if total > plan.total:
        more = total - plan.total
        lost.append((more * forecast.task_s, f"{more} more than planned came"))
    waiting = 0
    for stage in Stage:
        waiting += left[stage]
        now_s, then_s = durations.share_s(stage, policy), plan.share_s[stage]
        text = f"{stage} takes {seconds(now_s)} a video, {seconds(then_s)} were planned"
        lost.append((waiting * (now_s - then_s), text))
    most, text = max(lost)
    if most >= 1.0:
        return text
    done = forecast.done
    whole = 0.0 if done is None else done.expected - view.now
    share = f", {seconds(forecast.switching_s)} of it switches" if forecast.switching_s >= 1.0 else ""
    return f"what is left takes {seconds(whole)}{share}"


def name(group: Group | None) -> str:
    """A group as it is shown: its stages in their order."""
    return " + ".join(stage.value for stage in Stage if stage in (group or ())) or "nothing"


def seconds(duration: float) -> str:
    """A duration for people: `9 s`, `3.1 min`, `2.4 h`; of one that is over `0 s`."""
    duration = max(0.0, duration)
    if duration < 9.95:
        return f"{duration:.1f} s".replace(".0 s", " s")
    if duration < 99.5:
        return f"{duration:.0f} s"
    return f"{duration / 60:.1f} min" if duration < 5970 else f"{duration / 3600:.1f} h"


def _tasks(count: int) -> str:
    return f"{count} task" if count == 1 else f"{count} tasks"


def _switching(view: View, durations: Durations) -> str:
    if view.phase.last_group is None:
        return "stops everything: nothing is left to do"
    told = f"loads {name(view.phase.last_group)}"
    if not durations.switches:
        return told
    return f"{told}; that usually takes {seconds(durations.switch_s(None, view.phase.last_group))}"


def _lingering(view: View, policy: Policy, until: float, durations: Durations) -> str:
    """The cost of waiting is the wait; its gain is the round that a later upload would have to wait for."""
    taken = len(view.phase.batch.taken) if view.phase.batch else 0
    text = (
        f"waits {seconds(until - view.now)} for more uploads ({taken} of {policy.batch_size} in the batch): "
        f"one switch costs {seconds(view.phase.switch_s)}"
    )
    other = sum(
        max(durations.share_s(stage, policy) for stage in group)
        for group in policy.residency
        if Stage.STT not in group
    )
    missed = taken * other + durations.round_s(policy)
    return f"{text}, and an upload that comes after it would wait for {seconds(missed)}"


def _working(view: View, policy: Policy, forecast: Forecast | None) -> str:
    running = sum(t.status in RUNNING for t in view.tasks)
    waiting = [t for t in view.tasks if not t.held and t.status not in RUNNING]
    if view.others:  # each has another group loaded, and switches at another time
        return f"{running} running on {len(view.nodes)} nodes, {len(waiting)} waiting"
    group = view.phase.group or frozenset()
    text = f"{name(group)}: {running} running, {sum(t.stage in group for t in waiting)} waiting"
    if forecast is not None and forecast.next_switch_at is not None and len(policy.residency) > 1:
        text += f"; switches in about {seconds(forecast.next_switch_at - view.now)}"
    return text
