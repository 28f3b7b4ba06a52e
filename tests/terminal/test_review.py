"""A class of thirty decided by keys in a real terminal, and what a kill in the middle leaves of it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.api import client
from introeval_tui.screens.class_screen import ClassScreen
from introeval_tui.screens.review import ReviewScreen
from tests.support.waiting import wait_until
from tests.terminal.desk import Desk, Played, RealDaemon
from tests.terminal.test_keys import Keyboard, _keys
from tests.terminal.tmux import INTROEVAL, Terminal, environment, plain

pytestmark = pytest.mark.terminal

CLASS = 30
_REASON = "too short"


@pytest.fixture(scope="module")
def real(folder: Path) -> Iterator[RealDaemon]:
    """The real daemon, with a class of thirty of which nothing is released by itself."""
    home = folder / "real"
    home.mkdir()
    daemon = RealDaemon(home, seconds=0.0, settings='[review]\nrelease = "none"\n')
    daemon.start()
    try:
        daemon.hand_in(*(f"s{number:03d}_me.mp4" for number in range(1, CLASS + 1)))
        wait_until(lambda: daemon.results == CLASS, lambda: f"{daemon.results} results", 120.0)
        yield daemon
    finally:
        daemon.stop()


def review(desk: Desk, daemon: RealDaemon) -> Terminal:
    """A terminal with the review of today's class."""
    command = [*INTROEVAL, "--config", str(daemon.folder / "introeval.toml"), "review"]
    return desk.terminal(f"cd {desk.folder} && " + plain(command, environment(desk.folder)))


def decided(daemon: RealDaemon) -> dict[str, dict[str, Any]]:
    """The students on whom a decision is stored."""
    lines = client.get(daemon.socket, "/classes/current")["lines"]
    return {line["student"]: line for line in lines if line["decided_by"] is not None}


def open_in(terminal: Terminal) -> int | None:
    """How many results the screen says are open."""
    found = re.search(r"\d+/\d+, (\d+) open", terminal.text)
    return int(found[1]) if found else None


def test_thirty_results_are_decided_with_at_most_six_keys_each(desk: Desk, real: RealDaemon) -> None:
    terminal, pressed = review(desk, real), 0

    def press(*keys: str) -> None:
        nonlocal pressed
        terminal.type(*keys)
        pressed += len(keys)

    terminal.sees(f"1/{CLASS}, {CLASS} open")
    for number in range(CLASS):
        if number % 3:
            press("a", "Enter")
        elif number == 0:
            press("5", "Enter", *("Space" if key == " " else key for key in _REASON), "Enter")
        else:
            press("l", "4", "c", "9", "Enter", "Enter")  # the reason that is offered
    terminal.sees(", 0 open")
    wait_until(lambda: len(decided(real)) == CLASS, lambda: f"{len(decided(real))} decided")
    assert pressed / CLASS <= 6
    results = [client.get(real.socket, f"/tasks/{number}/results")[-1] for number in range(1, CLASS + 1)]
    assert sum(result["decision"]["kind"] == "changed" for result in results) == CLASS // 3
    assert {result["decision"]["reason"] for result in results} == {"", _REASON}
    assert {result["revision"] for result in results} == {2}
    for _ in range(CLASS):
        terminal.type("u")
    terminal.sees(f"{CLASS} open")
    assert not decided(real)
    terminal.type("q")
    assert terminal.ended() == 0


def test_a_kill_of_the_dashboard_or_the_daemon_loses_no_decision(desk: Desk, real: RealDaemon) -> None:
    terminal = review(desk, real)
    terminal.sees(f"{CLASS} open")
    terminal.type(*["a", "Enter"] * 10)
    terminal.sees(", 20 open")
    terminal.sees_no("saving")
    saved = len(decided(real))
    terminal.type(*["a", "Enter"] * 3)
    terminal.program("review").kill()
    before = decided(real)
    assert saved <= len(before) <= 13
    terminal = review(desk, real)
    terminal.sees("open")
    wait_until(lambda: open_in(terminal) == CLASS - len(decided(real)), lambda: terminal.text)

    terminal.type(*["a", "Enter"] * 5)
    real.kill()
    terminal.sees("offline")
    real.start()
    terminal.sees_no("offline", "not saved yet")
    while (left := CLASS - len(decided(real))) > 0:
        terminal.type(*(["Enter"] if "Enter saves" in terminal.text else ["a", "Enter"]))
        wait_until(lambda than=left: CLASS - len(decided(real)) < than, lambda: terminal.text)  # type: ignore[misc]
    assert decided(real).items() >= before.items(), "once decided, each stays as it was"
    revisions = {line["revision"] for line in decided(real).values()}
    assert revisions <= {2, 4}, "no decision was recorded twice"
    terminal.type("q")
    assert terminal.ended() == 0


