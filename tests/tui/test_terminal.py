"""The dashboard as a process in a terminal: bytes, endings, and terminals that can do less."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.core.timestamps import to_iso
from tests.tui.fake_daemon import NOW, FakeDaemon, a_status, in_thread, task
from tests.tui.terminal import Terminal, dashboard, terminal

RESTORED = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l")


@pytest.fixture
def fake(tmp_path: Path) -> FakeDaemon:
    fake = FakeDaemon(tmp_path / "d.sock", tasks=[task(number) for number in range(1, 31)])
    fake.says(gpu=a_status().gpu)
    return fake


def opened(seen: Terminal) -> None:
    seen.until(lambda: seen.shows("live") and seen.shows("s005"))
    seen.pump(1.0)


def test_bytes_idle_and_with_three_tasks_that_change_each_second(fake: FakeDaemon) -> None:
    for number in (1, 2, 3):
        fake.change(number, status="stt_processing", progress=0.1)
    running = False

    def move(daemon: FakeDaemon) -> None:
        if not running:
            return
        seconds = daemon.status.seq
        for number in (1, 2, 3):
            daemon.change(number, progress=0.10 + (seconds % 80) / 100)
        use = 50 + seconds % 40
        daemon.says(now=to_iso(NOW + seconds), gpu=daemon.status.gpu.model_copy(update={"utilisation": use}))

    fake.before = move
    with in_thread(fake), terminal(dashboard(fake.path)) as seen:
        opened(seen)
        assert seen.pump(4.0) / 4 <= 50
        running = True
        seen.pump(1.0)
        assert 0 < seen.pump(5.0) / 5 <= 1500


@pytest.mark.parametrize("how", ["q", "ctrl+c", "SIGTERM", "SIGHUP"])
def test_every_end_restores_the_terminal(fake: FakeDaemon, how: str) -> None:
    with in_thread(fake), terminal(dashboard(fake.path)) as seen:
        opened(seen)
        if how in ("q", "ctrl+c"):
            seen.press(b"q" if how == "q" else b"\x03")
        else:
            os.kill(seen.pid, getattr(signal, how))
        code = seen.end()
        assert code == {"q": 0, "ctrl+c": 0, "SIGTERM": 143, "SIGHUP": 129}[how]
        last = bytes(seen.written[seen.written.rindex(RESTORED[0]) - 2000 :])
        assert all(each in last for each in RESTORED)


def test_it_stays_when_the_daemon_is_not_there(tmp_path: Path) -> None:
    with terminal(dashboard(tmp_path / "none"), 80, 24) as seen:
        seen.until(lambda: seen.shows("No daemon answers") and seen.shows("the socket does not exist"))
        seen.press(b"q")
        assert seen.end() == 0


def test_a_posix_locale_gets_ascii(fake: FakeDaemon) -> None:
    locale = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    with in_thread(fake), terminal(dashboard(fake.path), 80, 24, **locale) as seen:
        opened(seen)
        assert bytes(seen.written).isascii()
        assert seen.shows("* live")


def test_sixteen_colours_and_none_are_enough(fake: FakeDaemon) -> None:
    with in_thread(fake):
        with terminal(
            dashboard(fake.path), 80, 24, TEXTUAL_COLOR_SYSTEM="standard", COLORTERM="", TERM="xterm"
        ) as seen:
            opened(seen)
            assert b"38;2;" not in seen.written
            assert b"38;5;" not in seen.written
        with terminal(dashboard(fake.path), 80, 24, NO_COLOR="1") as seen:
            opened(seen)
            colours = {f"\x1b[{code}m".encode() for code in range(31, 37)}
            assert not any(colour in seen.written for colour in colours)


def test_thirty_columns_are_survived(fake: FakeDaemon) -> None:
    with in_thread(fake), terminal(dashboard(fake.path), 30, 8) as seen:
        seen.until(lambda: seen.shows("too small: 30x8"))
        seen.press(b"q")
        assert seen.end() == 0


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    values = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-m", "daemon", "tui", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=values,
    )


def test_one_frame_is_plain_text(fake: FakeDaemon) -> None:
    with in_thread(fake):
        frame = run("--socket", str(fake.path), "--once", "--ascii")
    assert frame.returncode == 0
    assert frame.stdout.isascii()
    assert "\x1b" not in frame.stdout
    assert "Tasks 30" in frame.stdout
    assert "s030" in frame.stdout


def test_a_pipe_gets_the_frame_instead_of_a_screen(fake: FakeDaemon) -> None:
    with in_thread(fake):
        frame = run("--socket", str(fake.path))
    assert "\x1b" not in frame.stdout
    assert "s030" in frame.stdout
    assert "one frame as text" in frame.stderr


def test_a_terminal_without_a_cursor_gets_the_frame(fake: FakeDaemon) -> None:
    with in_thread(fake), terminal(dashboard(fake.path), TERM="dumb") as seen:
        assert seen.end() == 0
        assert b"\x1b[?1049h" not in seen.written
        assert b"s030" in seen.written


def test_no_daemon_is_one_line_with_its_own_code(tmp_path: Path) -> None:
    frame = run("--socket", str(tmp_path / "none"), "--once")
    assert frame.returncode == 6
    assert frame.stderr.startswith("introeval: no daemon answers on ")
    assert frame.stderr.count("\n") == 1


def test_settings_that_can_not_be_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "introeval").mkdir()
    file = tmp_path / "introeval" / "tui.toml"
    for said, answer in {
        '[keys]\nhodl = "b"': "there is no action hodl; did you mean hold?",
        "[keys]\nhold = 3": "the keys of hold must be a text",
        "[colours]": "unknown colours",
        "keys = [": "cannot be read",
    }.items():
        file.write_text(said)
        with terminal(dashboard(tmp_path / "none"), XDG_CONFIG_HOME=str(tmp_path)) as seen:
            assert seen.end() == 4
            assert answer in seen.text.replace("\n", "").replace("  ", " ")
