"""The dashboard of a day that is replayed: the same screens, with keys that move the time."""

from dataclasses import replace

from textual.binding import Binding

from introeval_tui.app import Dashboard
from introeval_tui.link.setup import Setup
from introeval_tui.link.tape import Tape
from introeval_tui.rows.state import Scene

_REDRAW_S = 0.5


class Replayed(Dashboard):
    """Its clock is that of the tape. Orders and requests are refused: this is a recording."""

    BINDINGS = [
        Binding("P", "halt", "halt the replay, or go on", id="halt"),
        Binding("plus,equals_sign", "faster(1)", "replay faster", id="faster"),
        Binding("minus", "faster(-1)", "replay slower", id="slower"),
        Binding("full_stop", "jump(60)", "a minute on", id="minute_on"),
        Binding("comma", "jump(-60)", "a minute back", id="minute_back"),
        Binding("greater_than_sign", "jump(600)", "ten minutes on", id="minutes_on"),
        Binding("less_than_sign", "jump(-600)", "ten minutes back", id="minutes_back"),
        Binding("left_parenthesis", "ends(False)", "the begin of the recording", id="begin"),
        Binding("right_parenthesis", "ends(True)", "the end of the recording", id="end"),
    ]

    def __init__(self, setup: Setup, tape: Tape) -> None:
        super().__init__(setup)
        self._tape = tape

    def begin(self) -> None:
        """Draw also when nothing is new: the time runs faster than the polling."""
        super().begin()
        self.set_interval(_REDRAW_S, self.draw)

    @property
    def scene(self) -> Scene:
        """The snapshot to draw, at the time of the tape."""
        scene = super().scene
        now = scene.now if scene.frozen else self._tape.now()
        return replace(scene, now=now, replay=self._tape.badge)

    def action_halt(self) -> None:
        """Halt the replay, or go on."""
        self._tape.pause()
        self.draw()

    def action_faster(self, by: int) -> None:
        """Replay faster, or slower."""
        self._tape.faster(by)
        self.draw()

    def action_jump(self, seconds: float) -> None:
        """Go on or back by some seconds."""
        self._tape.jump(seconds)
        self.hurry()

    def action_ends(self, last: bool) -> None:
        """Go to the begin or to the end."""
        self._tape.ends(last=last)
        self.hurry()
