"""A dashboard without a terminal, on a fake daemon."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from introeval_tui.app import Dashboard
from introeval_tui.link.setup import Setup
from introeval_tui.rows.state import Link
from introeval_tui.screens.board import Board
from introeval_tui.widgets.panel import Panel
from tests.support.waiting import until
from tests.tui.fake_daemon import NOW, FakeDaemon


@dataclass
class Hand:
    """A clock that stands still until it is moved."""

    at: float = 1000.0

    def __call__(self) -> float:
        return self.at


@dataclass
class Desk:
    """The open dashboard, and whoever sits before it."""

    app: Dashboard
    pilot: Pilot[int]
    fake: FakeDaemon
    hand: Hand = field(default_factory=Hand)

    @property
    def text(self) -> str:
        """What the screen on top shows."""
        return "\n".join(panel.text() for panel in self.app.screen.query(Panel) if panel.shown)

    async def press(self, *keys: str) -> None:
        """Press keys, and let them take effect."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def sees(self, *words: str) -> None:
        """Wait until the screen shows all the words."""
        try:
            await until(lambda: all(word in self.text for word in words), 10)
        except TimeoutError:
            raise AssertionError(f"{words} is not on the screen:\n{self.text}") from None

    async def asked(self, beginning: str) -> str:
        """Wait until the daemon got a request that begins so; the last of them."""
        try:
            await until(lambda: self.fake.asked(beginning), 10)
        except TimeoutError:
            raise AssertionError(f"no {beginning} in {self.fake.requests[-20:]}") from None
        return self.fake.asked(beginning)[-1]

    async def heard(self) -> None:
        """Wait for an answer that was asked for after this."""
        before = len(self.fake.asked("GET /status"))
        await until(lambda: len(self.fake.asked("GET /status")) >= before + 2)
        await self.pilot.pause()

    def board(self) -> Board:
        """The main screen."""
        board = self.app.screen_stack[0]
        assert isinstance(board, Board)
        return board


@asynccontextmanager
async def opened(
    fake: FakeDaemon, size: tuple[int, int] = (80, 24), *, start: bool = True, **setup: Any
) -> AsyncIterator[Desk]:
    """A dashboard on `fake`, once it has heard of it. It asks every 50 ms, and its clock stands still."""
    if start:
        await fake.start()
    hand = Hand()
    values: dict[str, Any] = {"refresh_s": 0.05, "wall": lambda: NOW, "monotonic": hand, **setup}
    app = Dashboard(Setup(lambda: fake.path, **values))
    async with app.run_test(size=size) as pilot:
        desk = Desk(app, pilot, fake, hand)
        await until(lambda: app.known.page is not None or app.known.link in (Link.DOWN, Link.FOREIGN))
        await pilot.pause()
        yield desk
    if start:
        await fake.kill()


def at(folder: Path) -> FakeDaemon:
    """A fake daemon that lives in a folder."""
    return FakeDaemon(folder / "d.sock")
