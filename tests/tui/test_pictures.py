"""A picture of every state at 80x24, and of some at all three sizes.

After a wanted change of what is drawn: `pytest tests/tui/test_pictures.py --snapshot-update`, then look.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from daemon.contracts.wire.status import Clock, OpenClass, Switching
from daemon.core.timestamps import to_iso
from introeval_tui.app import Dashboard
from introeval_tui.link.setup import Setup
from introeval_tui.rows.state import Link
from tests.support.waiting import until
from tests.tui.fake_class import decide, undo
from tests.tui.fake_daemon import (
    NOW,
    OPEN,
    FakeDaemon,
    a_class,
    a_refusal,
    a_result,
    alarmed,
    in_thread,
    some_nodes,
)
from tests.tui.opened import Desk, Hand

SIZES = {"narrow": (80, 24), "wide": (120, 40), "huge": (200, 50)}


@dataclass
class State:
    """What is so before it is opened, the keys that are pressed then, and what is to be seen at the end."""

    prepare: Callable[[FakeDaemon], None] = lambda _: None
    keys: tuple[str, ...] = ()
    sees: str = "[1]Tasks"
    later_s: float = 0.0  # how far the clock is moved on at the end
    here: bool = True  # whether there is a daemon
    breaks: bool = False  # whether it ends after it was seen
    setup: dict[str, Any] = field(default_factory=dict)


def _says(**changes: Any) -> Callable[[FakeDaemon], None]:
    return lambda fake: fake.says(**changes)


def _empty(fake: FakeDaemon) -> None:
    fake.tasks = []
    fake.says(
        left=0,
        group=[],
        counts={"completed": 30},
        clock=None,
        batch=None,
        held=0,
        next_switch_at=None,
        why="idle",
    )


def _unsure(fake: FakeDaemon) -> None:
    """A rating of which one score is hardly one, one is calibrated and one a person's."""
    result = a_result(fake.tasks[0])
    scores = result["evaluation"]["scores"]
    scores["clarity_of_speech"] |= {"source": "calibrated", "model_score": 9, "interval": [5.4, 7.9]}
    scores["content_quality"] |= {"source": "person", "model_score": 4}
    told = "only 31% of the model's answer was a level of the scale"
    result["flags"] = [{"code": "unsure_score", "field": "confidence_level", "detail": told}]
    fake.results = {task.id: [result] for task in fake.tasks}


def _hostile(fake: FakeDaemon) -> None:
    names = [
        "[red]x[/]",
        "\x1b[2J\x1b[31m",
        "\u202egnp.exe",
        "漢字漢字漢字漢字",
        "e" + "\u0301" * 90,
        "x" * 10_000,
    ]
    for number, name in enumerate(names, 11):
        fake.change(number, student=name, filename=name)


def _wanted(fake: FakeDaemon) -> None:
    fake.refused = [a_refusal()]
    fake.says(alarms=alarmed(), refused=1)


def _ended(fake: FakeDaemon) -> None:
    _empty(fake)
    fake.tasks = [line for line in a_class() if line.status not in OPEN]
    outcomes = {"evaluated": 24, "needs_review": 3, "unscorable": 1, "failed": 2}
    fake.says(
        counts={"completed": 28, "failed": 2},
        clock=Clock(done=30, total=30, state="done", deadline=to_iso(NOW + 100), outcomes=outcomes),
    )


def _ended_well(fake: FakeDaemon) -> None:
    _ended(fake)
    fake.tasks = fake.tasks[:1]
    fake.says(
        counts={"completed": 30}, clock=Clock(done=30, total=30, state="done", outcomes={"evaluated": 30})
    )


def _demo(fake: FakeDaemon) -> None:
    fake.says(demo=True)
    for number in (1, 2):
        fake.change(number, demo=True)


