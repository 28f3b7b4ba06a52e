"""The phase state: what the daemon and the simulation remember of batches, switches and engines."""

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.errors import Blame, Fault
from daemon.core.schedule.decision import Decision, View
from daemon.core.schedule.phase_state import (
    NOTHING,
    AttemptStarted,
    Batch,
    BatchClosed,
    BatchOpened,
    EngineFailed,
    EngineWorked,
    Group,
    Observed,
    PhaseEvent,
    PhaseState,
    RestsLifted,
    SwitchBegun,
    SwitchEnded,
    SwitchPriced,
    after,
)
from daemon.core.schedule.simulation import simulate
from daemon.core.schedule.timetable import Attempt, SwitchResult
from daemon.core.tasks.task import Phase, Stage, Status, Task
from tests.unit.scheduling import APART, EVAL, EXTRACT, RATE, STT, policy, task, view_of

DEATH = Fault(Blame.ENGINE, "died", "the engine died", died=True)
SICK = Fault(Blame.ENGINE, "server_error", "the server answers 500")
GROUPS = (STT, EXTRACT, RATE, EVAL)


def state(*events: PhaseEvent) -> PhaseState:
    return reduce(after, events, PhaseState())


def loaded(group: Group, at: float = 0.0) -> list[PhaseEvent]:
    return [SwitchBegun(group, at), SwitchEnded(group, at, 1.0), Observed(group, group)]


# Switches


def test_a_group_that_was_loaded_is_fresh_until_an_attempt_is_started_on_it() -> None:
    assert state(*loaded(STT)).fresh
    assert not state(*loaded(STT), AttemptStarted(1, Stage.STT)).fresh


def test_a_switch_to_another_group_ends_the_batch_and_the_phase() -> None:
    worked = [*loaded(STT), BatchOpened(7), AttemptStarted(1, Stage.STT)]
    left = state(*worked, SwitchBegun(RATE, 5.0))
    assert (left.batch, left.started, left.since) == (None, frozenset(), None)
    assert (left.last_group, left.switching, left.phase) == (RATE, True, Phase.EVAL)


def test_a_restart_of_the_loaded_group_goes_on_with_its_batch() -> None:
    worked = [*loaded(STT), BatchOpened(7), AttemptStarted(1, Stage.STT)]
    again = state(*worked, SwitchBegun(STT, 5.0), SwitchEnded(STT, 6.0, 1.0))
    assert again.batch == Batch(7, frozenset({1}))
    assert (again.fresh, again.switching, again.since) == (True, False, 6.0)


def test_a_restart_of_the_loaded_stt_group_forgets_no_new_rating() -> None:
    both = STT | RATE
    worked = [*loaded(both), AttemptStarted(1, Stage.RATE, revision=2)]
    assert state(*worked, SwitchBegun(both, 5.0), SwitchEnded(both, 6.0, 1.0)).rerated == {1}
    assert state(*worked, SwitchBegun(EXTRACT, 5.0), SwitchBegun(both, 9.0)).rerated == frozenset()


def test_in_the_simulation_too_a_restart_of_the_loaded_stt_group_forgets_no_new_rating() -> None:
    seen = []

    def watch(view: View, decision: Decision) -> None:
        seen.append(view.phase)

    both = STT | RATE
    new_rating = task(1, Status.MISTRAL_COMPLETE, revision=2)
    suspect = task(2, Status.MISTRAL_COMPLETE, suspicion=1, not_before=0.0)
    simulate(
        view_of(10.0, (new_rating, suspect), both, last_group=both, fresh=True),
        policy((both, EXTRACT)),
        tries=lambda task: Attempt(5.0),
        loads=lambda leaving, entering: SwitchResult(1.0),
        watch=watch,
    )
    restarted = [phase for phase in seen if phase.since is not None and phase.fresh]
    assert restarted, "the suspect needs a fresh engine"
    assert all(phase.rerated == {1} for phase in restarted)


def test_what_one_switch_costs_is_the_first_measured_until_it_is_known_better() -> None:
    assert state(*loaded(STT), SwitchBegun(RATE, 2.0), SwitchEnded(RATE, 9.0, 7.0)).switch_s == 1.0
    assert state(*loaded(STT), SwitchPriced(4.0)).switch_s == 4.0
    assert state(SwitchBegun(None, 0.0), SwitchEnded(None, 3.0, 3.0)).switch_s == 0.0


# Engines that fail


@pytest.mark.parametrize(("deaths", "rest_s"), [(0, 5.0), (1, 10.0), (2, 20.0)])
def test_deaths_before_an_engines_fault_lengthen_its_rest(deaths: int, rest_s: float) -> None:
    died = [EngineFailed(RATE, 1.0, died=True)] * deaths
    assert state(*died).rests == {}
    assert state(*died, EngineFailed(RATE, 100.0)).rests == {RATE: 100.0 + rest_s}


def test_in_the_simulation_too_deaths_before_an_engines_fault_lengthen_its_rest() -> None:
    faults = {1: DEATH, 2: DEATH, 3: SICK}
    rests: list[float] = []

    def tries(a_task: Task) -> Attempt:
        return Attempt(1.0, faults.pop(a_task.id, None))

    def watch(view: View, decision: Decision) -> None:
        rests.extend(until - view.now for until in view.phase.rests.values())

    simulate(
        view_of(0.0, [task(n, Status.MISTRAL_COMPLETE) for n in (1, 2, 3)], RATE),
        policy(APART),
        tries=tries,
        loads=lambda leaving, entering: SwitchResult(0.0),
        watch=watch,
    )
    assert max(rests) == 20.0


