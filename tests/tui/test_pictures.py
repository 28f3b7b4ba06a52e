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

from daemon.contracts.wire.status import Clock, Switching
from daemon.core.timestamps import to_iso
from introeval_tui.app import Dashboard
from introeval_tui.link.setup import Setup
from introeval_tui.rows.state import Link
from tests.support.waiting import until
from tests.tui.fake_daemon import NOW, OPEN, FakeDaemon, a_class, a_refusal, a_result, alarmed, in_thread
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
    "urgent": State(keys=("4",), sees="[4]Attention"),
    "events": State(keys=("5",), sees="[5]Events"),
    "detail": State(keys=("enter",), sees="transcribed"),
    "detail_log": State(keys=("l",), sees="answer was no JSON"),
    "detail_form": State(keys=("v", "v", "v", "enter", "4"), sees="career goals"),
    "detail_rating": State(keys=("v", "v", "v", "enter", "5"), sees="overall rating"),
    "detail_unsure": State(_unsure, keys=("v", "v", "v", "enter", "5"), sees="unsure score"),
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
@pytest.mark.parametrize("name", ["live", "alarms", "attention", "ended", "ended_well"])
def test_a_state_has_room_on_a_large_screen(name: str, size: str, snap_compare: Any) -> None:
    state = STATES[name]
    sees = "sha256" if size == "huge" and name != "ended_well" else state.sees.replace("+1 more", "pid 812")
    assert _same(replace(state, sees=sees), SIZES[size], snap_compare)
