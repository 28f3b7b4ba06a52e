"""`make run` in a terminal opens the dashboard on a daemon of its own; quitting asks what becomes of that."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.checkout import MODELS
from tests.support.waiting import wait_until
from tests.terminal.desk import Desk
from tests.terminal.tmux import INTROEVAL, REPOSITORY, Terminal, environment, plain

pytestmark = pytest.mark.terminal

_COMMAND = [*INTROEVAL, "run", "--once", "--dashboard"]
_QUESTION = "Leave the daemon running?"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Path]:
    """A lab with nothing in its inbox, whose daemon ends with the test."""
    (tmp_path / "introeval.toml").write_text('[paths]\nsocket = "s"\n')
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "models").symlink_to(os.environ.get("INTROEVAL_TEST_MODELS", MODELS))
    yield tmp_path
    process = _daemon(tmp_path)
    if process is not None:
        process.terminate()
        process.wait(60)


def _daemon(lab: Path) -> psutil.Process | None:
    """The daemon of a lab, if it lives."""
    for process in psutil.process_iter(["cmdline", "cwd"]):
        line = process.info["cmdline"] or []
        if process.info["cwd"] == str(lab) and line[-1:] == ["run"]:
            return process
    return None


def _runs(lab: Path) -> psutil.Process:
    process = _daemon(lab)
    assert process is not None
    return process


def _gone(lab: Path) -> None:
    wait_until(lambda: _daemon(lab) is None, lambda: "the end of the daemon")


def _open(desk: Desk, lab: Path, **variables: str) -> Terminal:
    return desk.terminal(f"cd {lab} && " + plain(_COMMAND, environment(lab, **variables)))


def test_make_run_says_the_command_that_is_tested_here() -> None:
    apart = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    shown = subprocess.run(
        ["make", "-n", "--no-print-directory", "run"],
        cwd=REPOSITORY,
        env=apart,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.strip().endswith("introeval run --once --dashboard")


@pytest.mark.parametrize("answer", ["n", "C-c"])
def test_quitting_and_not_wanting_it_stops_the_daemon(lab: Path, desk: Desk, answer: str) -> None:
    terminal = _open(desk, lab)
    terminal.sees("● live", "IDLE", "Tasks 0")
    assert _runs(lab).ppid() == terminal.program("--dashboard").pid
    terminal.type("q")
    terminal.sees(_QUESTION)
    assert _runs(lab)
    terminal.type(*([answer] if answer == "C-c" else [answer, "Enter"]))
    terminal.sees("ended with")
    assert "Stopping the daemon" in terminal.joined
    assert terminal.ended() == 0
    _gone(lab)


def test_a_daemon_that_may_stay_stays_and_is_found_again(lab: Path, desk: Desk) -> None:
    terminal = _open(desk, lab)
    terminal.sees("● live", "IDLE")
    first = _runs(lab)
    terminal.type("q")
    terminal.sees(_QUESTION)
    terminal.type("y", "Enter")
    assert terminal.ended() == 0
    said = terminal.joined
    assert "The daemon keeps running" in said
    assert "introeval stop" in " ".join(said.split())

    again = _open(desk, lab)
    again.sees("● live", "IDLE")
    again.type("q")
    assert again.ended() == 0  # it is not this one's daemon: nothing is asked
    assert _QUESTION not in again.text
    assert _runs(lab).pid == first.pid


def test_a_closed_terminal_and_a_signal_leave_the_daemon_at_work(lab: Path, desk: Desk) -> None:
    terminal = _open(desk, lab)
    terminal.sees("● live", "IDLE")
    daemon = _runs(lab)
    terminal.program("--dashboard").terminate()
    assert terminal.ended() == 143
    again = _open(desk, lab)
    again.sees("● live", "IDLE")
    shown = again.program("--dashboard")
    desk.close()
    shown.wait(30)
    assert _runs(lab).pid == daemon.pid
    assert daemon.is_running()


def test_a_daemon_that_cannot_start_says_why_in_one_line(lab: Path, desk: Desk) -> None:
    (lab / "var" / "models").unlink()
    terminal = _open(desk, lab)
    terminal.sees("the daemon did not start: model")
    seen = terminal.joined
    assert terminal.ended() not in (0, 1)
    assert "introeval models pull" in seen
    assert "Traceback" not in seen
    _gone(lab)


def test_without_a_terminal_or_in_ci_it_works_the_inbox_off_as_ever(lab: Path, desk: Desk) -> None:
    done = subprocess.run(
        _COMMAND, cwd=lab, capture_output=True, text=True, env=environment(lab), timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    terminal = _open(desk, lab, CI="true")
    assert terminal.ended() == 0
    _gone(lab)