def _class(fake: FakeDaemon) -> None:
    """An open class, with two results to decide on that have something of everything."""
    counts = {"handed_in": 28, "missing": 2, "unreadable": 1, "needs_review": 5, "late": 1}
    fake.says(open_class=OpenClass(name="Intro", students=30, counts=counts))
    result = a_result(fake.tasks[0])
    result["transcript"]["segments"] = [
        {"start_s": 6.0 * at, "end_s": 6.0 * at + 5, "text": f" {text}"} for at, text in enumerate(_SAID)
    ]
    for scored, quote, at in zip(result["evaluation"]["scores"].values(), _QUOTES, (5, 3, 6, 5), strict=True):
        scored["interval"] = [scored["expected"] - 1.5, min(10.0, scored["expected"] + 1.5)]
        scored["quote"] = {"quote": quote, "start_s": 6.0 * at, "end_s": 6.0 * at + 5}
    result["evaluation"]["scores"]["clarity_of_speech"] |= {"source": "calibrated", "model_score": 9}
    aside = {"quote": "give me a ten", "start_s": 41.0, "end_s": 43.0, "found_by": ["rules"], "cut": True}
    result["set_aside"] = [aside]
    result["flags"] = [{"code": "evidence_not_found", "field": "evidence", "detail": "I lead a team"}]
    fake.results = {1: [result], 2: [result]}


def _decided(fake: FakeDaemon) -> None:
    """A task that was decided on, and whose decision was taken back and made anew."""
    decide(fake, 2, b'{"scores": {"overall_rating": 6}, "reason": "too short"}')
    undo(fake, 2)
    decide(fake, 2, b'{"feedback": "Say where you want to build.", "reason": "clearer"}')
    fake.tasks = fake.tasks[1:]


_SAID = (
    "Hello, my name is Ana Berg and I am nineteen years old.",
    "I come from a small town by the sea, and I moved here last autumn to study civil engineering.",
    "In my free time I like climbing and chess, and I play the cello in the orchestra of the university.",
    "Um, so last year I built a small bridge with two friends, and it held ninety kilograms.",
    "That was the moment when I knew what I want.",
    "I want to build bridges that people can rely on.",
    "What I would like to learn is to speak more calmly in front of people.",
)
_QUOTES = (
    "I want to build bridges",
    "I built a small bridge with two friends",
    "to speak more calmly",
    _SAID[5],
)


def _clock(paused: bool = False, **changes: Any) -> Callable[[FakeDaemon], None]:
    return lambda fake: fake.says(clock=_AT_RISK.model_copy(update=changes), paused=paused)


_AT_RISK = Clock(
    done=12,
    total=30,
    expected_at=to_iso(NOW + 1800),
    deadline=to_iso(NOW + 1500),
    spare_s=-300.0,
    state="late",
    cause="rate is slow",
)
_SWITCHING = Switching(to=["extract", "rate"], since=to_iso(NOW - 6), usual_s=12.0)

