"""The scheduler of several nodes: how a class is spread, in which order, and what a lost node costs."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from daemon.core.schedule.cluster import decide_all
from daemon.core.schedule.decision import LOCAL, Admit, Decision, Policy, Release, Start, View
from daemon.core.schedule.phase_state import Group, PhaseState
from daemon.core.schedule.queue import in_order
from daemon.core.schedule.scheduler import decide
from daemon.core.schedule.simulation import simulate
from daemon.core.schedule.timetable import Attempt, Input, Mark, SwitchResult, Timetable, What
from daemon.core.tasks.task import FINAL, PENDING, RUNNING, Event, Stage, Status, Task
from tests.unit.scheduling import APART, EXTRACT, PAIRED, STT, TOGETHER, burst, policy, task, view_of

PLAN_S = {Stage.STT: 10.0, Stage.EXTRACT: 20.0, Stage.RATE: 20.0}
SWITCH_S = 20.0
RESIDENCIES = pytest.mark.parametrize("residency", [APART, PAIRED, TOGETHER], ids=("apart", "paired", "all"))
DONE = {Event.TRANSCRIBED, Event.UNSCORABLE, Event.EXTRACTED, Event.RATED}


def planned(a_task: Task) -> Attempt:
    return Attempt(PLAN_S[a_task.stage])


def load(leaving: Group | None, entering: Group | None) -> SwitchResult:
    return SwitchResult(SWITCH_S)


def of_nodes(nodes: int, tasks: Sequence[Task] = ()) -> View:
    idle = PhaseState(switch_s=SWITCH_S)
    return View(0.0, tasks, idle, others={f"node{n}": idle for n in range(2, nodes + 1)})


def run(nodes: int, tasks: Sequence[Task], a_policy: Policy, script: Sequence[Input] = ()) -> Timetable:
    return simulate(of_nodes(nodes, tasks), a_policy, tries=planned, loads=load, script=script)


@pytest.mark.parametrize("nodes", [2, 4, 8])
def test_so_many_nodes_are_so_many_times_as_fast(nodes: int) -> None:
    a_policy = policy(APART, size=40, remainder=True, stt=2, llm=4)
    alone, together = run(1, burst(240), a_policy), run(nodes, burst(240), a_policy)
    assert len(together.ended) == 240
    assert alone.makespan_s / together.makespan_s >= 0.95 * nodes


@RESIDENCIES
@pytest.mark.parametrize("nodes", [2, 4, 8])
def test_nodes_need_for_a_class_what_one_needs_for_its_part(residency: tuple[Group, ...], nodes: int) -> None:
    """The start and the last introduction can't be divided, so short classes gain less than so many times."""
    a_policy = policy(residency, size=40, remainder=True, stt=2, llm=4)
    part, together = run(1, burst(240 // nodes), a_policy), run(nodes, burst(240), a_policy)
    assert together.makespan_s <= part.makespan_s / 0.95


@RESIDENCIES
def test_of_what_no_node_had_the_first_of_the_queue_starts_next(residency: tuple[Group, ...]) -> None:
    """First come, first served over all nodes, also where they come and work at different speeds."""
    random = Random(1)
    tasks = [task(n, student=f"s{n % 30}", claimed_at=random.uniform(0, 300)) for n in range(1, 121)]
    seconds = {t.id: random.uniform(5, 20) for t in tasks}
    passed: list[tuple[int, list[int]]] = []

    def watch(view: View, decision: Decision) -> None:
        started = {a.task.id for a in decision.actions if isinstance(a, Start)}
        for action in decision.actions:
            if isinstance(action, Start) and action.task.stage is Stage.STT:
                queue = [t for t in in_order(t for t in view.tasks if not t.held) if t.stage is Stage.STT]
                ahead = queue[: [t.id for t in queue].index(action.task.id)]
                left = [t.id for t in ahead if t.status not in RUNNING and t.id not in started]
                passed.append((action.task.id, left))

    script = [Input(t.claimed_at, What.ARRIVE, t) for t in tasks]
    timetable = simulate(
        of_nodes(4),
        policy(residency, size=10, stt=2, llm=4),
        tries=lambda t: Attempt(seconds[t.id] if t.stage is Stage.STT else PLAN_S[t.stage]),
        loads=load,
        script=script,
        watch=watch,
    )
    assert len(timetable.ended) == 120
    # Those that start at the same instant on other nodes are not passed by.
    began: dict[int, float] = {}
    for entry in timetable.entries:
        if entry.what is Event.STARTED and entry.task and entry.task.stage is Stage.STT:
            began.setdefault(entry.task.id, entry.at)
    unfair = [(id_, other) for id_, left in passed for other in left if began[other] > began[id_]]
    assert unfair == []


def test_a_transcript_stays_with_its_node_which_comes_to_it_next() -> None:
    timetable = run(2, burst(40), policy(APART, size=20, stt=2, llm=4))
    heard = {e.task.id: e.node for e in timetable.entries if e.task and e.what is Event.TRANSCRIBED}
    read = {e.task.id: e.node for e in timetable.entries if e.task and e.what is Event.EXTRACTED}
    assert sum(heard[id_] == read[id_] for id_ in heard) >= 36


def test_an_idle_node_takes_over_what_another_would_start_only_later() -> None:
    waiting = [task(n, Status.STT_COMPLETE, claimed_at=0.0) for n in range(1, 31)]
    view = replace(of_nodes(2, waiting), at={t.id: LOCAL for t in waiting})
    timetable = simulate(view, policy(APART, llm=2), tries=planned, loads=load)
    by = [e.node for e in timetable.entries if e.what is Event.EXTRACTED]
    assert 10 <= by.count("node2") <= 15


def test_an_idle_node_does_not_switch_for_what_the_other_starts_at_once() -> None:
    waiting = [task(n, Status.STT_COMPLETE, claimed_at=0.0) for n in range(1, 3)]
    view = replace(of_nodes(2, waiting), at={t.id: LOCAL for t in waiting})
    view = replace(view, phase=replace(view.phase, group=EXTRACT, last_group=EXTRACT))
    timetable = simulate(view, policy(APART, llm=2), tries=planned, loads=load)
    assert {e.node for e in timetable.entries if e.what is Mark.SWITCHING} == {LOCAL}


def test_what_is_put_first_makes_one_node_yield_and_no_more() -> None:
    running = [task(n, Status.EVAL_PROCESSING, claimed_at=0.0) for n in (1, 2)]
    waiting = [task(n, Status.STT_COMPLETE, claimed_at=0.0) for n in range(3, 13)]
    first = task(20, first_at=5.0)
    phase = PhaseState(group=EXTRACT, last_group=EXTRACT)
    at = {1: LOCAL, 2: "node2", **{t.id: (LOCAL, "node2")[t.id % 2] for t in waiting}}
    view = View(9.0, [*running, *waiting, first], phase, others={"node2": phase}, at=at)
    a_policy = policy(APART, llm=2)
    decisions = decide_all(view, {LOCAL: a_policy, "node2": a_policy})
    starting = [name for name, d in decisions.items() if any(isinstance(a, Start) for a in d.actions)]
    assert len(starting) == 1


def test_a_leaving_node_finishes_what_it_runs_and_gets_no_more() -> None:
    running = task(1, Status.STT_PROCESSING)
    others = [task(n) for n in range(2, 8)]
    phase = PhaseState(group=STT, last_group=STT)
    view = View(9.0, [running, *others], phase, others={"node2": phase}, at={1: "node2"}, leaving={"node2"})
    a_policy = policy(APART, stt=2)
    decisions = decide_all(view, {LOCAL: a_policy, "node2": a_policy})
    assert decisions["node2"].actions == ()
    assert [a.task.id for a in decisions[LOCAL].actions if isinstance(a, Start)] == [2, 3]


def test_a_pending_task_is_released_by_its_node_before_another_has_it() -> None:
    pending = [task(n, Status.EVAL_PENDING) for n in range(1, 11)]
    phase = PhaseState(group=EXTRACT, last_group=EXTRACT)
    view = View(9.0, pending, PhaseState(), others={"node2": phase, "node3": phase})
    view = replace(view, at={t.id: "node2" for t in pending})
    a_policy = policy(APART, llm=2)
    decisions = decide_all(view, dict.fromkeys(view.nodes, a_policy))
    released = {a.task.id for a in decisions["node2"].actions if isinstance(a, Release)}
    assert {3, 4} <= released
    assert not [a for a in decisions["node3"].actions if isinstance(a, Start | Admit)]


@RESIDENCIES
def test_with_one_node_the_decisions_are_those_of_one(residency: tuple[Group, ...]) -> None:
    a_policy, seen = policy(residency, size=4, stt=2, llm=3), []

    def watch(view: View, decision: Decision) -> None:
        seen.append((replace(view, at=dict(view.at)), decision))

    script = [Input(t.claimed_at, What.ARRIVE, t) for t in (task(n) for n in range(1, 40))]
    simulate(view_of(0.0, ()), a_policy, tries=planned, loads=load, script=script, watch=watch)
    assert len(seen) > 100
    for view, decision in seen:
        assert (
            decision == decide(replace(view, at={}), a_policy) == decide_all(view, {LOCAL: a_policy})[LOCAL]
        )


@pytest.mark.parametrize("seed", range(200))
def test_a_node_that_is_gone_costs_its_attempts_in_hand_alone(seed: int) -> None:
    """Nodes go at random moments, some come back: nothing is lost, doubled, or done again once committed."""
    random = Random(seed)
    nodes, residency = random.choice((2, 4, 8)), random.choice((APART, PAIRED, TOGETHER))
    script = []
    for _ in range(random.randint(1, 4)):
        name, at = f"node{random.randint(2, nodes)}", random.uniform(0, 600)
        script.append(Input(at, What.GONE, node=name))
        if random.random() < 0.7:
            script.append(Input(at + random.uniform(1, 200), What.JOIN, node=name))
    tasks = burst(random.randint(5, 30))
    timetable = run(nodes, tasks, policy(residency, size=8, stt=2, llm=3), script)
    assert set(timetable.ended) == {t.id for t in tasks}
    committed = [(e.task.id, e.what) for e in timetable.entries if e.task and e.what in DONE]
    assert len(committed) == len(set(committed)) == 3 * len(tasks)
    for t in timetable.tasks.values():
        assert (t.status, t.retry_count, t.suspicion) == (Status.COMPLETED, 0, 0)
    started = sum(e.what is Event.STARTED for e in timetable.entries)
    lost = sum(e.what is Event.RELEASED and e.task is not None for e in timetable.entries)
    assert started - 3 * len(tasks) <= lost
    assert not any(t.status in RUNNING | PENDING for t in timetable.tasks.values())


@pytest.mark.parametrize(
    "seeds", [range(n, n + 40) for n in range(0, 200, 40)], ids=lambda seeds: seeds.start
)
def test_from_any_beginning_the_decisions_of_a_moment_settle_and_all_ends(seeds: range) -> None:
    """Each machine by a plan of its own, with anything loaded, and tasks wherever they may stand."""
    for seed in seeds:
        view, policies = a_beginning(Random(seed))
        timetable = simulate(view, policies, tries=planned, loads=load)  # raises NotSettled
        assert {t.status for t in timetable.tasks.values()} <= {Status.COMPLETED}, seed


def a_beginning(random: Random) -> tuple[View, dict[str, Policy]]:
    names = [LOCAL, *(f"node{n}" for n in range(2, random.choice((2, 3, 4, 8)) + 1))]
    policies, phases = {}, {}
    for name in names:
        policies[name] = policy(
            random.choice((APART, PAIRED, TOGETHER)),
            size=random.choice((2, 4, 8)),
            stt=random.choice((1, 2)),
            llm=random.choice((1, 2, 3)),
        )
        group = random.choice((None, *policies[name].residency))
        phases[name] = PhaseState(
            group=group, last_group=group, alive=group or frozenset(), switch_s=SWITCH_S
        )
    waiting = [status for status in Status if status not in RUNNING and status not in FINAL]
    tasks = [
        task(
            n,
            random.choice(waiting),
            student=f"s{random.randint(1, 9)}",
            claimed_at=random.uniform(-50, 0),
            first_at=random.choice((0.0, 0.0, 0.0, 5.0)),
            suspicion=random.choice((0, 0, 0, 1)),
        )
        for n in range(1, random.randint(2, 30))
    ]
    at = {t.id: random.choice(names) for t in tasks if t.status in PENDING or random.random() < 0.5}
    leaving = {name for name in names[1:] if random.random() < 0.1}
    others = {name: phases[name] for name in names[1:]}
    return View(0.0, tasks, phases[LOCAL], others=others, at=at, leaving=leaving), policies
