"""A class that is replayed shows the pictures that it showed live, at any speed."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from daemon.app.parts import Daemon
from daemon.contracts.values import Ticket
from daemon.contracts.wire.status import DaemonStatus, Disk, GpuState
from daemon.contracts.wire.words import Order, Verb
from daemon.core.alarms import Trouble
from daemon.core.errors import Blame, Fault
from daemon.core.tasks.task import Stage
from daemon.core.timestamps import from_iso
from daemon.monitoring.status_figures import StatusReader
from introeval_tui.rows.format import clock
from tests.support.inprocess import Lab, worked_off
from tests.support.waiting import until
from tests.tui.stepping import STEP
from tests.tui.terminal import Terminal, terminal

pytestmark = pytest.mark.anyio

BROKEN = Fault(Blame.PERMANENT, "undecodable", "the video is broken")
SETTLED_S = 0.5


@dataclass
class Screen:
    """A dashboard in a terminal, whose pictures are taken one by one."""

    shown: Terminal
    drawn: Path
    taken: int = 1  # it has asked once by itself

    def picture(self, key: bytes = STEP) -> list[str]:
        """The rows after the next picture."""
        self._until_drawn()
        self.shown.press(key)
        self.taken += 1
        self._until_drawn()
        return list(self.shown.screen.display)

    def _until_drawn(self) -> None:
        self.shown.until(lambda: self.drawn.exists() and int(self.drawn.read_text() or 0) >= self.taken, 60)
        while self.shown.pump(0.1):
            pass


@contextmanager
def screen(drawn: Path, *arguments: str) -> Iterator[Screen]:
    with terminal(["-m", "tests.tui.stepping", str(drawn), *arguments], columns=80, lines=24) as shown:
        yield Screen(shown, drawn)


class Card:
    """A GPU that is warmer at each picture."""

    warm = 0

    async def reading(self) -> GpuState:
        warm = Card.warm
        return GpuState(
            name="Card",
            utilisation=80 + warm % 10,
            used_mb=6000 + 100 * (warm % 9),
            total_mb=8192,
            temperature_c=60 + warm,
            power_w=140 + warm,
            power_limit_w=200,
        )


@dataclass
class Lesson:
    """A class whose engines wait for the test."""

    lab: Lab
    daemon: Daemon
    gates: dict[Stage, asyncio.Event] = field(default_factory=lambda: {s: asyncio.Event() for s in Stage})
    asked_at: list[str] = field(default_factory=list)
    """The daemon's time in each answer to the dashboard."""

    def __post_init__(self) -> None:
        status = self.daemon.observer.status

        async def noted(*, may_change: bool = False, **more: Any) -> DaemonStatus:
            answer = await status(may_change=may_change, **more)
            if may_change:
                self.asked_at.append(answer.now)
            return answer

        self.daemon.observer.status = noted  # type: ignore[method-assign]
        for stage, engine in self.lab.engines.items():
            engine.pause = self._gate(stage)

    def _gate(self, stage: Stage) -> Callable[[float], Awaitable[None]]:
        async def wait(seconds: float) -> None:
            if seconds:
                await self.gates[stage].wait()

        return wait

    async def settled(self) -> int:
        """Wait until nothing that is shown has changed for a while. Gives the frames so far."""
        stretch = self.daemon.record._stretch
        while True:
            frames = stretch.frames
            if await self.frames_until(stretch.ended_at + SETTLED_S) == frames:
                return frames

    async def frames_until(self, at: float) -> int:
        """The frames of the recording, which takes less than a stretch, until after a time."""
        stretch = self.daemon.record._stretch
        await until(lambda: stretch.ended_at > at)
        return stretch.frames


def broken(stage: Stage, ticket: Ticket) -> Fault | None:
    return BROKEN if stage is Stage.STT and ticket.task_id == 3 else None


async def taught(lesson: Lesson, live: Screen) -> list[tuple[str, bytes, list[str]]]:
    """The class as it goes: the time of each picture, the key that was pressed for it, and its rows."""
    lab, daemon = lesson.lab, lesson.daemon
    pictures = []

    async def take(key: bytes = STEP) -> None:
        Card.warm += 1
        pressed = key
        while True:  # until nothing changed while the picture was taken
            frames = await lesson.settled()
            rows = await asyncio.to_thread(live.picture, pressed)
            at, pressed = lesson.asked_at[-1], STEP
            if await lesson.frames_until(from_iso(at)) == frames:
                break
        pictures.append((at, key, rows))

    await take()
    for number in range(4):
        lab.hand_in(f"s{number:03d}_me.mp4")
    await until(lambda: daemon.born == 4 and lab.log.tried(Stage.STT))
    await take()
    lesson.gates[Stage.STT].set()
    await until(lambda: lab.log.tried(Stage.EXTRACT))
    await take()
    await daemon.supervisor.order(Order.PAUSE)
    await daemon.supervisor.ask(Verb.HOLD, 4)
    daemon.alarms.set(Trouble("alert_disk", "the disk is nearly full", "new videos", "free some space"))
    await take()
    for gate in lesson.gates.values():
        gate.set()
    await daemon.supervisor.order(Order.RESUME)
    await daemon.supervisor.ask(Verb.RELEASE, 4)
    await worked_off(daemon)
    for key in (STEP, b"v", b"v"):
        await take(key)
    return pictures


def shown_again(
    config: Path, drawn: Path, speed: float, pictures: list[tuple[str, bytes, list[str]]]
) -> None:
    """Replay the class, and compare each picture at the time at which it was taken."""
    times = [str(from_iso(at)) for at, _, _ in pictures]
    with screen(drawn, "replay", str(config), str(speed), *times) as again:
        for at, key, rows in pictures:
            now = again.picture()
            if key != STEP:
                now = again.picture(key)
            assert now[1:-1] == list(map(_without_offers, rows[1:-1])), (at, speed)
            assert f"REPLAY {clock(from_iso(at), seconds=True)} {speed:g}x" in now[0]
            assert _rest(now[0]).startswith(_rest(rows[0])[:16])


def _without_offers(row: str) -> str:
    """A row without the key that did the next step: in a recording nothing can be done."""
    return re.sub(r" \w (?=retry it)", " > ", row)


def _rest(title: str) -> str:
    """The title after its badge and clock, which are the replay's own."""
    return " ".join(re.sub(r"^.*?(\d\d:\d\d  |x  )", "", title).split())


@pytest.mark.alone  # a picture must be taken before the next change of what it shows, which takes a second
async def test_a_replayed_class_shows_the_pictures_that_it_showed_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.monitoring.record._EVERY_S", 0.1)
    monkeypatch.setattr("daemon.monitoring.record._IDLE", 1)
    monkeypatch.setattr("daemon.gpu.history._SAMPLE_S", 0.1)
    monkeypatch.setattr("daemon.app.run.NvmlGpu", Card)
    monkeypatch.setattr(
        StatusReader, "_disk", lambda _: Disk(free_mb=60_000, total_mb=90_000, min_free_mb=2_000)
    )
    lab = Lab(tmp_path, broken, dict.fromkeys(Stage, 1.0))
    async with lab.daemon() as daemon:
        lesson = Lesson(lab, daemon)
        with screen(tmp_path / "live", "live", str(lab.config.paths.socket)) as live:
            pictures = await taught(lesson, live)
    assert len({"".join(rows) for _, _, rows in pictures}) == len(pictures), "each shows something else"
    for speed in (1.0, 60.0):
        file = tmp_path / "introeval.toml"
        await asyncio.to_thread(shown_again, file, tmp_path / f"at{speed:g}", speed, pictures)
