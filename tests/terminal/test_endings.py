"""However the dashboard ends, the terminal is as it was before and no process is left."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.support.waiting import wait_until
from tests.terminal.desk import Desk, Played
from tests.terminal.tmux import nothing_left_behind

pytestmark = pytest.mark.terminal

_BREAKS = """
from introeval_tui.screens.board import Board

def _break(self):
    raise RuntimeError("broken for the test")

Board.action_sort = _break
"""


@pytest.mark.parametrize("key", ["q", "C-c"])
def test_quitting_restores_the_terminal(desk: Desk, daemon: Played, key: str) -> None:
    daemon.reset()
    terminal = desk.open()
    terminal.sees("live", "0005")
    assert terminal.modes.alternate
    assert terminal.modes.mouse
    assert not terminal.modes.cursor
    terminal.type(key)
    assert terminal.ended() == 0
    nothing_left_behind(str(desk.folder))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_restores_the_terminal_and_is_told_by_the_exit_code(
    desk: Desk, daemon: Played, number: signal.Signals
) -> None:
    daemon.reset()
    terminal = desk.open()
    terminal.sees("live", "0005")
    terminal.program().send_signal(number)
    assert terminal.ended() == 128 + number
    nothing_left_behind(str(desk.folder))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_at_the_first_paint_restores_the_terminal_too(
    desk: Desk, daemon: Played, number: signal.Signals
) -> None:
    daemon.reset()
    terminal = desk.open()
    dashboard = terminal.program()
    wait_until(lambda: terminal.modes.alternate, lambda: terminal.text)
    dashboard.send_signal(number)
    assert terminal.ended() == 128 + number


def test_ctrl_c_at_the_shell_of_a_dashboard_with_an_open_question_ends_it(desk: Desk, daemon: Played) -> None:
    daemon.reset()
    terminal = desk.open()
    terminal.sees("live", "0005")
    terminal.type("x")
    terminal.sees("Cancel 0005", "No (n)")
    terminal.type("C-c")
    assert terminal.ended() == 0
    assert not daemon.fake.asked("POST")


def test_an_exception_restores_the_terminal_and_is_told(desk: Desk, daemon: Played, tmp_path: Path) -> None:
    daemon.reset()
    (tmp_path / "sitecustomize.py").write_text(_BREAKS)
    terminal = desk.open(PYTHONPATH=str(tmp_path))
    terminal.sees("live", "0005")
    terminal.type("s")
    terminal.sees("broken for the test")
    terminal.resize(80, 200)  # a traceback is long
    assert terminal.ended() == 1
    nothing_left_behind(str(desk.folder))


def test_a_closed_terminal_leaves_no_process(desk: Desk, daemon: Played) -> None:
    daemon.reset()
    terminal = desk.open()
    terminal.sees("live", "0005")
    desk.close()
    nothing_left_behind(str(desk.folder))


def test_a_daemon_that_takes_requests_and_never_answers_does_not_delay_the_end(
    desk: Desk, daemon: Played
) -> None:
    daemon.reset().silent = True
    terminal = desk.open()
    wait_until(lambda: daemon.fake.asked("GET /status"), lambda: terminal.text)
    terminal.type("q")
    wait_until(lambda: "ended with 0" in terminal.text, lambda: terminal.text, 5.0)
    daemon.reset()


def test_a_dashboard_that_is_stopped_and_goes_on_draws_itself_anew(desk: Desk, daemon: Played) -> None:
    daemon.reset()
    terminal = desk.open()
    terminal.sees("live", "0005")
    dashboard = terminal.program()
    dashboard.suspend()
    wait_until(lambda: dashboard.status() == psutil.STATUS_STOPPED, dashboard.status)
    os.kill(dashboard.pid, signal.SIGCONT)
    daemon.fake.change(5, student="renamed")
    terminal.sees("live", "renamed")
