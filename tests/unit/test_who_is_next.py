"""Who is served next: what a person puts first, and the orders that can be configured."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from daemon.core.schedule.decision import OpenBatch, Start, Switch, View, Why
from daemon.core.schedule.phase_state import Batch, Group
from daemon.core.schedule.queue import QueueOrder, in_order
from daemon.core.schedule.scheduler import decide
from daemon.core.schedule.simulation import simulate
from daemon.core.schedule.timetable import Attempt, Input, SwitchResult, Timetable, What
from daemon.core.tasks.task import FINAL, Stage, Status, Task
from tests.unit.scheduling import ALL, APART, EVAL, PAIRED, STT, TOGETHER, burst, policy, task, view_of

NOW = 1000.0
SECONDS = {Stage.STT: 10.0, Stage.EXTRACT: 20.0, Stage.RATE: 20.0}


def view(group: Group | None, *tasks: Task, **fields: Any) -> View:
    return view_of(**{"now": NOW, "tasks": tasks, "group": group, **fields})


def started(a_view: View, **of_policy: Any) -> list[int]:
    decision = decide(a_view, policy(**of_policy))
    return [action.task.id for action in decision.actions if isinstance(action, Start)]


def first(one: Task, at: float = 900.0) -> Task:
    return replace(one, first_at=at)


def class_of(
    tasks: list[Task], script: list[Input], residency: tuple[Group, ...], **options: Any
) -> Timetable:
    arrivals = [Input(t.claimed_at, What.ARRIVE, t) for t in tasks]
    return simulate(
        view_of(0.0, (), None, switch_s=5.0),
        replace(policy(residency, size=40, llm=2), **options),
        tries=lambda t: Attempt(SECONDS[t.stage] * t.duration_s / 60),
        loads=lambda *_: SwitchResult(5.0),
        script=[*arrivals, *script],
    )


# R7: what a person puts first


def test_in_its_group_it_starts_first_and_the_others_go_along() -> None:
    assert started(view(STT, task(1), task(2), first(task(3))), stt=2) == [3, 1]


def test_the_last_one_put_first_goes_before_the_others() -> None:
    assert [t.id for t in in_order([task(1), first(task(2), 5.0), first(task(3), 7.0)])] == [3, 2, 1]


def test_where_it_waits_for_another_group_nothing_else_starts_and_its_group_is_loaded() -> None:
    running, waiting = task(1, Status.EVAL_PROCESSING), task(2, Status.STT_COMPLETE)
    upload = first(task(3))
    busy = decide(view(EVAL, running, waiting, upload), policy(llm=4))
    assert (busy.actions, busy.why) == ((), Why.WORKING)
    free = decide(view(EVAL, waiting, upload), policy(llm=4))
    assert free.actions == (Switch(STT),)


def test_stt_does_not_linger_before_it_goes_on() -> None:
    done = first(task(1, Status.STT_COMPLETE))
    lingers = view(STT, done, last_claim_at=NOW - 1, switch_s=60.0, batch=Batch(1, frozenset({1})))
    assert decide(lingers, policy()).actions == (Switch(EVAL),)


def test_a_full_batch_ends_for_it() -> None:
    full = view(STT, task(2, Status.STT_COMPLETE), first(task(3)), batch=Batch(1, frozenset({1, 2})))
    assert decide(full, policy(size=2)).actions == (OpenBatch(),)


@pytest.mark.parametrize(
    "hindered",
    [
        first(task(3, held=True)),
        first(task(3, not_before=NOW + 30)),
        first(task(3, suspicion=1)),
        first(task(3, cancel_requested=True)),
    ],
    ids=["held", "backing off", "a suspect", "cancelled"],
)
def test_one_that_may_not_start_delays_nobody(hindered: Task) -> None:
    waiting = task(2, Status.STT_COMPLETE)
    assert started(view(EVAL, waiting, hindered)) == [2]


def test_a_new_rating_that_is_put_first_is_limited_by_no_share() -> None:
    again = first(task(1, Status.STT_COMPLETE, revision=2))
    others = [task(id, Status.STT_COMPLETE, revision=2) for id in range(10, 30)]
    rerated = frozenset(range(10, 20))
    assert started(view(EVAL, task(50), *others, again, rerated=rerated)) == [1]


@pytest.mark.parametrize("residency", [PAIRED, APART, TOGETHER], ids=["paired", "apart", "together"])
@pytest.mark.parametrize("at", [1.0, 40.0, 150.0, 330.0])
def test_it_has_its_result_after_what_runs_and_its_own_work(residency: tuple[Group, ...], at: float) -> None:
    ended = class_of(burst(30), [Input(at, What.NEXT, task_id=30)], residency).ended
    own_s, switches_s = sum(SECONDS.values()), 3 * 5.0
    in_hand_s = sum(SECONDS.values())  # at each stage at most what had a slot before it
    assert ended[30] - at <= own_s + switches_s + in_hand_s
    assert len(ended) == 30


def test_without_being_asked_for_it_comes_last() -> None:
    ended = class_of(burst(30), [], APART).ended
    assert ended[30] == max(ended.values()) > 600


# R8: the orders


def test_first_come_counts_the_claim_alone() -> None:
    tasks = [task(1, student="a"), task(2, student="a"), task(3, student="b")]
    assert [t.id for t in in_order(tasks, QueueOrder.FIRST_COME)] == [1, 2, 3]
    assert [t.id for t in in_order(tasks, QueueOrder.FAIR)] == [1, 3, 2]


def test_shortest_takes_the_shorter_video_of_a_class_and_nobodys_second_before_anothers_first() -> None:
    long, short = replace(task(1), duration_s=180.0), replace(task(2), duration_s=30.0)
    again = replace(task(3, student="s2"), duration_s=5.0)
    assert [t.id for t in in_order([long, short, again], QueueOrder.SHORTEST)] == [2, 1, 3]


lengths = some.lists(some.tuples(some.floats(1, 900), some.floats(0, 20_000)), min_size=2, max_size=12)


@given(lengths)
def test_shortest_lets_nobody_wait_for_who_came_more_than_ten_lengths_later(
    drawn: list[tuple[float, float]],
) -> None:
    tasks = [replace(task(id, claimed_at=at), duration_s=length) for id, (length, at) in enumerate(drawn, 1)]
    served = in_order(tasks, QueueOrder.SHORTEST)
    for place, one in enumerate(served):
        for later in served[place + 1 :]:
            assert one.claimed_at <= later.claimed_at + 10 * later.duration_s + 1e-6


def test_a_stream_of_short_videos_starves_no_long_one() -> None:
    long = replace(task(1, claimed_at=0.0), duration_s=120.0)
    stream = [replace(task(id, claimed_at=id * 14.0), duration_s=60.0) for id in range(2, 300)]
    ended = class_of([long, *stream], [], (ALL,), order=QueueOrder.SHORTEST).ended
    assert ended[1] < 1300


@given(some.lists(some.tuples(some.integers(0, 3), some.floats(0, 100)), max_size=10), some.data())
def test_every_order_serves_each_task_once_and_what_is_put_first_before_a_later_claim(
    drawn: list[tuple[int, float]], data: Any
) -> None:
    tasks = [task(id, student=f"s{student}", claimed_at=at) for id, (student, at) in enumerate(drawn, 1)]
    chosen = data.draw(some.sets(some.sampled_from(tasks))) if tasks else set()
    tasks = [first(t, 50.0 + t.id) if t in chosen else t for t in tasks]
    for order in QueueOrder:
        served = in_order(tasks, order)
        assert sorted(t.id for t in served) == sorted(t.id for t in tasks)
        assert [t.id for t in served[: len(chosen)]] == sorted((t.id for t in chosen), reverse=True)
        assert not any(t.status in FINAL for t in served)
