"""The time of a replayed day: it runs at its speed through what was recorded, and can be moved."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from introeval_tui.link.tape import SPEEDS, Tape

MORNING, NOON = (100.0, 200.0), (500.0, 560.0)


@dataclass
class Hand:
    at: float = 7.0

    def __call__(self) -> float:
        return self.at


def wound(speed: float = 1.0) -> tuple[Tape, Hand]:
    hand = Hand()
    return Tape([MORNING, NOON], speed, hand), hand


def test_it_runs_at_its_speed_and_passes_over_what_was_not_recorded() -> None:
    tape, hand = wound(speed=60.0)
    seen = []
    for _ in range(4):
        seen.append(tape.now())
        hand.at += 1.0
    assert seen == [100.0, 160.0, 520.0, 560.0]
    assert tape.paused, "it stands at the end"


def test_a_pause_holds_the_time_and_a_change_of_speed_does_not_move_it() -> None:
    tape, hand = wound()
    hand.at += 10.0
    tape.pause()
    hand.at += 50.0
    assert tape.now() == 110.0
    tape.faster(1)
    assert (tape.now(), tape.speed, tape.paused) == (110.0, 2.0, True)
    tape.pause()
    hand.at += 5.0
    assert tape.now() == 120.0
    for _ in SPEEDS:
        tape.faster(-1)
    assert (tape.speed, tape.now()) == (SPEEDS[0], 120.0)
    for _ in SPEEDS:
        tape.faster(1)
    assert tape.speed == SPEEDS[-1]


def test_a_jump_stops_at_the_edge_of_what_was_recorded_and_the_next_goes_over_it() -> None:
    tape, _ = wound()
    tape.pause()
    there = []
    for seconds in (60.0, 60.0, 60.0, 60.0, 60.0, -60.0, -60.0, -60.0, -60.0, -60.0):
        tape.jump(seconds)
        there.append(tape.now())
    assert there == [160.0, 200.0, 500.0, 560.0, 560.0, 500.0, 200.0, 140.0, 100.0, 100.0]
    tape.ends(last=True)
    assert tape.now() == 560.0
    tape.ends(last=False)
    assert tape.now() == 100.0


@given(st.floats(0.0, 1000.0))
def test_it_goes_to_the_nearest_recorded_time(at: float) -> None:
    tape, _ = wound()
    tape.pause()
    tape.seek(at)
    every = [min(max(at, begin), end) for begin, end in (MORNING, NOON)]
    assert abs(tape.now() - at) == min(abs(one - at) for one in every)
