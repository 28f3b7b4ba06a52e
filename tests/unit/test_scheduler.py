"""The scheduler's rules, each by example."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.schedule.decision import Action, Admit, OpenBatch, Policy, Release, Start, Switch, View, Why
from daemon.core.schedule.phase_state import NOTHING, Batch, Group
from daemon.core.schedule.queue import in_order
from daemon.core.schedule.scheduler import auto_batch_size, batch_limit, decide
from daemon.core.tasks.task import Stage, Status, Task
from tests.unit.scheduling import (
    ALL,
    APART,
    EVAL,
    EXTRACT,
    PAIRED,
    RATE,
    STT,
    TOGETHER,
    in_phase,
    policy,
    task,
    view_of,
)

NOW = 1000.0
PENDING_OF = {Status.UPLOADED: Status.STT_PENDING, Status.STT_COMPLETE: Status.EVAL_PENDING}

RUNNING_AT = dict(
    zip(Stage, (Status.STT_PROCESSING, Status.EVAL_PROCESSING, Status.LLAMA_PROCESSING), strict=True)
)


def view(group: Group | None, *tasks: Task, **fields: Any) -> View:
    return view_of(**{"now": NOW, "tasks": tasks, "group": group, **fields})


def batch(*taken: int) -> Batch:
    return Batch(1, frozenset(taken))


def ids(actions: tuple[Action, ...], kind: type[Admit] | type[Start] | type[Release]) -> list[int]:
    return [action.task.id for action in actions if isinstance(action, kind)]


def started(a_view: View, a_policy: Policy) -> list[int]:
    return ids(decide(a_view, a_policy).actions, Start)


def uploads(*of: int, **fields: Any) -> list[Task]:
    return [task(id, **fields) for id in of]


# R0: pending tasks


@pytest.mark.parametrize("status", [Status.STT_PENDING, Status.EVAL_PENDING])
@pytest.mark.parametrize("group", [None, RATE])
def test_a_pending_task_whose_group_is_not_loaded_is_released(status: Status, group: Group | None) -> None:
    assert ids(decide(view(group, task(1, status)), policy(APART)).actions, Release) == [1]


def test_a_pending_task_that_is_held_is_released() -> None:
    decision = decide(view(STT, task(1, Status.STT_PENDING, held=True), task(2)), policy())
    assert ids(decision.actions, Release) == [1]
    assert ids(decision.actions, Start) == [2]


def test_a_pending_task_whose_engine_rests_is_released() -> None:
    decision = decide(view(EVAL, task(1, Status.EVAL_PENDING), rests={EVAL: NOW + 5}), policy())
    assert ids(decision.actions, Release) == [1]


def test_a_pending_task_yields_its_place_to_one_that_comes_ahead_of_it() -> None:
    busy = task(1, Status.STT_PROCESSING)
    seconds = task(2, Status.STT_PENDING, student="s1", claimed_at=2.0)
    first = task(3, claimed_at=3.0)
    decision = decide(view(STT, busy, seconds, first, batch=batch(1)), policy(size=2))
    assert ids(decision.actions, Release) == [2]
    assert ids(decision.actions, Admit) == [3]


# R1: a switch, a pause


@pytest.mark.parametrize(("field", "why"), [("switching", Why.SWITCHING), ("paused", Why.PAUSED)])
def test_during_a_switch_or_a_pause_nothing_starts_and_nothing_switches(field: str, why: Why) -> None:
    for group in (None, STT, EVAL):
        decision = decide(view(group, task(1), task(2, Status.STT_COMPLETE), **{field: True}), policy())
        assert (decision.actions, decision.why) == ((), why)


# R2: starts


def test_a_lone_upload_starts_at_once() -> None:
    assert decide(view(None, task(1)), policy()).actions == (Switch(STT),)
    one = task(1)
    assert decide(view(STT, one), policy()).actions == (Admit(one), Start(one))


def test_as_many_run_at_once_as_parallel_allows() -> None:
    tasks = [task(1, Status.EVAL_PROCESSING), *(task(n, Status.STT_COMPLETE) for n in range(2, 9))]
    assert started(view(EVAL, *tasks), policy(llm=4)) == [2, 3, 4]


def test_while_one_is_rated_the_next_is_extracted() -> None:
    tasks = [task(1, Status.MISTRAL_COMPLETE), task(2, Status.STT_COMPLETE), task(3, Status.STT_COMPLETE)]
    assert started(view(EVAL, *tasks), policy()) == [1, 2]


def test_only_the_loaded_groups_stage_is_worked_at() -> None:
    tasks = [task(1), task(2, Status.STT_COMPLETE), task(3, Status.MISTRAL_COMPLETE)]
    p = policy(APART)
    assert [started(view(group, *tasks), p) for group in APART] == [[1], [2], [3]]


def test_a_batch_takes_as_many_different_tasks_as_its_size() -> None:
    tasks = [task(n, Status.STT_COMPLETE) for n in range(1, 9)] + uploads(9, 10, 11, 12)
    decision = decide(view(STT, *tasks, batch=batch(*range(1, 9))), policy(stt=4))
    assert ids(decision.actions, Start) == [9, 10]
    assert ids(decision.actions, Admit) == [9, 10]


def test_who_is_tried_again_keeps_its_place_in_the_batch() -> None:
    again, other = task(10, retry_count=1), task(1)
    assert started(view(STT, again, other, batch=batch(*range(2, 12))), policy()) == [10]


def test_the_eval_phase_takes_the_tasks_of_every_batch() -> None:
    tasks = [task(n, Status.STT_COMPLETE, batch_id=n) for n in (1, 2, 3)]
    assert ids(decide(view(EVAL, *tasks, batch=None), policy()).actions, Admit) == [1, 2, 3]


def test_where_stt_shares_its_group_each_task_starts_when_it_can_and_there_are_no_batches() -> None:
    tasks = uploads(*range(1, 40))
    assert len(started(view(ALL, *tasks), policy(TOGETHER, stt=39))) == 39
    assert not policy(TOGETHER).has_batches(ALL)


def test_stt_that_shares_its_group_with_only_one_other_has_batches_so_that_the_third_gets_its_turn() -> None:
    p = policy((STT | EXTRACT, RATE))
    tasks = [task(1, Status.MISTRAL_COMPLETE), task(99)]
    decision = decide(view(STT | EXTRACT, *tasks, batch=batch(*range(1, 11))), p)
    assert decision.actions == (Switch(RATE),)


def test_a_task_that_ends_its_backoff_beside_running_ones_is_looked_at_in_time() -> None:
    tasks = [task(1, Status.EVAL_PROCESSING), task(2, Status.STT_COMPLETE, not_before=NOW + 5)]
    assert decide(view(EVAL, *tasks), policy(llm=2)).wake_at == NOW + 5
    new = task(3, Status.MISTRAL_COMPLETE)
    assert decide(view(EVAL, *tasks, new), policy(llm=2)).wake_at == NOW + 5


# R2: suspects


def test_a_suspect_comes_after_the_others_of_the_phase() -> None:
    suspect, fine = task(1, suspicion=1), task(2)
    assert started(view(STT, suspect, fine, batch=batch(1), fresh=True), policy(stt=2)) == [2]


def test_a_suspect_waits_until_nothing_else_runs() -> None:
    suspect, busy = task(1, suspicion=1), task(2, Status.STT_PROCESSING)
    assert started(view(STT, suspect, busy, batch=batch(1, 2), fresh=True), policy(stt=2)) == []


@pytest.mark.parametrize("group", [STT, EVAL])
def test_a_suspect_gets_a_fresh_engine_first(group: Group) -> None:
    suspect = task(1, Status.STT_PENDING if group == STT else Status.EVAL_PENDING, suspicion=1)
    used = decide(view(group, suspect), policy())
    assert (used.actions, used.why) == ((Switch(group, fresh=True),), Why.PROBATION)
    assert started(view(group, suspect, fresh=True), policy()) == [1]


def test_two_suspects_never_run_together() -> None:
    suspects = uploads(1, 2, suspicion=1)
    assert started(view(STT, *suspects, fresh=True), policy(stt=2)) == [1]


def test_nothing_starts_beside_a_suspect() -> None:
    tasks = [task(1, Status.STT_PROCESSING, suspicion=1), *uploads(2, 3)]
    decision = decide(view(STT, *tasks, batch=batch(1)), policy(stt=3))
    assert (ids(decision.actions, Start), decision.why) == ([], Why.WORKING)


def test_a_suspect_keeps_its_place_in_the_queue_for_the_next_batch() -> None:
    decision = decide(view(STT, task(1, suspicion=1), *uploads(*range(2, 30))), policy())
    assert ids(decision.actions, Admit) == list(range(1, 11))


def test_in_a_group_that_is_never_left_a_suspect_waits_only_for_what_was_claimed_before_it_became_one() -> (
    None
):
    suspect = task(1, suspicion=1, not_before=NOW - 10)
    before, after = task(2, claimed_at=NOW - 11), task(3, claimed_at=NOW - 9)
    again = task(4, Status.STT_COMPLETE, revision=2)
    p = policy(TOGETHER)
    assert started(view(ALL, suspect, before, after, again), p) == [2, 4]
    assert decide(view(ALL, suspect, after, again), p).why is Why.PROBATION
    assert started(view(ALL, suspect, after, again, fresh=True), p) == [1]


# R3: lingering


def lingering(**fields: Any) -> View:
    """One of ten was transcribed; the last claim is 4 s ago, and a switch takes 10."""
    done = task(1, Status.STT_COMPLETE, batch_id=1, claimed_at=NOW - 8)
    known = {"batch": batch(1), "last_claim_at": NOW - 4, "switch_s": 10.0}
    return view(STT, *fields.pop("tasks", [done]), **{**known, **fields})


def test_a_trickle_does_not_flip_the_gpu() -> None:
    decision = decide(lingering(), policy())
    assert (decision.actions, decision.why, decision.wake_at) == ((), Why.LINGERING, NOW + 6)


def test_lingering_ends_when_the_last_claim_is_as_old_as_a_switch() -> None:
    assert decide(lingering(last_claim_at=NOW - 10), policy()).actions == (Switch(EVAL),)


def test_lingering_ends_when_the_oldest_of_the_batch_has_waited_long_enough() -> None:
    oldest = [task(1, Status.STT_COMPLETE, batch_id=1, claimed_at=NOW - 29)]
    assert decide(lingering(tasks=oldest), policy()).wake_at == NOW + 1
    assert decide(lingering(tasks=oldest, now=NOW + 1), policy()).actions == (Switch(EVAL),)


@pytest.mark.parametrize("fields", [{"held": True}, {"not_before": NOW + 60}, {"batch_id": 99}])
def test_a_held_or_backing_off_or_foreign_task_does_not_end_the_lingering(fields: dict[str, Any]) -> None:
    old = task(2, **{"batch_id": 1, "claimed_at": NOW - 500, "status": Status.STT_COMPLETE, **fields})
    assert decide(lingering(tasks=[*lingering().tasks, old]), policy()).why is Why.LINGERING


def test_a_full_batch_does_not_linger() -> None:
    assert decide(lingering(), policy(size=1)).actions == (Switch(EVAL),)


def test_go_ends_the_lingering_for_what_was_claimed_before_it() -> None:
    assert decide(lingering(go_at=NOW - 4), policy()).actions == (Switch(EVAL),)
    assert decide(lingering(go_at=NOW - 5), policy()).why is Why.LINGERING


def test_draining_waits_for_nobody() -> None:
    assert decide(lingering(draining=True), policy()).actions == (Switch(EVAL),)


def test_only_a_batch_in_which_something_ran_lingers() -> None:
    assert decide(lingering(batch=batch()), policy()).actions == (Switch(EVAL),)


def test_the_eval_phase_does_not_linger() -> None:
    assert decide(in_phase(lingering(tasks=uploads(1)), group=EVAL), policy()).actions == (Switch(STT),)


def test_while_lingering_a_new_upload_starts_at_once() -> None:
    new = task(2, claimed_at=NOW)
    assert started(lingering(tasks=[*lingering().tasks, new]), policy()) == [2]


def test_while_lingering_a_backoff_that_ends_is_looked_at_in_time() -> None:
    back = task(2, not_before=NOW + 2)
    assert decide(lingering(tasks=[*lingering().tasks, back]), policy()).wake_at == NOW + 2


# R4: the next group


def test_no_switch_while_anything_runs() -> None:
    for group in (STT, None):  # None: the engine of another stage died
        decision = decide(view(group, task(1, Status.STT_PROCESSING), task(2, Status.STT_COMPLETE)), policy())
        assert (decision.actions, decision.why) == ((), Why.WORKING)


@pytest.mark.parametrize(("group", "then"), [(STT, EXTRACT), (EXTRACT, RATE), (RATE, STT), (None, STT)])
def test_the_groups_take_turns_in_the_order_of_the_residency(group: Group | None, then: Group) -> None:
    tasks = [task(1), task(2, Status.STT_COMPLETE), task(3, Status.MISTRAL_COMPLETE)]
    blocked = [t if group is None or t.stage not in group else replace(t, held=True) for t in tasks]
    assert decide(view(group, *blocked), policy(APART)).actions == (Switch(then),)


def test_a_group_without_work_is_skipped() -> None:
    assert decide(view(STT, task(1, Status.MISTRAL_COMPLETE)), policy(APART)).actions == (Switch(RATE),)


def test_after_an_engines_death_the_cycle_goes_on_where_it_was() -> None:
    tasks = [task(1), task(2, Status.STT_COMPLETE), task(3, Status.MISTRAL_COMPLETE)]
    dead = view(None, *tasks, last_group=EXTRACT)
    assert decide(dead, policy(APART)).actions == (Switch(EXTRACT),)
    assert decide(in_phase(dead, rests={EXTRACT: NOW + 5}), policy(APART)).actions == (Switch(RATE),)


def test_after_the_death_that_ended_a_full_batch_the_next_group_comes_first() -> None:
    dead = view(None, task(1), task(2, Status.STT_COMPLETE), last_group=STT, batch=batch(*range(11, 21)))
    assert decide(dead, policy()).actions == (Switch(EVAL),)
    assert decide(replace(dead, tasks=uploads(1)), policy()).actions == (Switch(STT),)


def test_while_its_engine_rests_a_group_has_no_work() -> None:
    tasks = [task(1), task(2, Status.STT_COMPLETE)]
    assert decide(view(None, *tasks, rests={STT: NOW + 5}), policy()).actions == (Switch(EVAL),)


def test_tasks_that_only_back_off_keep_the_group_loaded() -> None:
    decision = decide(view(EVAL, task(1, not_before=NOW + 7), task(2, not_before=NOW + 9)), policy())
    assert (decision.actions, decision.why, decision.wake_at) == ((), Why.BACKOFF, NOW + 7)


def test_a_resting_engine_is_waited_for() -> None:
    decision = decide(view(STT, task(1), rests={STT: NOW + 5}), policy())
    assert (decision.actions, decision.why, decision.wake_at) == ((), Why.BACKOFF, NOW + 5)


def test_a_full_batch_is_followed_by_the_next_where_no_other_group_has_work() -> None:
    full = view(STT, task(1), batch=batch(*range(2, 12)))
    assert decide(full, policy()).actions == (OpenBatch(),)
    assert started(in_phase(full, batch=Batch(2)), policy()) == [1]


def test_with_nothing_to_do_everything_is_stopped() -> None:
    for group in APART:
        assert decide(view(group), policy(APART)).actions == (Switch(None),)
    assert decide(view(None), policy(APART)).actions == ()


@pytest.mark.parametrize(
    "fields", [{"held": True}, {"cancel_requested": True}, {"held": True, "not_before": NOW + 5}]
)
def test_held_and_cancelled_tasks_count_for_nothing(fields: dict[str, Any]) -> None:
    tasks = [
        task(1, **fields),
        task(2, Status.STT_COMPLETE, **fields),
        task(3, Status.MISTRAL_COMPLETE, **fields),
    ]
    decision = decide(view(STT, *tasks), policy(APART))
    assert (decision.actions, decision.why) == ((Switch(None),), Why.IDLE)


def test_an_engine_left_alive_by_the_death_of_its_neighbour_is_stopped_too() -> None:
    assert decide(view(None, alive=RATE), policy()).actions == (Switch(None),)


def test_a_stop_that_failed_is_tried_again_later() -> None:
    decision = decide(view(EVAL, rests={NOTHING: NOW + 5}), policy())
    assert (decision.actions, decision.wake_at) == ((), NOW + 5)


def test_a_loaded_group_that_is_no_more_configured_is_only_left() -> None:
    tasks = [task(1, Status.STT_COMPLETE), task(2)]
    assert decide(view(EVAL, *tasks), policy(APART)).actions == (Switch(STT),)
    assert decide(view(EVAL), policy(APART)).actions == (Switch(None),)


# R5: the size of a batch


@pytest.mark.parametrize(
    ("parallel", "switches_s", "work_s", "size"),
    [
        (1, 0.0, 50.0, 10),  # switches that cost nothing
        (1, 60.0, 50.0, 12),
        (4, 60.0, 50.0, 12),
        (5, 60.0, 50.0, 15),
        (8, 0.0, 50.0, 16),
        (1, 9000.0, 50.0, 40),  # where no size is enough, the largest
        (3, 9000.0, 50.0, 39),
        (64, 0.0, 50.0, 40),
        (1, 60.0, 0.0, 40),
    ],
)
def test_the_automatic_size_keeps_switches_to_a_tenth(
    parallel: int, switches_s: float, work_s: float, size: int
) -> None:
    assert auto_batch_size(parallel, switches_s, work_s) == size


@pytest.mark.parametrize(
    ("taken", "waiting", "limit"),
    [(0, 10, 10), (0, 11, 11), (0, 15, 15), (0, 16, 10), (8, 7, 15), (8, 8, 10), (13, 3, 10)],
)
def test_a_remainder_of_up_to_half_a_batch_goes_along(taken: int, waiting: int, limit: int) -> None:
    assert batch_limit(policy(remainder=True), taken, waiting) == limit
    assert batch_limit(policy(remainder=False), taken, waiting) == 10


def test_what_goes_along_is_admitted() -> None:
    tasks = uploads(*range(1, 16))
    assert len(ids(decide(view(STT, *tasks), policy(remainder=True)).actions, Admit)) == 15
    assert len(ids(decide(view(STT, *tasks, task(16)), policy(remainder=True)).actions, Admit)) == 10


# R6: new ratings of old tasks


def old(*of: int, status: Status = Status.MISTRAL_COMPLETE) -> list[Task]:
    return [task(id, status, revision=2) for id in of]


def test_first_revisions_go_before_new_ratings_of_old_tasks() -> None:
    assert started(view(RATE, *old(1, 2), task(3, Status.MISTRAL_COMPLETE)), policy(APART)) == [3]


def test_what_is_transcribed_again_keeps_its_place() -> None:
    assert started(view(STT, *old(1, status=Status.UPLOADED), task(2)), policy()) == [1]


def test_at_most_ten_new_ratings_are_started_a_phase_while_stt_has_work() -> None:
    p = policy(llm=40)
    ten = list(range(1, 11))
    crowd = old(*range(1, 31))
    assert started(view(EVAL, *crowd, task(99)), p) == ten
    rest = view(EVAL, *crowd[10:], task(99), rerated=frozenset(ten))
    assert decide(rest, p).actions == (Switch(STT),)
    assert len(started(replace(rest, tasks=crowd[10:]), p)) == 20
    assert started(view(EVAL, *crowd[9:], task(99), rerated=frozenset(ten)), p) == [10]  # it is tried again


def test_a_group_with_nothing_but_surplus_ratings_is_not_loaded() -> None:
    tasks = [*old(*range(1, 31)), task(99)]
    assert decide(view(EXTRACT, *tasks, rerated=frozenset(range(50, 60))), policy(APART)).actions == (
        Switch(STT),
    )


def test_where_all_is_resident_new_ratings_are_not_limited() -> None:
    assert len(started(view(ALL, *old(*range(1, 31)), task(99)), policy(TOGETHER, llm=40))) == 31


# The order


def test_first_come_first_served() -> None:
    tasks = [
        task(1, claimed_at=3.0),
        task(2, claimed_at=1.0),
        task(3, claimed_at=2.0),
        task(4, claimed_at=1.0),
    ]
    assert [t.id for t in in_order(tasks)] == [2, 4, 3, 1]


def test_an_accounts_second_video_goes_before_no_others_first_whatever_students_it_names() -> None:
    flood = [task(n, account="mallory") for n in range(1, 26)]
    tasks = [*flood, task(26, account="bob"), task(27, account="zoe"), task(28, account="bob", student="s26")]
    assert [t.id for t in in_order(tasks)] == [1, 26, 27, *range(2, 26), 28]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.integers(1, 2)), max_size=12))
def test_where_one_account_owns_all_the_order_is_as_without_accounts(
    drawn: list[tuple[str, int, int]],
) -> None:
    tasks = [
        task(n, student=student, claimed_at=float(at), revision=revision, status=Status.STT_COMPLETE)
        for n, (student, at, revision) in enumerate(drawn, 1)
    ]
    owned = [replace(t, account="nobody") for t in tasks]
    assert [t.id for t in in_order(owned)] == [t.id for t in in_order(tasks)]


def test_a_task_of_no_account_waits_for_none_of_its_like() -> None:
    tasks = [task(1), task(2), task(3, account="a"), task(4)]
    assert [t.id for t in in_order(tasks)] == [1, 2, 3, 4]


def test_nobodys_second_video_goes_before_anothers_first() -> None:
    tasks = [task(1, student="a"), task(2, student="a"), task(3, student="a"), task(4, student="b")]
    assert [t.id for t in in_order(tasks)] == [1, 4, 2, 3]


@pytest.mark.parametrize(
    "first",
    [
        task(1, Status.STT_PROCESSING, student="a"),
        task(1, Status.STT_COMPLETE, student="a"),
        task(1, student="a", not_before=NOW + 60),
    ],
    ids=["running", "at another stage", "backing off"],
)
def test_a_first_video_that_is_open_anywhere_holds_back_the_second(first: Task) -> None:
    second, other = task(2, student="a"), task(3, student="b")
    assert started(view(STT, first, second, other, batch=batch(1)), policy(stt=2))[0] == 3


def test_a_held_first_video_does_not_hold_back_the_second() -> None:
    first, second, other = task(1, student="a", held=True), task(2, student="a"), task(3, student="b")
    assert started(view(STT, first, second, other), policy()) == [2]


def test_a_first_video_that_ended_does_not_hold_back_the_second() -> None:
    assert started(view(STT, task(2, student="a"), task(3, student="b")), policy()) == [2]


# No decision asks for what was done already


@pytest.mark.parametrize("residency", [APART, PAIRED, TOGETHER])
def test_a_decision_that_was_carried_out_is_followed_by_none(residency: tuple[Group, ...]) -> None:
    p = policy(residency)
    waiting = [*uploads(*range(1, 20)), *(task(n, Status.STT_COMPLETE) for n in range(20, 30))]
    waiting += [task(n, Status.MISTRAL_COMPLETE) for n in range(30, 40)]
    for group in residency:
        now = view(group, *waiting)
        decision = decide(now, p)
        going, admitted = ids(decision.actions, Start), ids(decision.actions, Admit)
        after = []
        for t in waiting:
            status = PENDING_OF[t.status] if t.id in admitted else t.status
            after.append(replace(t, status=RUNNING_AT[t.stage] if t.id in going else status))
        taken = frozenset(id for id in going if Stage.STT in group)
        assert decide(in_phase(replace(now, tasks=after), batch=Batch(1, taken)), p).actions == ()


@pytest.mark.parametrize("residency", [PAIRED, APART])
def test_a_clock_that_was_set_back_by_a_day_keeps_nobody_waiting(residency: tuple[Group, ...]) -> None:
    day = NOW + 86_400.0
    waiting = task(1, not_before=day + 5.0, claimed_at=day)
    assert started(view(STT, waiting, batch=batch()), policy(residency)) == [1]
    assert started(view(STT, task(1), rests={STT: day + 5.0}, batch=batch()), policy(residency)) == [1]
    transcribed = task(2, Status.STT_COMPLETE, claimed_at=day, batch_id=1)
    leaving = view(STT, transcribed, batch=batch(2), last_claim_at=day, switch_s=10.0)
    assert decide(leaving, policy(residency)).why is Why.NEXT_GROUP
    assert decide(view(STT, rests={NOTHING: day}), policy(residency)).actions == (Switch(None),)


def test_a_backoff_is_kept_to_its_end() -> None:
    assert started(view(STT, task(1, not_before=NOW + 60.0), batch=batch()), policy()) == []