def test_an_outcome_lifts_the_rest_of_its_group_and_forgets_its_failures() -> None:
    worked = state(EngineFailed(RATE, 1.0), EngineFailed(EXTRACT, 1.0), EngineWorked(RATE))
    assert (worked.rests, worked.failures) == ({EXTRACT: 6.0}, {EXTRACT: 1})


def test_in_the_simulation_too_an_outcome_lifts_the_rest_of_its_group() -> None:
    """Two run at once; the engine fails one, and answers the other before the rest is over."""
    started = []

    def tries(a_task: Task) -> Attempt:
        started.append(a_task.id)
        return Attempt(3.0, SICK) if a_task.id == 1 and not a_task.suspicion else Attempt(5.0)

    timetable = simulate(
        view_of(0.0, [task(n, Status.MISTRAL_COMPLETE) for n in (1, 2, 3)], RATE, fresh=True),
        policy(APART, llm=2),
        tries=tries,
        loads=lambda leaving, entering: SwitchResult(0.0),
    )
    assert started[:3] == [1, 2, 3]
    assert timetable.ended[3] == 10.0, "it began when the second was done, and not after the rest"


def test_a_failed_switch_rests_its_group_and_stopping_everything_rests_as_well() -> None:
    failed = state(SwitchBegun(RATE, 0.0), SwitchEnded(RATE, 2.0, 2.0, failed=True))
    assert (failed.rests, failed.fresh, failed.switching) == ({RATE: 7.0}, False, False)
    assert state(SwitchBegun(None, 0.0), SwitchEnded(None, 2.0, 2.0, failed=True)).rests == {NOTHING: 7.0}


def test_lifted_rests_keep_the_count_of_failures() -> None:
    lifted = state(EngineFailed(RATE, 1.0), RestsLifted(), EngineFailed(RATE, 50.0))
    assert lifted.rests == {RATE: 60.0}


# How far it is


@pytest.mark.parametrize(
    "ill",
    [
        pytest.param([Observed(None)], id="dead"),
        pytest.param([Observed(None), SwitchBegun(EVAL, 9.0)], id="started anew"),
        pytest.param(
            [Observed(None), SwitchBegun(EVAL, 9.0), SwitchEnded(EVAL, 9.0, 1.0, failed=True)], id="resting"
        ),
    ],
)
def test_while_an_engine_is_dead_or_rests_its_phase_and_what_is_left_of_it_are_told(
    ill: list[PhaseEvent],
) -> None:
    tasks = [task(n, Status.MISTRAL_COMPLETE) for n in (4, 5, 6)]
    begun = [AttemptStarted(n, Stage.EXTRACT) for n in range(1, 7)]
    phase = state(*loaded(EVAL), *begun, *ill)
    extent = phase.extent(tasks)
    assert (phase.phase, extent.done, extent.total) == (Phase.EVAL, 3, 6)


def test_after_the_first_pass_of_eval_nothing_of_it_is_done() -> None:
    begun = [AttemptStarted(n, Stage.EXTRACT) for n in (1, 2)]
    phase = state(*loaded(frozenset({Stage.EXTRACT})), *begun)
    extent = phase.extent([task(1, Status.MISTRAL_COMPLETE), task(2, Status.MISTRAL_COMPLETE)])
    assert (extent.phase, extent.done, extent.total) == (Phase.EVAL, 0, 2)


def test_of_a_batch_is_done_what_is_past_stt() -> None:
    phase = state(*loaded(STT), BatchOpened(7), AttemptStarted(1, Stage.STT), AttemptStarted(2, Stage.STT))
    tasks = [
        task(1, Status.STT_COMPLETE, batch_id=7),
        task(2, Status.STT_PROCESSING, batch_id=7),
        task(3, Status.STT_PENDING, batch_id=7),
        task(4, Status.UPLOADED),
    ]
    extent = phase.extent(tasks)
    assert (extent.batch_id, extent.done, extent.total) == (7, 1, 3)


stages = st.sampled_from(Stage)
groups = st.sampled_from(GROUPS)
times = st.floats(0.0, 1e6)
events = st.one_of(
    st.builds(Observed, st.none() | groups, st.frozensets(stages)),
    st.builds(BatchOpened, st.integers(1, 9)),
    st.builds(BatchClosed),
    st.builds(AttemptStarted, st.integers(1, 9), stages, st.integers(1, 2)),
    st.builds(SwitchBegun, st.none() | groups, times),
    st.builds(SwitchEnded, st.none() | groups, times, times, st.booleans()),
    st.builds(EngineWorked, groups),
    st.builds(EngineFailed, groups, times, st.booleans()),
    st.builds(RestsLifted),
)


@given(st.lists(events, max_size=30), st.lists(st.integers(1, 9), unique=True))
def test_whatever_happens_the_figures_hold_together(happened: list[PhaseEvent], left: list[int]) -> None:
    phase = state(*happened)
    extent = phase.extent([task(n, Status.MISTRAL_COMPLETE) for n in left])
    assert 0 <= extent.done <= extent.total
    assert set(phase.rests) <= set(phase.failures), "what rests has failed"
    assert not (phase.fresh and isinstance(happened[-1], AttemptStarted))
