"""The scheduler at work: the plan's figures, and thousands of random runs under a referee's eye."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

import pytest

from daemon.core.errors import Blame, Fault
from daemon.core.schedule.decision import (
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
from daemon.core.schedule.phase_state import Group
from daemon.core.schedule.queue import QueueOrder
from daemon.core.schedule.scheduler import auto_batch_size
from daemon.core.schedule.simulation import simulate
from daemon.core.schedule.timetable import Attempt, Input, Mark, SwitchResult, Timetable, TimetableEntry, What
from daemon.core.tasks.lifecycle import RetryPolicy
from daemon.core.tasks.task import FINAL, PENDING, RUNNING, Event, Stage, Status, Task
from tests.unit.scheduling import (
    ALL,
    APART,
    EVAL,
    EXTRACT,
    PAIRED,
    RATE,
    STT,
    TOGETHER,
    burst,
    policy,
    task,
    view_of,
)

PLAN_S = {Stage.STT: 10.0, Stage.EXTRACT: 20.0, Stage.RATE: 20.0}
DEATH = Fault(Blame.ENGINE, "engine_died", "gone", died=True)
SICK = Fault(Blame.ENGINE, "server_error", "sick")
OWN = Fault(Blame.TASK, "answer_invalid", "no JSON")
PERMANENT = Fault(Blame.PERMANENT, "too_long", "too long")


def planned(a_task: Task) -> Attempt:
    """A try that takes as long as the plan says and goes well."""
    return Attempt(PLAN_S[a_task.stage])


def free_load(leaving: Group | None, entering: Group | None) -> SwitchResult:
    return SwitchResult(0.0)


def arrivals(tasks: Sequence[Task]) -> list[Input]:
    return [Input(t.claimed_at, What.ARRIVE, t) for t in tasks]


def of(timetable: Timetable, what: Event | Mark) -> list[TimetableEntry]:
    return [entry for entry in timetable.entries if entry.what is what]


def loaded(timetable: Timetable) -> list[Group]:
    return [entry.group for entry in of(timetable, Mark.LOADED) if entry.group is not None]


def run(
    tasks: Sequence[Task], a_policy: Policy, *, switch_s: float = 0.0, until: float = math.inf
) -> Timetable:
    """The plan's durations, no faults, under the referee."""
    start = view_of(0.0, (), None, switch_s=switch_s)
    return simulate(
        start,
        a_policy,
        tries=planned,
        loads=lambda leaving, entering: SwitchResult(switch_s),
        script=arrivals(tasks),
        until=until,
        watch=Referee(a_policy),
    )


# The figures of DESIGN.md, section 2


