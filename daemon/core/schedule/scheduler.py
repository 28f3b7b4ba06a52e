"""The scheduler: one pure function that decides what to do now.

`decide(view, policy)` is evaluated at every event. It sees all open tasks and the loaded group,
and gives the actions to take and when to look again if nothing happens before:

R0  A pending task that must not run now (its group is not loaded, it is held, its place went to
    another) is released.
R1  While a switch runs, or the operator has paused, start nothing.
R2  With a group loaded, start its admissible tasks in order, as many at once as `parallel`
    allows; in stt at most `batch_size` different tasks a batch. A suspect comes last, alone, and
    on an engine on which nothing ran since it was proven.
R3  Before leaving stt with a batch that is not full, linger until the last claim is as old as one
    switch, or the oldest of the batch has waited `max_wait_s`, or the operator says go, or drains.
R4  Then the next group, cyclically in the order of the residency, that has a task which can start
    now. If tasks only wait for their backoff, stay loaded. If there is nothing, stop everything.
R5  `auto_batch_size` and `batch_limit`: how many tasks a batch takes.
R6  Of new ratings of old tasks at most ten an eval phase while stt has work.
R7  What a person has put first goes before all that does not run yet, the last one put first before
    the others. While such a task waits for another group or for the next batch, only such tasks start:
    what runs is finished, and R4 goes to theirs, without the wait of R3. A suspect is never first.
R8  The order of all others, by the setting `batch.order`. New ratings of old tasks are always last.
    `fair`: by how many open tasks of the same student that are not held were claimed before, by how
    many of the same account were, by the time of the claim, and by id. A student's name can be
    invented, an account can't: of a task without one none is counted.
    `first_come`: by the time of the claim, and by id.
    `shortest`: as `fair`, but in place of the claim's time counts this time plus ten times the video's
    length. So a video waits for a shorter one only if that comes at most ten times its length later.

A group that does stt has batches when there is another group to leave it for. A group that holds
everything is never left: there a suspect comes after what was claimed before it became one, so that
a steady stream does not keep it waiting for ever.
"""

from collections import Counter
from collections.abc import Sequence

from daemon.core.schedule.decision import (
    Action,
    Admit,
    Decision,
    OpenBatch,
    Policy,
    Release,
    Start,
    Switch,
    View,
    Why,
)
from daemon.core.schedule.phase_state import NOTHING, Group
from daemon.core.schedule.queue import in_order, is_new_rating
from daemon.core.tasks.lifecycle import BACKOFF_MOST_S
from daemon.core.tasks.task import PENDING, RUNNING, Stage, Status, Task

_SMALLEST, _LARGEST = 10, 40
_SWITCH_SHARE = 0.10
NEW_RATINGS = 10
"""R6: so many an eval phase, since a present class must not wait for old tasks."""


def decide(view: View, policy: Policy) -> Decision:
    """Decide what to do now, by the rules of this module."""
    if view.phase.switching:  # R1
        return Decision((), Why.SWITCHING)
    if view.paused:
        return Decision((), Why.PAUSED)
    running = [t for t in view.tasks if t.status in RUNNING]
    ready = _ready(view, policy)
    chosen = _choose(ready, view.phase.group, view, policy)
    first = [t for t in ready if t.is_first]
    yields = any(t not in chosen for t in first)  # R7
    if yields:
        ready, chosen = first, [t for t in chosen if t.is_first]
    releases = _release_others(view.tasks, chosen)
    later = _next_ready_at(view, policy)
    if chosen:
        return _work(releases, chosen, running, view, policy)
    if running:
        return Decision(releases, Why.WORKING, later)
    if not yields and (until := _linger_until(view, policy)) > view.now:  # R3
        return Decision(releases, Why.LINGERING, until if later is None else min(until, later))
    target = _next_group(ready, view, policy)  # R4
    if target is not None and target == view.phase.group:
        return Decision((*releases, OpenBatch()), Why.NEXT_BATCH)
    if target is not None:
        return Decision((*releases, Switch(target)), Why.NEXT_GROUP)
    if later is not None:
        return Decision(releases, Why.BACKOFF, later)
    return _stop(releases, view)


def auto_batch_size(parallel: int, switches_s: float, work_s: float) -> int:
    """R5: the smallest multiple of `parallel` from 10 to 40 with at most 10 % spent on switches.

    `switches_s` is the duration of a round's switches, `work_s` the seconds that one task keeps the node
    busy in a round. Where no size is enough it is the largest.
    """
    sizes = [n for n in range(_SMALLEST, _LARGEST + 1) if n % parallel == 0] or [_LARGEST]
    return next((n for n in sizes if switches_s <= _SWITCH_SHARE * n * work_s), sizes[-1])


def batch_limit(policy: Policy, taken: int, waiting: int) -> int:
    """R5: the number of tasks that the batch may take; a remainder of up to half a batch is included."""
    total = taken + waiting
    if policy.remainder_goes_along and policy.batch_size < total <= policy.batch_size * 3 // 2:
        return total
    return policy.batch_size


def _may_start(task: Task) -> bool:
    return task.status not in RUNNING and not task.held and not task.cancel_requested


def _ready_at(task: Task, view: View, policy: Policy) -> float:
    if not view.phase.rests:  # asked for every task at every event, so the usual case must be cheap
        return believed(task.not_before, view)
    return believed(max(task.not_before, view.phase.rests.get(policy.group_of(task.stage), 0.0)), view)


def believed(until: float, view: View) -> float:
    """The end of a backoff; now, if it is further away than any backoff: the clock was set back since."""
    return until if until <= view.now + BACKOFF_MOST_S else view.now


