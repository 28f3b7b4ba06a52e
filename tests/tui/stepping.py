"""A dashboard, live or of a replayed day, that polls and draws when a key is pressed, and at no other time.

Its clock stands between two polls, so that a picture belongs to one moment. After each picture the number of
pictures so far is written to a file, for the test that waits for it.
"""

import sys
from pathlib import Path
from typing import Any, ClassVar

from textual.binding import Binding

import introeval_tui
from daemon.cli.playing import playing
from daemon.config.load import load
from introeval_tui.app import Dashboard
from introeval_tui.link.setup import Setup
from introeval_tui.replayed import Replayed
from introeval_tui.rows.state import Snapshot

STEP = b"\x1b[19~"  # F8
NEVER_S = 3600.0


class Stepping(Dashboard):
    """Draws each answer."""

    CSS_PATH = str(Path(introeval_tui.__file__).with_name("app.tcss"))
    BINDINGS: ClassVar = [Binding("f8", "step", show=False)]
    drawn: Path
    pictures = 0

    def action_step(self) -> None:
        self.hurry()

    def _heard(self, known: Snapshot) -> None:
        super()._heard(known)
        self.draw()
        self.call_after_refresh(self._count)

    def _count(self) -> None:
        self.pictures += 1
        self.drawn.write_text(str(self.pictures))


class SteppingTape(Stepping, Replayed):
    """A replayed day: each step goes on to the next of some times, at the speed of the replay."""

    times: list[float]
    hand: list[float]

    def action_step(self) -> None:
        self.hand[0] += (self.times.pop(0) - self._tape.now()) / self._tape.speed
        self.hurry()


def setup(socket: Path) -> Setup:
    return Setup(lambda: socket, refresh_s=NEVER_S, monotonic=lambda: 0.0)


def main(drawn: str, kind: str, place: str, *more: str) -> None:
    app: Any
    if kind == "live":
        app = Stepping(setup(Path(place)))
        app.drawn = Path(drawn)
        app.run()
        return
    speed, *times = map(float, more)
    hand = [0.0]
    with playing(load(Path(place), {}), 0.0, 4e9, lambda: hand[0]) as (socket, tape):
        tape.play(speed)
        app = SteppingTape(setup(socket), tape)
        app.drawn, app.times, app.hand = Path(drawn), times, hand
        app.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