def test_every_key_of_a_review(desk: Desk, daemon: Played) -> None:
    fake = daemon.reset()
    for number in range(5, 9):
        fake.change(number, status="completed", stage=None, outcome="needs_review", eta=None, rating=8)
    terminal = desk.open(VISUAL="sed -i s/friendly/calm/")
    terminal.sees("live", "> 0009")
    terminal.type("V")
    terminal.sees("6 open", "1/6")
    key = Keyboard(terminal)
    key("6", "8 > 6/10", "a reason is asked for")
    key("r", "reason:")
    terminal.write("too short")
    terminal.type("Enter")
    terminal.sees("reason: too short")
    for letter, name in {"l": "clarity", "c": "content", "f": "confidence", "o": "overall"}.items():
        key(letter, f">{letter} {name}")
    for digit in "1234579":
        key(digit, f"8 > {digit}/10")
    key("0", "8 > 10/10")
    key.changes("8", lambda text: "8 > " not in text)
    key("e", "A clear and calm introduction", "feedback;")
    key.changes("x", lambda text: "calm" not in text)
    key("a", "accepted as it is")
    for on, back in (("n", "p"), ("right", "left")):
        key(on, "2/6")
        key(back, "1/6")
    for down, up in (("down", "up"), ("j", "k"), ("pagedown", "pageup"), ("space", "pageup")):
        key.changes(down, lambda text: " 1-" not in text.partition("Transcript")[2].splitlines()[0])
        key.changes(up, lambda text: " 1-" in text.partition("Transcript")[2].splitlines()[0])
    key("enter", "2/6, 5 open")
    daemon.was_asked("POST /tasks/1/decide")
    key("v", "1/6")
    key("v", "1/5")
    terminal.type("a", "Enter")
    terminal.sees("2/5, 4 open", "u:undo")
    key("u")
    daemon.was_asked("POST /tasks/2/decide/undo")
    key("escape", "[1]Tasks")
    terminal.type("V")
    terminal.sees("5 open")
    key("backspace", "[1]Tasks")
    terminal.type("V")
    terminal.sees("5 open")
    key("q")
    assert terminal.ended() == 0
    assert key.pressed == _keys(ReviewScreen.BINDINGS)


def test_every_key_of_a_class(desk: Desk, daemon: Played) -> None:
    daemon.reset()
    terminal = desk.open()
    terminal.sees("live", "> 0005")
    terminal.type("L")
    terminal.sees("class intro, open", "> s001")
    key = Keyboard(terminal)
    key.moves("down", "s002")
    key.moves("j", "s003")
    key.moves("up", "s002")
    key.moves("k", "s001")
    for down, up in (("pagedown", "pageup"), ("space", "pageup")):
        key.moves(down, "s021")
        key.moves(up, "s001")
    for end, begin in (("G", "g"), ("end", "home")):
        key.moves(end, "s092")
        key.moves(begin, "s001")
    key("f", "─ missing ─")
    key("f", "─ in work ─")
    key("m", "─ missing ─", "s091")
    key("m", "─ all ─")
    key("V", "1/2, 2 open")
    terminal.type("Escape")
    terminal.sees("class intro")
    key("enter", "s001", "esc:back")
    terminal.type("Escape")
    terminal.sees("class intro")
    key("escape", "[1]Tasks")
    terminal.type("L")
    terminal.sees("class intro")
    key("backspace", "[1]Tasks")
    assert key.pressed == _keys(ClassScreen.BINDINGS)
