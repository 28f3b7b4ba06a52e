"""Witnessed time: no sequence of wrong clocks makes it longer, and with honest ones nothing is forgotten."""

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.core.keeping.witness import PROOF_S, STEP_S, Reading, Witness, complaint, look

HOUR, DAY = 3600.0, 86_400.0
SLACK = 1e-3


@dataclass
class Machine:
    """A machine with a clock that can be set, and a daemon on it that looks at least every ten minutes."""

    now: float = 1_700_000_000.0
    wrong_by: float = 0.0
    boot: int = 0
    booted_at: float = 1_700_000_000.0 - HOUR
    ran: float = 0.0
    seen: Witness | None = None
    jumps: list[tuple[float, float]] = field(default_factory=list)

    def look(self) -> Witness:
        before = self.seen
        reading = Reading(self.now + self.wrong_by, f"boot {self.boot}", self.now - self.booted_at)
        self.seen = seen = look(before, reading)
        assert before is None or seen.witnessed >= before.witnessed, "the count never goes back"
        assert min(seen.doubted, seen.fresh, seen.behind, seen.credit, seen.proof) >= 0
        return seen

    def run(self, seconds: float) -> Witness:
        for _ in range(math.ceil(seconds / 600)):
            self.now += min(600.0, seconds)
            self.look()
        self.ran += math.ceil(seconds / 600) * min(600.0, seconds)
        return self.look()

    def off(self, seconds: float, then_wrong_by: float = 0.0) -> Witness:
        """Switched off for a while, and on again a minute ago; the daemon starts."""
        claimed = seconds + then_wrong_by - self.wrong_by
        self.now += seconds
        self.boot, self.booted_at = self.boot + 1, self.now - min(60.0, seconds)
        self.wrong_by = then_wrong_by
        self.jumps.append((self.ran, max(0.0, claimed)))
        return self.look()

    def set_clock(self, wrong_by: float) -> Witness:
        self.wrong_by = wrong_by
        return self.look()


def started() -> Machine:
    machine = Machine()
    machine.look()
    return machine


OFFSETS = st.floats(-400 * DAY, 400 * DAY)
RUNS = st.tuples(st.just("run"), st.floats(60.0, 3 * DAY), st.just(0.0))
OFF = st.tuples(st.just("off"), st.floats(1.0, 100 * DAY), OFFSETS)
HONEST_OFF = st.tuples(st.just("off"), st.floats(1.0, 100 * DAY), st.just(0.0))
SETS = st.tuples(st.just("set"), st.just(0.0), OFFSETS)
Steps = list[tuple[str, float, float]]


def do(machine: Machine, steps: Steps) -> None:
    for what, seconds, wrong_by in steps:
        if what == "run":
            machine.run(seconds)
        elif what == "off":
            machine.off(seconds, wrong_by)
        else:
            machine.set_clock(wrong_by)


@settings(deadline=None)
@given(st.lists(st.one_of(RUNS, OFF, SETS), max_size=12))
def test_no_sequence_of_wrong_clocks_counts_what_was_not_seen_and_not_proved(steps: Steps) -> None:
    machine = started()
    do(machine, steps)
    assert machine.seen
    claimed_long_ago = sum(claimed for ran, claimed in machine.jumps if machine.ran - ran >= PROOF_S - 120)
    starts_s = 60.0 * len(machine.jumps)  # of each boot, the minute before the daemon began to look
    credit = STEP_S * (1 + (machine.ran + starts_s) // PROOF_S)
    assert machine.seen.witnessed <= machine.ran + starts_s + credit + claimed_long_ago + SLACK


@settings(deadline=None)
@given(st.lists(st.one_of(OFF, SETS), max_size=20))
def test_without_a_day_of_running_no_number_of_jumps_counts_more_than_a_day(steps: Steps) -> None:
    machine = started()
    do(machine, steps)
    assert machine.seen
    assert machine.seen.witnessed <= STEP_S + 60.0 * len(steps) + SLACK


@settings(deadline=None)
@given(st.lists(st.one_of(RUNS, HONEST_OFF), max_size=12))
def test_with_an_honest_clock_all_time_counts_after_48_hours_of_running(steps: Steps) -> None:
    machine = started()
    begun = machine.now
    do(machine, steps)
    seen = machine.run(2 * PROOF_S + 2 * HOUR)
    waiting = seen.doubted + seen.fresh
    assert waiting <= SLACK
    assert abs(seen.witnessed - (machine.now - begun)) <= 1.0
    assert complaint(seen) is None


def test_a_start_with_a_clock_a_month_ahead_counts_a_day_and_says_so() -> None:
    machine = started()
    machine.run(HOUR)
    seen = machine.off(60.0, then_wrong_by=31 * DAY)
    assert seen.witnessed <= HOUR + DAY + 60
    told = complaint(seen)
    assert told
    assert "30 days" in str(told)
    assert "47 more hours" in str(told)
    seen = machine.run(20 * HOUR)
    assert seen.witnessed <= 22 * HOUR + DAY
    seen = machine.set_clock(0.0)
    assert complaint(seen) is None
    assert machine.run(5 * DAY).witnessed <= 7 * DAY, "what was a mistake never counts"


def test_a_summer_off_counts_after_two_days_at_the_latest() -> None:
    machine = started()
    seen = machine.off(60 * DAY)
    assert seen.witnessed < 2 * DAY
    assert complaint(seen)
    assert machine.run(49 * HOUR).witnessed > 61 * DAY


def test_a_clock_that_is_set_while_the_machine_runs_counts_nothing() -> None:
    machine = started()
    seen = machine.set_clock(31 * DAY)
    told = complaint(seen)
    assert told
    assert "set ahead by 31 days" in str(told)
    assert machine.run(3 * DAY).witnessed <= 3 * DAY + SLACK
    assert complaint(machine.look()) is None


def test_a_battery_that_is_empty_takes_and_gives_nothing() -> None:
    machine = started()
    machine.run(DAY)
    machine.off(HOUR, then_wrong_by=-4000 * DAY)
    machine.run(2 * DAY)
    seen = machine.set_clock(0.0)
    assert seen.witnessed <= 3 * DAY + HOUR + 60
    machine.off(HOUR, then_wrong_by=-4000 * DAY)
    seen = machine.off(HOUR)
    assert machine.run(4 * DAY).witnessed <= 8 * DAY
    assert seen.behind == 0


@pytest.mark.parametrize("ids", [[""] * 9, [str(n) for n in range(9)]], ids=["none", "new at each look"])
def test_without_a_boots_id_the_wall_clock_alone_counts_no_more_than_a_day(ids: list[str]) -> None:
    seen = None
    for number, boot in enumerate(ids):
        seen = look(seen, Reading(1000.0 + number * 31 * DAY, boot, 90 * DAY + number * 60))
    assert seen
    assert seen.witnessed <= STEP_S + 600
