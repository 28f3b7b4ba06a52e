"""Every kind of terminal and locale gets what it can show; every size gets what has room."""

import subprocess

import pytest

from tests.support.waiting import wait_until
from tests.terminal.desk import Desk, Played
from tests.terminal.tmux import Terminal

pytestmark = pytest.mark.terminal

_SIGNS = "●◐○◌◆◇▲▼✓✗‖↻⊘█░▏▁▂▃▄▅▆▇■─│┌┐└┘…—×"


@pytest.mark.parametrize(
    "term", ["xterm-256color", "screen-256color", "screen", "tmux-256color", "linux", "vt100"]
)
def test_every_kind_of_terminal_shows_all(desk: Desk, daemon: Played, term: str) -> None:
    daemon.reset()
    terminal = desk.open(term=term)
    seen = terminal.sees("INTROEVAL ● live", "batch 7/10", "> 0005", "◆ rate", "0017", "?help")
    lines = seen.splitlines()
    assert len(lines) == 24
    assert lines[0].startswith(" INTROEVAL")
    assert lines[-1].startswith(" ?help")
    terminal.type("Down")
    terminal.sees("> 0006")
    terminal.type("q")
    assert terminal.ended() == 0


def test_without_colours_the_words_and_signs_say_all(desk: Desk, daemon: Played) -> None:
    daemon.reset()
    terminal = desk.open(NO_COLOR="1")
    terminal.sees("INTROEVAL ● live", "◆ rate", "‖ held", "failed 2")
    assert not _hues(terminal)
    with_colours = desk.open()
    with_colours.sees("INTROEVAL ● live", "◆ rate")
    assert _hues(with_colours)


def _hues(terminal: Terminal) -> list[str]:
    return [code for code in terminal.colours.split("\x1b[")[1:] if _coloured(code.partition("m")[0])]


def _coloured(code: str) -> bool:
    """Whether a rendition sets one of the sixteen colours' hues, or one of many colours."""
    parts = code.replace(":", ";").split(";")
    if "38" in parts or "48" in parts:
        place = parts.index("38") if "38" in parts else parts.index("48")
        said = parts[place + 1 :]
        return not (said[:1] == ["2"] and len(set(said[-3:])) == 1)  # a grey has three equal parts
    return any(
        part in {str(base + hue) for base in (30, 40, 90, 100) for hue in range(1, 7)} for part in parts
    )


def test_a_posix_locale_gets_ascii_signs_in_the_same_columns(desk: Desk, daemon: Played) -> None:
    daemon.reset()
    wide = desk.open()
    there = wide.sees("INTROEVAL ● live", "> 0005", "0017", "◆ rate").splitlines()
    narrow = desk.open(LC_ALL="POSIX", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    here = narrow.sees("INTROEVAL * live", "> 0005", "0017", "# rate").splitlines()
    assert not set("".join(here)) & set(_SIGNS)
    assert all(line.isascii() for line in here), "\n".join(here)
    for one, other in zip(there[8:22], here[8:22], strict=True):
        assert one.index("AGE" if "AGE" in one else "9m") == other.index("AGE" if "AGE" in other else "9m")


def test_the_ascii_option_does_the_same_in_any_locale(desk: Desk, daemon: Played) -> None:
    daemon.reset()
    seen = desk.open("--ascii").sees("INTROEVAL * live", "> 0005", "# rate")
    assert seen.isascii()


def test_a_terminal_that_cannot_draw_gets_one_frame_as_text(desk: Desk, daemon: Played) -> None:
    daemon.reset()
    terminal = desk.open(term="dumb", width=130, height=60)
    assert terminal.ended() == 0
    seen = terminal.sees("0005", "0030", "cannot draw")
    assert "INTROEVAL" in seen


def test_a_pipe_gets_one_frame_as_text_without_an_escape(desk: Desk, daemon: Played) -> None:
    daemon.reset()
    done = subprocess.run(
        ["/bin/sh", "-c", desk.command(TERM="xterm-256color")], capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert b"0005" in done.stdout
    assert b"INTROEVAL" in done.stdout
    assert b"\x1b" not in done.stdout


def test_a_pipe_without_a_daemon_ends_with_an_error_that_says_what_to_do(desk: Desk) -> None:
    command = desk.command(socket=desk.folder / "none", TERM="xterm-256color")
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode not in (0, 1)
    assert done.stdout == ""
    assert "no daemon answers" in done.stderr
    assert "run: sudo systemctl start introeval" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_size_shows_what_has_room_and_a_storm_of_sizes_leaves_it_whole(
    desk: Desk, daemon: Played
) -> None:
    daemon.reset()
    terminal = desk.open(width=120, height=40)
    terminal.sees("live", "[1]Tasks", "[2]GPU", "[3]Engines", "[4]Attention", "[5]Events", "0030")
    terminal.resize(200, 50)
    terminal.sees("[2]GPU", "Phases", "transcribed", "0030")
    terminal.resize(30, 8)
    terminal.sees("too small: 30x8")
    terminal.resize(80, 24)
    whole = terminal.sees("> 0005", "0017", "AGE    ETA", "?help enter:detail")
    for width, height in [(81, 24), (30, 8), (200, 50), (79, 23), (1, 1), (120, 40), (60, 15), (80, 25)] * 4:
        terminal.resize(width, height)
    terminal.resize(80, 24)
    wait_until(lambda: _still(terminal.text) == _still(whole), lambda: f"{whole}\nbut\n{terminal.text}")
    terminal.type("q")
    assert terminal.ended() == 0


def _still(text: str) -> list[str]:
    """What does not change with the clock."""
    return text.splitlines()[1:22]


def test_a_terminal_that_is_too_small_from_the_start_can_be_left(desk: Desk, daemon: Played) -> None:
    daemon.reset()
    terminal = desk.open(width=30, height=8)
    terminal.sees("too small: 30x8")
    terminal.type("q")
    assert terminal.ended() == 0


def test_the_mouse_is_left_to_the_terminal_on_demand(desk: Desk, daemon: Played) -> None:
    daemon.reset()
    terminal = desk.open("--no-mouse")
    terminal.sees("live", "0005")
    assert not terminal.modes.mouse
    assert terminal.modes.alternate