@pytest.mark.parametrize(
    ("residency", "size", "minutes"),
    [
        (APART, 10, 25.0),
        (APART, 30, 25.0),
        (PAIRED, 10, 16.0),
        (PAIRED, 30, 15.3),
        (TOGETHER, 10, 10.5),
    ],
)
def test_thirty_students_take_as_long_as_the_plan_says(
    residency: tuple[Group, ...], size: int, minutes: float
) -> None:
    timetable = run(burst(30), policy(residency, size=size))
    assert round(timetable.makespan_s / 60, 1) == minutes
    assert len(timetable.ended) == 30
    assert timetable.switches == (1 if residency is TOGETHER else len(residency) * 30 // size)


@pytest.mark.parametrize(("parallel", "speed", "minutes"), [(2, 1.73, 16.6), (4, 2.84, 12.5)])
def test_several_requests_at_once_win_the_time_back_where_each_model_is_alone(
    parallel: int, speed: float, minutes: float
) -> None:
    def tries(a_task: Task) -> Attempt:
        return Attempt(PLAN_S[a_task.stage] * (1.0 if a_task.stage is Stage.STT else parallel / speed))

    apart = policy(APART, size=30, llm=parallel)
    timetable = simulate(view_of(0.0, burst(30), None), apart, tries=tries, loads=free_load)
    assert round(timetable.makespan_s / 60, 1) == minutes


def test_one_after_the_other_takes_the_sum() -> None:
    alone = [run([task(1, claimed_at=0.0)], policy(PAIRED)).makespan_s for _ in range(3)]
    assert alone == [50.0, 50.0, 50.0]


# Classes, trickles, overload


def test_a_class_of_thirty_with_a_fixed_ten_makes_three_batches() -> None:
    timetable = run(burst(30), policy(), switch_s=5.0)
    assert loaded(timetable) == [STT, EVAL] * 3
    batches = Counter(e.task.batch_id for e in of(timetable, Event.TRANSCRIBED) if e.task)
    assert list(batches.values()) == [10, 10, 10]


def test_a_class_is_not_cut_in_pieces_when_the_size_is_automatic() -> None:
    switch_s, work_s = 50.0, sum(PLAN_S.values())
    size = auto_batch_size(1, 3 * switch_s, work_s)
    assert size == 30
    timetable = run(burst(30), policy(APART, size=size, remainder=True), switch_s=switch_s)
    assert loaded(timetable) == [STT, EXTRACT, RATE]


def test_a_remainder_goes_along() -> None:
    timetable = run(burst(25), policy(size=10, remainder=True), switch_s=5.0)
    assert loaded(timetable) == [STT, EVAL] * 2


def test_a_trickle_does_not_flip_the_gpu_for_each() -> None:
    trickle = [task(n, claimed_at=4.0 * n) for n in range(1, 9)]
    together = run(trickle, policy(), switch_s=15.0)
    assert loaded(together) == [STT, EVAL]


def test_a_lone_upload_is_taken_through_at_once() -> None:
    timetable = run([task(1, claimed_at=0.0)], policy(), switch_s=5.0)
    assert timetable.ended == {1: 60.0}
    assert (timetable.waits, timetable.makespan_s, timetable.switching_s) == ({1: 60.0}, 60.0, 15.0)


@pytest.mark.parametrize("residency", [APART, PAIRED, TOGETHER])
def test_in_the_end_everything_is_stopped(residency: tuple[Group, ...]) -> None:
    last = run(burst(3), policy(residency)).entries[-1]
    assert (last.what, last.group) == (Mark.LOADED, None)


def overload(n: int, every_s: float) -> list[Task]:
    """More than the node can do, for long; every fourth video is its student's second."""
    return [
        task(i, student=f"s{i - 1 if i % 4 == 0 else i}", claimed_at=i * every_s) for i in range(1, n + 1)
    ]


@pytest.mark.parametrize("residency", [APART, PAIRED, (STT | EXTRACT, RATE), (STT | RATE, EXTRACT)])
def test_under_steady_overload_each_waits_a_bounded_number_of_rounds(residency: tuple[Group, ...]) -> None:
    size = 5
    a_policy = policy(residency, size=size)
    tasks = overload(100, 8.0)
    deadly = {20: 1, 41: 1, 42: 99}

    def tries(a_task: Task) -> Attempt:
        dies = a_task.stage is Stage.STT and a_task.suspicion < deadly.get(a_task.id, 0)
        return replace(planned(a_task), fault=DEATH if dies else None)

    referee = Referee(a_policy)
    timetable = simulate(
        view_of(0.0, (), None),
        a_policy,
        tries=tries,
        loads=lambda leaving, entering: SwitchResult(3.0),
        script=arrivals(tasks),
        watch=referee,
    )
    assert timetable.tasks[42].status is Status.FAILED
    rounds = [e.at for e in of(timetable, Mark.SWITCHING) if e.group == RATE or e.group == residency[-1]]
    for t in tasks:
        ended = timetable.ended[t.id]
        ahead = sum(o.claimed_at < t.claimed_at and timetable.ended[o.id] > t.claimed_at for o in tasks)
        # A second video lets those pass that come while the first is open.
        waited = sum(t.claimed_at < at <= ended for at in rounds)
        assert waited <= 2 * (ahead // size) + 4, (t.id, ahead, waited)


def test_under_overload_the_first_results_still_come() -> None:
    timetable = run(overload(100, 5.0), policy(APART, size=10), switch_s=10.0)
    assert min(timetable.ended.values()) < 10 * 50 + 3 * 10 + 30


def test_where_all_is_resident_a_suspect_is_not_kept_waiting_by_a_steady_stream() -> None:
    a_policy = policy(TOGETHER)

    def tries(a_task: Task) -> Attempt:
        dies = a_task.id == 5 and a_task.stage is Stage.RATE and not a_task.suspicion
        return replace(planned(a_task), fault=DEATH if dies else None)

    timetable = simulate(
        view_of(0.0, (), None),
        a_policy,
        tries=tries,
        loads=free_load,
        script=arrivals([task(n, claimed_at=10.0 * n) for n in range(1, 100)]),
        watch=Referee(a_policy),
    )
    died_at = of(timetable, Mark.ENGINE_DIED)[0].at
    claimed_later = [n for n, at in timetable.ended.items() if at < timetable.ended[5] and 10.0 * n > died_at]
    assert claimed_later == []


def test_an_engine_that_dies_again_and_again_does_not_starve_the_groups_after_it() -> None:
    a_policy = policy(APART, size=5)
    deaths = iter(range(12))

    def tries(a_task: Task) -> Attempt:
        dies = a_task.stage is Stage.EXTRACT and a_task.id > 3 and next(deaths, None) is not None
        return replace(planned(a_task), fault=DEATH if dies else None)

    timetable = simulate(
        view_of(0.0, (), None),
        a_policy,
        tries=tries,
        loads=lambda leaving, entering: SwitchResult(2.0),
        script=arrivals(overload(60, 5.0)),
        watch=Referee(a_policy),
    )
    before = [e.task.id for e in of(timetable, Event.TRANSCRIBED) if e.task and e.at < timetable.ended[1]]
    assert before == [1, 2, 3, 5, 6]


def test_a_task_on_which_its_engine_always_fails_does_not_keep_the_class_waiting() -> None:
    def tries(a_task: Task) -> Attempt:
        return replace(planned(a_task), fault=SICK if a_task.id == 1 and a_task.stage is Stage.RATE else None)

    timetable = simulate(
        view_of(0.0, burst(10), None), policy(APART), tries=tries, loads=free_load, until=2000.0
    )
    assert set(timetable.ended) == set(range(2, 11))
    assert timetable.makespan_s < 10 * 50 + 30


def test_new_ratings_of_old_tasks_are_done_beside_a_steady_overload_ten_a_phase() -> None:
    again = [task(n, Status.STT_COMPLETE, revision=2, claimed_at=-float(n)) for n in range(500, 530)]
    a_policy = policy(APART, size=5)
    timetable = simulate(
        view_of(0.0, (), None),
        a_policy,
        tries=planned,
        loads=free_load,
        script=[*arrivals(burst(40)), *(Input(0.0, What.ARRIVE, t) for t in again)],
        watch=Referee(a_policy),
    )
    rated = [[0, 0]]
    for entry in timetable.entries:
        if entry.what is Mark.LOADED and entry.group == STT:
            rated.append([0, 0])
        elif entry.what is Event.RATED and entry.task:
            rated[-1][entry.task.revision - 1] += 1
    assert [counts for counts in rated if any(counts)] == [[5, 10]] * 3 + [[5, 0]] * 5


def test_a_simulation_begins_where_the_daemon_stands() -> None:
    running = task(1, Status.EVAL_PROCESSING, attempt=2)
    view = view_of(100.0, (running, task(2, Status.MISTRAL_COMPLETE)), EVAL)
    timetable = simulate(view, policy(), tries=planned, loads=free_load)
    assert timetable.ended == {2: 120.0, 1: 140.0}
    assert timetable.makespan_s == 40.0


def test_what_a_crash_interrupted_begins_anew_and_its_late_outcome_counts_for_nothing() -> None:
    script = [*arrivals(burst(1)), Input(6.0, What.CRASH)]
    timetable = simulate(view_of(0.0, (), None), policy(), tries=planned, loads=free_load, script=script)
    assert [e.at for e in of(timetable, Event.TRANSCRIBED)] == [16.0]
    assert timetable.tasks[1].attempt == 4


def test_an_engines_death_leaves_its_neighbours_task_in_hand_alone() -> None:
    def tries(a_task: Task) -> Attempt:
        dies = a_task.id == 2 and not a_task.suspicion and a_task.stage is Stage.EXTRACT
        return Attempt(5.0, DEATH) if dies else planned(a_task)

    both = (task(1, Status.MISTRAL_COMPLETE), task(2, Status.STT_COMPLETE))
    timetable = simulate(
        view_of(0.0, both, EVAL), policy(), tries=tries, loads=free_load, watch=Referee(policy())
    )
    assert timetable.ended == {1: 20.0, 2: 60.0}
    assert [e.task.suspicion for e in of(timetable, Event.RELEASED) if e.task] == [1]


def test_a_simulation_ends_when_it_is_told_to() -> None:
    timetable = run(burst(3), policy(), until=25.0)
    assert [e.at for e in of(timetable, Event.TRANSCRIBED)] == [10.0, 20.0]
    assert timetable.ended == {}


# Random worlds


@dataclass
class Referee:
    """Watches every decision, and knows the rules by itself."""

    policy: Policy
    last: tuple[View, Decision] | None = None
    used: bool = True
    tallies: Counter[str] = field(default_factory=Counter)

    def __call__(self, view: View, decision: Decision) -> None:
        self.last = view, decision
        self.tallies[decision.why] += 1
        self.check_world(view)
        starts = [a.task for a in decision.actions if isinstance(a, Start)]
        admits = [a.task for a in decision.actions if isinstance(a, Admit)]
        self.check_switches(view, decision)
        self.check_rest(view, decision)
        released = {a.task.id for a in decision.actions if isinstance(a, Release)}
        pending = ({t.id for t in view.tasks if t.status in PENDING} | {t.id for t in admits}) - released
        for t in starts:
            assert view.phase.group is not None
            assert t.stage in view.phase.group
            assert self.may_start(t, view)
        self.check_suspects(view, starts)
        self.used = (self.used or bool(starts)) and not any(isinstance(a, Switch) for a in decision.actions)
        self.check_slots(view, starts)
        self.check_batch(view, starts, pending)
        self.check_first(view, starts)
        self.check_order(view, starts, pending)

    def may_start(self, t: Task, view: View) -> bool:
        rests = view.phase.rests.get(next(g for g in self.policy.residency if t.stage in g), 0.0)
        idle = t.status not in RUNNING and not t.held and not t.cancel_requested
        return idle and max(t.not_before, rests) <= view.now

    def check_world(self, view: View) -> None:
        running = [t for t in view.tasks if t.status in RUNNING]
        assert not (running and view.phase.switching)
        if view.phase.group is not None:
            assert all(t.stage in view.phase.group for t in running)
        if any(t.suspicion for t in running):
            assert len(running) == 1

    def check_switches(self, view: View, decision: Decision) -> None:
        switches = [a for a in decision.actions if isinstance(a, Switch)]
        if view.phase.switching or view.paused:
            assert decision.actions == ()
        if switches:
            assert decision.actions[-1:] == tuple(switches)
            assert not any(t.status in RUNNING for t in view.tasks)
        if any(isinstance(a, OpenBatch) for a in decision.actions):
            assert self.policy.has_batches(view.phase.group)
            assert view.phase.batch is not None
            assert len(view.phase.batch.taken) >= self.policy.batch_size

    def check_rest(self, view: View, decision: Decision) -> None:
        """Where the scheduler waits, something will wake it, and there is a reason to wait."""
        if decision.wake_at is not None:
            assert decision.wake_at > view.now
        if (
            decision.actions
            or view.phase.switching
            or view.paused
            or any(t.status in RUNNING for t in view.tasks)
        ):
            return
        may = [t for t in view.tasks if self.may_start(t, view)]
        if decision.why is Why.LINGERING:
            assert decision.wake_at is not None
            assert decision.wake_at <= view.last_claim_at + view.phase.switch_s
            assert not any(t.stage is Stage.STT for t in may)
        else:
            assert may == []
        later = [t for t in view.tasks if not t.held and not t.cancel_requested]
        assert not later or decision.wake_at is not None

    def check_suspects(self, view: View, starts: list[Task]) -> None:
        if any(t.suspicion for t in starts):
            assert view.phase.fresh
            assert not self.used, "something ran on the engine since it was started"
            assert len(starts) == 1
            assert not any(t.status in RUNNING for t in view.tasks)

    def check_slots(self, view: View, starts: list[Task]) -> None:
        busy = Counter(t.stage for t in view.tasks if t.status in RUNNING)
        busy.update(t.stage for t in starts)
        assert all(busy[stage] <= self.policy.parallel[stage] for stage in busy)
        assert len({t.id for t in starts}) == len(starts)

    def check_batch(self, view: View, starts: list[Task], pending: set[int]) -> None:
        if not self.policy.has_batches(view.phase.group):
            return
        before = view.phase.batch.taken if view.phase.batch else frozenset[int]()
        most = self.policy.batch_size * (3 if self.policy.remainder_goes_along else 2) // 2
        taken = before | {t.id for t in starts if t.stage is Stage.STT}
        places = taken | {t.id for t in view.tasks if t.id in pending and t.stage is Stage.STT}
        assert len(places) <= max(most, len(before))
        assert len(before) <= most

    def check_first(self, view: View, starts: list[Task]) -> None:
        """What is put first starts before all else, unless its own stage is busy with what runs already."""
        begun = [t.id for t in starts]
        busy = Counter(t.stage for t in view.tasks if t.status in RUNNING)
        for f in view.tasks:
            if not (f.first_at and not f.suspicion and self.may_start(f, view)) or f.id in begun:
                continue
            for t in starts:
                earlier = t.first_at and not t.suspicion
                full = busy[f.stage] + sum(o.stage is f.stage and o.first_at > 0 for o in starts)
                assert earlier or full >= self.policy.parallel[f.stage], (f, t)

    def ranks(self, view: View) -> dict[int, tuple[float | int, ...]]:
        def rank(t: Task) -> tuple[float | int, ...]:
            earlier = [o for o in view.tasks if not o.held and (o.claimed_at, o.id) < (t.claimed_at, t.id)]
            of_student = sum(o.student == t.student for o in earlier)
            of_account = sum(o.account == t.account is not None for o in earlier)
            first = -t.first_at if t.first_at and not t.suspicion else 0.0
            again = t.revision > 1 and t.stage is not Stage.STT
            if self.policy.order is QueueOrder.FIRST_COME:
                return first, again, t.claimed_at, t.id
            served_at = t.claimed_at + 10 * t.duration_s * (self.policy.order is QueueOrder.SHORTEST)
            return first, again, of_student, of_account, served_at, t.claimed_at, t.id

        return {t.id: rank(t) for t in view.tasks}

    def check_order(self, view: View, starts: list[Task], pending: set[int]) -> None:
        """Whoever starts does so before nobody who comes ahead, may start and belongs to the same batch."""
        if not starts:
            return
        ranks = self.ranks(view)
        begun = {t.id for t in starts}
        batch = view.phase.batch.taken if view.phase.batch else frozenset[int]()
        for t in starts:
            for o in view.tasks:
                if o.id in begun or o.stage is not t.stage or o.suspicion or not self.may_start(o, view):
                    continue
                fits = t.id not in batch or o.id in batch or o.id in pending
                if t.suspicion:
                    fits = o.id in pending and len(self.policy.residency) > 1
                elif ranks[t.id][1] and not t.first_at:
                    fits = (o.id in view.phase.rerated) == (t.id in view.phase.rerated)
                if fits:
                    assert not t.suspicion
                    assert ranks[t.id] < ranks[o.id], (t, o)


@dataclass
class Fate:
    """What happens in one random world. Sick engines and crashes come to an end, poisoned videos never do."""

    rng: Random
    trouble: float
    poison: dict[tuple[int, Stage], Fault]
    budget: int

    def tries(self, t: Task) -> Attempt:
        rng = self.rng
        seconds = rng.choice((0.0, 1.0, 3.0, 10.0, 25.0))
        fault = self.poison.get((t.id, t.stage))
        if fault is None and self.budget > 0 and rng.random() < self.trouble:
            self.budget -= 1
            fault = rng.choice((DEATH, SICK, OWN, OWN, PERMANENT))
        return Attempt(seconds, fault, unscorable=rng.random() < 0.05)

    def loads(self, leaving: Group | None, entering: Group | None) -> SwitchResult:
        failed = self.budget > 0 and self.rng.random() < self.trouble
        self.budget -= failed
        return SwitchResult(self.rng.choice((0.0, 1.0, 8.0)), failed)


def random_tasks(rng: Random) -> list[Task]:
    pace = rng.choice((0.0, 1.0, 6.0, 40.0))
    students = rng.randint(1, 6)
    tasks, at = [], 0.0
    for id in range(1, rng.randint(1, 14) + 1):
        at += rng.random() * pace
        account = rng.choice((None, "a", "b"))
        one = task(id, student=f"s{rng.randrange(students)}", account=account, claimed_at=at)
        one = replace(one, duration_s=rng.choice((20.0, 60.0, 400.0)))
        if rng.random() < 0.15:
            status = rng.choice((Status.UPLOADED, Status.STT_COMPLETE, Status.MISTRAL_COMPLETE))
            one = replace(one, status=status, revision=2, claimed_at=at - 1000)
        tasks.append(one)
    return tasks


def random_script(rng: Random, tasks: list[Task]) -> list[Input]:
    """The tasks' arrivals, and what operators and bad luck do; a pause is always ended."""
    script = [Input(t.claimed_at + 1000 * (t.revision > 1), What.ARRIVE, t) for t in tasks]
    end = script[-1].at + 60
    for what in (What.HOLD, What.UNHOLD, What.HOLD, What.CANCEL, What.GO, What.CRASH, What.CRASH, What.DRAIN,
                 What.NEXT, What.NEXT):  # fmt: skip
        if rng.random() < 0.3:
            at = end if what is What.DRAIN else rng.random() * end
            script.append(Input(at, what, task_id=rng.choice(tasks).id))
    if rng.random() < 0.3:
        at = rng.random() * end
        script += [Input(at, What.PAUSE), Input(at + rng.random() * 50, What.RESUME)]
    return script


def random_world(seed: int, name: str) -> None:
    rng = Random(f"{seed} {name}")
    residency = RESIDENCIES[name]
    a_policy = Policy(
        residency,
        {stage: rng.randint(1, 3) for stage in Stage},
        batch_size=rng.randint(1, 6),
        remainder_goes_along=rng.random() < 0.5,
        order=rng.choice(list(QueueOrder)),
    )
    tasks = random_tasks(rng)
    kinds = (DEATH, OWN, PERMANENT)
    poison = {(t.id, stage): rng.choice(kinds) for t in tasks for stage in Stage if rng.random() < 0.03}
    fate = Fate(rng, rng.choice((0.0, 0.1, 0.4)), poison, budget=rng.randint(0, 12))
    script = random_script(rng, tasks)
    referee = Referee(a_policy)
    timetable = simulate(
        view_of(0.0, (), None, switch_s=rng.choice((0.0, 5.0, 20.0))),
        a_policy,
        tries=fate.tries,
        loads=fate.loads,
        script=script,
        retry=RetryPolicy(rng.randint(1, 3)),
        watch=referee,
    )
    check_end(timetable, tasks, referee)
    # Who holds or cancels a task, or puts one first, may take away the work that a group is loaded for.
    disturbing = (What.HOLD, What.CANCEL, What.NEXT)
    check_history(timetable, disturbed=any(event.what in disturbing for event in script))


def check_end(timetable: Timetable, tasks: list[Task], referee: Referee) -> None:
    assert set(timetable.tasks) == {t.id for t in tasks}
    assert all(t.status in FINAL or t.held for t in timetable.tasks.values())
    assert not any(t.status in RUNNING | PENDING for t in timetable.tasks.values())
    assert referee.last is not None
    view, decision = referee.last
    assert (view.phase.group, view.phase.alive, decision.why, decision.actions) == (
        None,
        frozenset(),
        Why.IDLE,
        (),
    )


def check_history(timetable: Timetable, *, disturbed: bool) -> None:
    """No group is loaded for nothing, no two tries of a task overlap, and what ended stays ended."""
    running: set[int] = set()
    ended: set[int] = set()
    idle_load = False
    for entry in timetable.entries:
        if entry.what is Mark.SWITCHING:
            assert not running
            assert not (idle_load and entry.group is not None), (
                "a group was loaded, did nothing, and was left"
            )
        if entry.what is Mark.LOADED:
            idle_load = entry.group is not None and not disturbed
        elif entry.what in (Event.STARTED, Mark.LOAD_FAILED, Mark.CRASHED):
            idle_load = False
        if entry.task is None:
            continue
        assert entry.task.id not in ended
        if entry.what is Event.STARTED:
            assert entry.task.id not in running
            running.add(entry.task.id)
        elif entry.task.status not in RUNNING:
            running.discard(entry.task.id)
        if entry.task.status in FINAL:
            ended.add(entry.task.id)


RESIDENCIES = {
    "a group for each": APART,
    "models together": PAIRED,
    "all together": TOGETHER,
    "stt with the extractor": (STT | EXTRACT, RATE),
    "stt with the rater": (STT | RATE, EXTRACT),
}


@pytest.mark.parametrize("name", RESIDENCIES)
@pytest.mark.parametrize(
    "seeds", [range(n, n + 100) for n in range(0, 600, 100)], ids=lambda seeds: f"from {seeds.start}"
)
def test_random_worlds_keep_every_rule_and_end(name: str, seeds: range) -> None:
    for seed in seeds:
        try:
            random_world(seed, name)
        except Exception as error:
            raise AssertionError(f"seed {seed} of {name!r}: {error!r}") from error


def test_random_worlds_reach_every_reason_to_wait() -> None:
    assert ALL in RESIDENCIES["all together"]
    tallies: Counter[str] = Counter()
    for seed in range(60):
        for residency in (APART, PAIRED):
            rng = Random(seed)
            a_policy = policy(residency, size=2)
            referee = Referee(a_policy, tallies=tallies)
            tasks = random_tasks(rng)
            fate = Fate(rng, 0.2, {}, budget=6)
            simulate(
                view_of(0.0, (), None, switch_s=10.0),
                a_policy,
                tries=fate.tries,
                loads=fate.loads,
                script=random_script(rng, tasks),
                watch=referee,
            )
    assert set(tallies) == set(Why)
