"""Every key that help names does, in a real terminal of 80x24, what help says it does."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from textual.binding import Binding

from introeval_tui.app import Dashboard
from introeval_tui.screens.board import Board
from introeval_tui.screens.detail import DetailScreen
from tests.support.waiting import wait_until
from tests.terminal.desk import Desk, Played
from tests.terminal.tmux import Terminal

pytestmark = pytest.mark.terminal

_NAMES = {
    "question_mark": "?",
    "exclamation_mark": "!",
    "f1": "F1",
    "colon": ":",
    "ctrl+c": "C-c",
    "ctrl+p": "C-p",
    "plus": "+",
    "equals_sign": "=",
    "minus": "-",
    "slash": "/",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "escape": "Escape",
    "enter": "Enter",
    "space": "Space",
    "backspace": "BSpace",
    "tab": "Tab",
    "shift+tab": "BTab",
    "pagedown": "PageDown",
    "pageup": "PageUp",
    "home": "Home",
    "end": "End",
    "left": "Left",
    "right": "Right",
    "up": "Up",
    "down": "Down",
}


def _keys(bindings: object) -> set[str]:
    assert isinstance(bindings, list)
    return {key for each in bindings if isinstance(each, Binding) for key in each.key.split(",")}


@dataclass
class Keyboard:
    """Presses keys by the names that the bindings give them, and notes which."""

    terminal: Terminal
    pressed: set[str] = field(default_factory=set)

    def __call__(self, key: str, *words: str) -> str:
        """Press a key, and wait for these words."""
        self.pressed.add(key)
        self.terminal.type(_NAMES.get(key, key))
        return self.terminal.sees(*words) if words else ""

    def moves(self, key: str, to: str) -> None:
        """Press a key, and wait for the cursor to stand at a task."""
        self(key)
        wait_until(
            lambda: _cursor(self.terminal.text) == to,
            lambda: f"the cursor at {to} after {key}:\n{self.terminal.text}",
        )

    def changes(self, key: str, seen: Callable[[str], bool]) -> None:
        """Press a key, and wait for a screen of that kind."""
        self(key)
        wait_until(lambda: seen(self.terminal.text), lambda: f"what {key} does:\n{self.terminal.text}")


def _cursor(text: str) -> str | None:
    return next((line[1:].split()[0] for line in text.splitlines() if line.startswith(">")), None)


def test_every_key_of_the_board(desk: Desk, daemon: Played) -> None:
    fake = daemon.reset()
    terminal = desk.open()
    terminal.sees("live", "> 0005")
    key = Keyboard(terminal)

    key.moves("down", "0006")
    key.moves("j", "0007")
    key.moves("up", "0006")
    key.moves("k", "0005")
    key.moves("pagedown", "0017")
    key.moves("pageup", "0005")
    key.moves("G", "0030")
    key.moves("g", "0005")
    key.moves("end", "0030")
    key.moves("home", "0005")

    key("enter", "s005", "Overview", "esc:back")
    key("escape", "/filter")
    key("l", "follow on", "task 5: transcribing")
    key("escape", "/filter")
    key("space", "1 marked", "> 0006")
    key.changes("escape", lambda text: "1 marked" not in text)
    key("slash")
    terminal.write("s02")
    terminal.sees("0020", "Tasks 10")
    terminal.type("Enter")
    terminal.sees("x:cancel", "Tasks 10")
    key("escape", "Tasks 26")
    key("s", "sort:age")
    key("S", "sort:age descending", "> 0021", "  0020")
    key.changes("S", lambda text: "descending" not in text)
    for order in ("student", "status", "eta", "queue"):
        key("s", f"sort:{order}")

    key("2", "[2]GPU", "87%")
    key("3", "[3]Engines", "whisper")
    key("4", "[4]Attention", "gave no answer")
    key("5", "[5]Events", "switched to stt")
    key("1", "[1]Tasks 26")

    key.moves("g", "0005")
    key("x", "Cancel 0005 of s005?", "40 %")
    terminal.type("Enter")  # the lit button is No
    terminal.sees_no("Cancel 0005")
    assert not fake.asked("POST")
    key("x", "Cancel 0005")
    terminal.type("y")
    daemon.was_asked("POST /tasks/5/cancel")
    key.moves("g", "0006")
    key("h")
    daemon.was_asked("POST /tasks/6/hold")
    terminal.sees("held 1", "> 0006  s006          ‖ held")
    key("h")
    daemon.was_asked("POST /tasks/6/release")
    key.moves("j", "0007")
    key.moves("j", "0008")
    key("n")
    daemon.was_asked("POST /tasks/8/next")
    key("y", "copied: 8")

    key("exclamation_mark", "[1]Attention 2", "> ✗ failed       s003", "r retry it")
    key("c")
    daemon.was_asked("POST /attention/task:3/acknowledge")
    terminal.sees("[1]Attention 1")
    key("exclamation_mark", "[1]Tasks 25")
    key("v", "[1]Attention 1")
    key("v", "─ failed ─", "> 0003")
    key("r")
    daemon.was_asked("POST /tasks/3/retry")
    fake.change(3, status="failed", stage=None)
    key("v", "─ done ─", "> 0001")
    key("d")
    daemon.was_asked("POST /tasks/1/deliver")
    _decisions(key, daemon)
    key("a", "Rate again 0001")
    terminal.type("y")
    daemon.was_asked("POST /tasks/1/rate")
    key("V", "1/1, 1 open")
    terminal.type("Escape")
    terminal.sees("─ done ─")
    key("L", "class intro")
    terminal.type("Escape")
    terminal.sees("─ done ─")
    key("v", "─ all ─")
    key("v", "─ open ─")
    key("E", "tasks are in introeval-")
    exported = json.loads(next(desk.folder.glob("introeval-*.json")).read_text())
    assert len(exported) == len(fake.tasks) - 4
    assert next(desk.folder.glob("introeval-*.csv")).stat().st_size > 1000

    _whole_daemon(key, daemon)
    _general(key)
    key("q")
    assert terminal.ended() == 0
    assert key.pressed == (_keys(Board.BINDINGS) | _keys(Dashboard.BINDINGS)) - {"ctrl+c"}  # see test_endings


def _decisions(key: Keyboard, daemon: Played) -> None:
    terminal = key.terminal
    key("A", "Accept 0001 of s001?")
    terminal.type("y")
    daemon.was_asked("POST /tasks/1/decide")
    terminal.sees("✓ decided")
    key("u", "Take back the decision on 0001")
    terminal.type("y")
    daemon.was_asked("POST /tasks/1/decide/undo")
    terminal.sees_no("✓ decided")


def _whole_daemon(key: Keyboard, daemon: Played) -> None:
    terminal = key.terminal
    key("P", "Pause the daemon?")
    terminal.type("n")
    terminal.sees_no("Pause the daemon?")
    assert not daemon.fake.asked("POST /pause")
    key("P", "Pause the daemon?")
    terminal.type("y")
    daemon.was_asked("POST /pause")
    terminal.sees("PAUSED")
    key("P", "Resume?")
    terminal.type("Tab", "Enter")  # to the button Yes
    daemon.was_asked("POST /resume")
    terminal.sees_no("PAUSED")
    key("D", "Drain?")
    terminal.type("y")
    daemon.was_asked("POST /drain")
    terminal.sees("DRAINING")
    key("N", "Go without waiting?")
    terminal.type("y")
    daemon.was_asked("POST /go")
    key("R", "Retry 1 failed tasks?")
    terminal.type("Escape")
    terminal.sees_no("Retry 1 failed")
    key("C", "deadline of the class")
    terminal.write("22:50")
    terminal.type("Enter")
    daemon.was_asked("POST /deadline")


def _general(key: Keyboard) -> None:
    terminal = key.terminal
    for name in ("question_mark", "f1"):
        key(name, "Keys - Esc closes", "freeze the display")
        terminal.type("Escape")
        terminal.sees("[1]Tasks")
    for name in ("colon", "ctrl+p"):
        key(name)
        terminal.sees_no("enter:detail")
        terminal.write("freeze")
        terminal.sees("freeze the display")
        terminal.type("Enter")
        terminal.sees("[1]Tasks", "frozen" if name == "colon" else "live")
    key("z", "frozen")
    key("z", "live")
    key("minus", "refresh every 2 s")
    key("plus", "refresh every 1 s")
    key("equals_sign", "refresh every 0.5 s")


def test_what_is_typed_right_after_a_slash_is_the_filter_and_no_order(desk: Desk, daemon: Played) -> None:
    fake = daemon.reset()
    terminal = desk.open()
    terminal.sees("live", "> 0005")
    for text in ("xy", "s02", "rad"):  # cancel, yes; sort, panel 2; retry, rate, deliver
        terminal.write(f"/{text}")  # in one write, as it comes over a slow line
        seen = terminal.sees(f" /{text}")
        assert "[1]Tasks" in seen
        assert "sort:queue" in seen
        terminal.type("Escape")
        terminal.sees("Tasks 26", "?help")
    assert not fake.asked("POST")


def test_every_key_of_a_task(desk: Desk, daemon: Played) -> None:
    fake = daemon.reset()
    terminal = desk.open()
    terminal.sees("live", "> 0005")
    terminal.type("v", "v", "v")
    terminal.sees("─ done ─", "> 0001")
    terminal.type("Enter")
    terminal.sees("s001", "esc:back", "transcribed")
    key = Keyboard(terminal)

    key("right_square_bracket", "task 1: transcribing")
    key("tab", "I like climbing and chess")
    key("right", "build bridges")
    key("left", "I like climbing and chess")
    key("left_square_bracket", "task 1: transcribing")
    key("shift+tab", "transcribed")
    seen = {
        "2": "task 1: transcribing",
        "3": "I like climbing and chess",
        "4": "build bridges",
        "5": "clear and friendly",
        "6": "schema_version",
        "7": "14",
        "1": "transcribed",
    }
    for number, word in seen.items():
        key(number, word)
    key("o", "I like climbing and chess")
    key("6", "schema_version")
    key.changes("G", lambda text: "schema_version" not in text)
    key("g", "schema_version")
    key.changes("end", lambda text: "schema_version" not in text)
    key("home", "schema_version")
    for down, up in (("down", "up"), ("j", "k")):
        before = terminal.sees("schema_version")
        key.changes(down, before.__ne__)
        key.changes(up, before.__eq__)
    for down, up in (("pagedown", "pageup"), ("space", "pageup")):
        key.changes(down, lambda text: "schema_version" not in text)
        key(up, "schema_version")
    key("l", "task 1: transcribing", "log, follow")
    key.changes("f", lambda text: ("follow on" in text) or ("follow off" in text))
    key.changes(
        "w",
        lambda text: (
            text.count("xxxxx") > 0 and sum(set(line.strip()) == {"x"} for line in text.splitlines()) > 1
        ),
    )
    key.changes("t", lambda text: "22:12:50" not in text)
    before = terminal.sees("s:source")
    key.changes("s", lambda text: "s:source" in text and text.splitlines()[-1] != before.splitlines()[-1])
    key("d")
    daemon.was_asked("POST /tasks/1/deliver")
    key("y", "copied: 1")
    key("V", "1/2, 2 open")
    terminal.type("Escape")
    terminal.sees("esc:back", "Overview")
    _decisions(key, daemon)
    key("a", "Rate again 0001")
    terminal.type("y")
    daemon.was_asked("POST /tasks/1/rate")
    terminal.sees("◇ wait-rate")
    key("x", "Cancel 0001")
    terminal.type("n")
    terminal.sees_no("Cancel 0001")
    key("n")
    daemon.was_asked("POST /tasks/1/next")
    key("h")
    daemon.was_asked("POST /tasks/1/hold")
    fake.change(1, status="failed", stage=None, outcome="failed", held=False, reason="it stalled")
    terminal.sees("✗ failed")
    key("c")
    daemon.was_asked("POST /attention/task:1/acknowledge")
    key("r")
    daemon.was_asked("POST /tasks/1/retry")
    key("escape", "[1]Tasks")
    terminal.type("Enter")
    terminal.sees("esc:back")
    key("backspace", "[1]Tasks")
    assert key.pressed == _keys(DetailScreen.BINDINGS)