def _next_ready_at(view: View, policy: Policy) -> float | None:
    """The end of the first backoff that a task waits for, or None when none waits."""
    times = [_ready_at(t, view, policy) for t in view.tasks if _may_start(t)]
    return min((at for at in times if at > view.now), default=None)


def _ready(view: View, policy: Policy) -> list[Task]:
    """The tasks that could start now if their group were loaded, in order, without the surplus of R6."""
    free = (t for t in view.tasks if not t.held)
    queue = list(free) if view.dealt else in_order(free, policy.order)
    ready = [t for t in queue if _may_start(t) and _ready_at(t, view, policy) <= view.now]
    if len(policy.residency) == 1 or not any(t.stage is Stage.STT for t in ready):
        return ready
    new = [t.id for t in ready if is_new_rating(t) and not t.is_first and t.id not in view.phase.rerated]
    surplus = set(new[max(0, NEW_RATINGS - len(view.phase.rerated)) :])
    return [t for t in ready if t.id not in surplus]


def _choose(ready: list[Task], group: Group | None, view: View, policy: Policy) -> list[Task]:
    """The tasks of the group that belong to its batch or phase, in order."""
    if group is None or group not in policy.residency:  # a group that is no longer configured gets no work
        return []
    mine = [t for t in ready if t.stage in group]
    if not policy.has_batches(group):
        return mine
    taken = view.phase.batch.taken if view.phase.batch else frozenset()
    new = [t.id for t in mine if t.stage is Stage.STT and t.id not in taken]
    room = max(0, batch_limit(policy, len(taken), len(new)) - len(taken))
    surplus = set(new[room:])
    return [t for t in mine if t.id not in surplus]


def _release_others(tasks: Sequence[Task], chosen: list[Task]) -> tuple[Action, ...]:
    """R0: the releases of all pending tasks that were not chosen."""
    keep = {t.id for t in chosen}
    return tuple(Release(t) for t in tasks if t.status in PENDING and t.id not in keep)


def _work(
    releases: tuple[Action, ...], chosen: list[Task], running: list[Task], view: View, policy: Policy
) -> Decision:
    """R2: admit the chosen tasks, and start those that get a slot."""
    admits = tuple(Admit(t) for t in chosen if t.status in (Status.UPLOADED, Status.STT_COMPLETE))
    starts = _starts(chosen, running, view, policy)
    if not starts and not running and not view.phase.fresh:
        return Decision((*releases, *admits, Switch(view.phase.group, fresh=True)), Why.PROBATION)
    return Decision((*releases, *admits, *map(Start, starts)), Why.WORKING, _next_ready_at(view, policy))


def _starts(chosen: list[Task], running: list[Task], view: View, policy: Policy) -> list[Task]:
    """R2: the tasks that get a slot now."""
    if any(t.suspicion for t in running):
        return []
    trusted = [t for t in chosen if not t.suspicion]
    suspect = next((t for t in chosen if t.suspicion), None)
    if suspect is not None and not any(_goes_before(t, suspect, policy) for t in trusted):
        return [suspect] if view.phase.fresh and not running else []
    busy = Counter(t.stage for t in running)
    starts = []
    for task in trusted:
        if busy[task.stage] < policy.parallel[task.stage]:
            busy[task.stage] += 1
            starts.append(task)
    return starts


def _goes_before(task: Task, suspect: Task, policy: Policy) -> bool:
    """Whether the trusted `task` starts before `suspect`: always where there are several groups, else only if
    it was claimed before the other became a suspect, or put first.
    """
    if len(policy.residency) > 1 or task.is_first:
        return True
    return task.claimed_at <= suspect.not_before and is_new_rating(task) <= is_new_rating(suspect)


def _linger_until(view: View, policy: Policy) -> float:
    """R3: until when to wait for more uploads; 0 when there is nothing to wait for."""
    batch = view.phase.batch
    if not policy.has_batches(view.phase.group) or batch is None or not batch.taken or view.draining:
        return 0.0
    if len(batch.taken) >= policy.batch_size or view.last_claim_at <= view.go_at:
        return 0.0
    if view.last_claim_at > view.now:  # the clock was set back, so the wait could last days
        return 0.0
    waiting = (t for t in view.tasks if t.batch_id == batch.id and not t.held and t.not_before <= view.now)
    oldest = min((t.claimed_at for t in waiting), default=view.now)
    return min(view.last_claim_at + view.phase.switch_s, oldest + policy.max_wait_s)


def _next_group(ready: list[Task], view: View, policy: Policy) -> Group | None:
    """R4: the first group after the loaded one, cyclically, with a task that can start now.

    With none loaded, the cycle starts at the group that was requested last, if it has work: were it to start
    at the first, an engine that dies again and again would keep the groups after it waiting.
    """
    residency = policy.residency
    place = view.phase.last_group if view.phase.group is None else view.phase.group
    if view.phase.group is None and _choose(ready, place, view, policy):
        return place
    first = residency.index(place) + 1 if place in residency else 0
    stages = {t.stage for t in ready}
    return next((g for g in (*residency[first:], *residency[:first]) if g & stages), None)


def _stop(releases: tuple[Action, ...], view: View) -> Decision:
    """R4: stop everything, or stay idle: there is nothing to do."""
    if view.phase.group is None and not view.phase.alive:
        return Decision(releases, Why.IDLE)
    if (until := believed(view.phase.rests.get(NOTHING, 0.0), view)) > view.now:
        return Decision(releases, Why.BACKOFF, until)
    return Decision((*releases, Switch(None)), Why.IDLE)
