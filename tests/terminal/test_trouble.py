"""Whatever becomes of the daemon, an open dashboard says so, stays, and recovers. And the reverse."""

import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.waiting import wait_until
from tests.terminal.desk import Desk, Played, RealDaemon
from tests.terminal.tmux import Terminal
from tests.tui.fake_daemon import a_status

pytestmark = pytest.mark.terminal


@pytest.fixture(scope="module")
def real(folder: Path) -> Iterator[RealDaemon]:
    """The real daemon on scripted engines."""
    home = folder / "real"
    home.mkdir()
    daemon = RealDaemon(home, seconds=0.5)
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.stop()


def _same(terminal: Terminal, dashboard: psutil.Process) -> None:
    """Assert that it is still the same process that draws."""
    assert dashboard.is_running()
    assert terminal.modes.alternate


def test_a_daemon_that_dies_and_comes_back_is_shown_as_it_is(desk: Desk, daemon: Played) -> None:
    daemon.reset()
    terminal = desk.open()
    terminal.sees("live", "switch in", "0005")
    dashboard = terminal.program()
    daemon.do(daemon.fake.kill())
    seen = terminal.sees("daemon offline", "next in", "as of ", "0005")
    assert "live" not in seen.splitlines()[0]
    terminal.type("x")
    terminal.sees("nothing can be changed now")
    daemon.do(daemon.fake.restart())
    terminal.sees("● live", "0005")
    _same(terminal, dashboard)


def test_a_key_tries_again_at_once(desk: Desk, daemon: Played) -> None:
    daemon.reset()
    terminal = desk.open()
    terminal.sees("live", "0005")
    daemon.do(daemon.fake.kill())
    wait_until(
        lambda: re.search(r"attempt [3-9]", terminal.text), lambda: terminal.text
    )  # then it waits long
    daemon.do(daemon.fake.restart())
    terminal.type("R")
    wait_until(lambda: "● live" in terminal.text, lambda: terminal.text, 2.5)


def test_garbage_another_version_and_slowness_are_told_apart_and_outlived(desk: Desk, daemon: Played) -> None:
    fake = daemon.reset()
    terminal = desk.open(width=120, height=30)
    terminal.sees("live", "0005")
    dashboard = terminal.program()

    for garbage in (
        b"\x00\xff" * 50_000,
        b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n[1,2,3]",
        b"HTTP/1.1 200 \r\n\r\n",
    ):
        fake.garbage = garbage
        terminal.sees("daemon offline", "not an IntroEval daemon")
        fake.garbage = None
        terminal.type("R")
        terminal.sees("● live", "0005")

    fake.status = a_status(api_version=99, seq=fake.status.seq + 1, pid=7)
    terminal.sees("another version", "read-only", "0005")
    terminal.type("P")
    terminal.sees("read-only: the daemon has another version")
    daemon.reset()
    terminal.sees("● live", "0005")

    fake.silent = True
    seen = terminal.sees("stale", "0005")
    assert "live" not in seen.splitlines()[0]
    assert "switch in" not in seen.splitlines()[0]
    terminal.type("Down")
    wait_until(lambda: "> 0006" in terminal.text, lambda: terminal.text, 3.0)
    fake.silent = False  # it takes new requests, and never answers the one that waits
    terminal.sees("● live", "> 0006")
    _same(terminal, dashboard)


def test_a_dashboard_opened_before_the_daemon_says_what_to_do_and_then_shows_it(
    desk: Desk, folder: Path
) -> None:
    home = folder / "late"
    home.mkdir()
    late = RealDaemon(home)
    terminal = desk.terminal(desk.command(socket=late.socket))
    terminal.sees("No daemon answers", str(late.socket), "does not exist", "systemctl start introeval")
    late.start()
    try:
        terminal.sees("● live", "Tasks 0")
    finally:
        late.stop()
    terminal.sees("daemon offline")


def test_the_real_daemon_killed_and_started_again_goes_on_before_the_operators_eyes(
    desk: Desk, real: RealDaemon
) -> None:
    terminal = desk.terminal(desk.command(socket=real.socket))
    terminal.sees("● live")
    terminal.type("v", "v", "v", "v")
    terminal.sees("─ all ─")
    dashboard = terminal.program()
    real.hand_in("s101_a.mp4", "s102_a.mp4", "s103_a.mp4")
    terminal.sees("s101", "s103")
    assert real.results < 3, "the work was over before the daemon was killed"
    real.kill()
    terminal.sees("daemon offline")
    real.start()
    terminal.sees("● live")
    wait_until(lambda: real.results == 3, lambda: terminal.text)
    wait_until(lambda: terminal.text.count("✓ evaluated") == 3, lambda: terminal.text)
    _same(terminal, dashboard)


def test_a_dashboard_that_is_killed_or_quit_changes_nothing_in_the_work(desk: Desk, real: RealDaemon) -> None:
    before = real.results
    assert real.process is not None
    work = psutil.Process(real.process.pid)
    names = [f"s{number}_b.mp4" for number in range(201, 206)]
    killed, quit_ = (desk.terminal(desk.command(socket=real.socket)) for _ in range(2))
    for terminal in (killed, quit_):
        terminal.sees("● live")
    real.hand_in(*names)
    for terminal in (killed, quit_):
        terminal.sees("s201", "s205")
    killed.program().kill()
    quit_.type("q")
    assert quit_.ended() == 0
    killed.sees("ended with 137")
    assert real.results < before + len(names), "the work was over before the dashboards were"
    wait_until(lambda: real.results == before + len(names), lambda: f"{real.results} results")
    assert work.is_running()
    assert real.process.poll() is None