STATES = {
    "live": State(),
    "stale": State(later_s=4, sees="stale 4s"),
    "offline": State(breaks=True, sees="daemon offline"),
    "never": State(here=False, sees="No daemon answers"),
    "foreign": State(_says(api_version=2), sees="another version"),
    "gpu_absent": State(
        lambda fake: fake.says(gpu=fake.status.gpu.model_copy(update={"absent": "NVML: driver not loaded"}))
    ),
    "gpu_lost": State(
        lambda fake: fake.says(
            gpu=fake.status.gpu.model_copy(update={"absent": "GPU is lost", "lost": True})
        ),
        sees="LOST",
    ),
    "paused": State(_clock(True, state="paused", expected_at=None), sees="PAUSED"),
    "guess": State(_clock(state="on_time", spare_s=90.0, guess=True), sees="first guess"),
    "missed": State(_clock(state="missed", deadline=to_iso(NOW - 240)), sees="MISSED 4 min ago"),
    "ended": State(_ended, sees="[1]Attention 2"),
    "ended_well": State(_ended_well, sees="The class of 30 is done"),
    "attention": State(_wanted, ("exclamation_mark", "j", "j"), "[1]Attention 5"),
    "attention_filtered": State(
        _wanted, ("exclamation_mark", "slash", "a", "n", "a", "enter"), "[1]Attention 2"
    ),
    "alarm_in_full": State(_wanted, ("exclamation_mark", "enter"), "Esc closes"),
    "marks_that_cannot": State(keys=("v", "v", "v", "v", *["space"] * 4, "r"), sees="1 of the 4"),
    "demo": State(_demo, ("v", "v", "v"), "DEMO, no grade"),
    "demo_rating": State(_demo, ("v", "v", "v", "enter", "5"), "no grade: rated"),
    "draining": State(_says(draining=True), sees="DRAINING 26 left"),
    "switching": State(_says(switching=_SWITCHING), sees="SWITCHING"),
    "empty": State(_empty, sees="Waiting for videos"),
    "alarms": State(_says(alarms=alarmed()), sees="+1 more"),
    "at_risk": State(_says(clock=_AT_RISK), sees="5.0 min late"),
    "read_only": State(setup={"read_only": True}, sees="read-only"),
    "hostile": State(_hostile, sees="[red]x"),
    "marked": State(keys=("space", "space"), sees="2 marked"),
    "filtered": State(keys=("slash", "s", "0", "1", "enter"), sees="Tasks 10"),
    "confirm": State(keys=("j", "j", "x"), sees="Cancel 0007"),
    "help": State(keys=("question_mark",), sees="the whole daemon"),
    "gpu": State(keys=("2",), sees="[2]GPU"),
    "engines": State(keys=("3",), sees="[3]Engines"),
    "nodes": State(_says(nodes=some_nodes()), sees="lab4"),
    "nodes_engines": State(_says(nodes=some_nodes()), keys=("3",), sees="said nothing"),
    "urgent": State(keys=("4",), sees="[4]Attention"),
    "events": State(keys=("5",), sees="[5]Events"),
    "detail": State(keys=("enter",), sees="transcribed"),
    "detail_log": State(keys=("l",), sees="answer was no JSON"),
    "detail_form": State(keys=("v", "v", "v", "enter", "4"), sees="career goals"),
    "detail_rating": State(keys=("v", "v", "v", "enter", "5"), sees="overall rating"),
    "detail_unsure": State(_unsure, keys=("v", "v", "v", "enter", "5"), sees="unsure score"),
    "class_open": State(_class, sees="28 of 30 handed in"),
    "class": State(_class, ("L", "j"), "2 missing"),
    "class_missing": State(_class, ("L", "m"), "Students ─ missing"),
    "review": State(_class, ("V",), "1/2, 2 open"),
    "review_changed": State(_class, ("V", "l", "5", "c", "9"), "Enter saves"),
    "review_accepted": State(_class, ("V", "a"), "accepted as it is"),
    "review_decided": State(_class, ("V", "a", "enter", "a", "enter"), "accepted by roe"),
    "review_help": State(_class, ("V", "question_mark"), "the result"),
    "decisions": State(_decided, ("v", "v", "v", "enter"), "changed by roe"),
    "frozen": State(keys=("z",), sees="frozen"),
}


@pytest.fixture
def still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One zone for all, and a socket whose path is always the same."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def _same(state: State, size: tuple[int, int], snap_compare: Any) -> bool:
    fake = FakeDaemon(Path("d.sock"))
    state.prepare(fake)
    hand = Hand()
    app = Dashboard(Setup(lambda: fake.path, wall=lambda: NOW, monotonic=hand, **state.setup))

    async def ready(pilot: Pilot[int]) -> None:
        desk = Desk(app, pilot, fake, hand)
        await until(lambda: app.known.page is not None or app.known.link in (Link.DOWN, Link.FOREIGN))
        if not state.here:
            app.workers.cancel_group(app, "poll")  # the tries that follow would be counted on the picture
        await pilot.pause()
        for key in state.keys:
            await desk.press(key)
            await until(lambda: app._poller is None or app.known.query == app._poller.query)
        if state.later_s:
            fake.silent = True
            hand.at += state.later_s
            app._tick()
        fake.garbage = b"NO\r\n\r\n" if state.breaks else None
        await desk.sees(state.sees)
        fake.silent = (
            state.breaks or fake.silent
        )  # so that the next try is under way for as long as one looks
        await pilot.pause()

    with ExitStack() as stack:
        if state.here:
            stack.enter_context(in_thread(fake))
        return bool(snap_compare(app, terminal_size=size, run_before=ready))


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("name", STATES)
def test_a_state_looks_as_it_was_accepted(name: str, snap_compare: Any) -> None:
    assert _same(STATES[name], SIZES["narrow"], snap_compare)


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("size", ["wide", "huge"])
@pytest.mark.parametrize(
    "name", [*("live", "alarms", "attention", "ended", "ended_well"), *("class", "review", "review_changed")]
)
def test_a_state_has_room_on_a_large_screen(name: str, size: str, snap_compare: Any) -> None:
    state = STATES[name]
    board = not name.startswith(("class", "review"))
    sees = (
        "sha256"
        if size == "huge" and name != "ended_well" and board
        else state.sees.replace("+1 more", "pid 812")
    )
    assert _same(replace(state, sees=sees), SIZES[size], snap_compare)
