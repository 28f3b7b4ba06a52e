"""What systemd is told, as values: messages, addresses, and the judgement whether the main loop gets on."""

import pytest

from daemon.system.systemd import ProgressWatch, Pulse, address, message, watchdog_s


def test_a_message_is_one_assignment_a_line() -> None:
    assert message({"READY": "1", "STATUS": "stt: working"}) == b"READY=1\nSTATUS=stt: working"


def test_a_line_break_in_a_value_makes_no_further_assignment() -> None:
    assert message({"STATUS": "one\nMAINPID=1\r\ntwo"}) == b"STATUS=one MAINPID=1 two"


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("/run/systemd/notify", "/run/systemd/notify"),
        ("@/org/notify", "\0/org/notify"),
        ("", None),
        ("@", None),
        ("relative", None),
        ("vsock:2:1234", None),
    ],
)
def test_the_socket_is_a_path_or_abstract(named: str, expected: str | None) -> None:
    assert address(named) == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "1500000"}, 1.5),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),  # it is a parent's, handed down
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_when_it_is_meant_for_this_process(
    environ: dict[str, str], expected: float | None
) -> None:
    assert watchdog_s(environ, 7) == expected


def test_a_loop_that_rests_lives_for_ever() -> None:
    watch = ProgressWatch(stuck_s=10)
    assert all(watch.lives(Pulse(5, resting=True), now) for now in range(0, 1000, 5))


def test_a_loop_that_steps_lives_and_one_that_stands_does_not() -> None:
    watch = ProgressWatch(stuck_s=10)
    assert all(watch.lives(Pulse(now, resting=False), now) for now in range(0, 1000, 9))
    assert watch.lives(Pulse(999, resting=False), 1000)
    assert not watch.lives(Pulse(999, resting=False), 1010)
    assert watch.lives(Pulse(1000, resting=False), 1020)


def test_a_long_rest_is_not_held_against_the_step_after_it() -> None:
    watch = ProgressWatch(stuck_s=10)
    watch.lives(Pulse(1, resting=True), 0)
    assert watch.lives(Pulse(2, resting=False), 500)
