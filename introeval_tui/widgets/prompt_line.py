"""An input line at the foot of the screen."""

from collections.abc import Callable

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widgets import Input, Static

_LIVE_S = 0.15  # typing faster than this sends one query for several letters


class PromptLine(Horizontal):
    """Enter calls `done`, Esc `given_up`; `live` gets the text whenever typing rests for `_LIVE_S`."""

    BINDINGS = [Binding("escape", "give_up", "give up")]
    DEFAULT_CSS = """
    PromptLine { dock: bottom; height: 1; background: ansi_default; }
    PromptLine Static { width: auto; }
    PromptLine Input { width: 1fr; }
    """

    def __init__(
        self,
        hint: str,
        value: str,
        *,
        done: Callable[[str], None],
        live: Callable[[str], None] | None = None,
        given_up: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        self._hint = hint
        self._value = value
        self._done = done
        self._live = live
        self._given_up = given_up
        self._rest: Timer | None = None

    def compose(self) -> ComposeResult:
        """Yield the hint and the input."""
        yield Static(f" {self._hint}", markup=False)
        yield Input(self._value, classes="line", max_length=200)

    def on_mount(self) -> None:
        """Hide the row of keys, in whose place the line is."""
        self.screen.add_class("-line")

    def take_focus(self) -> None:
        """Focus the input, which then gets every key."""
        self.screen.set_focus(self.query_one(Input))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Schedule `live` with the new text."""
        event.stop()
        if self._live is None or event.value == self._value:
            return
        self._value = event.value
        if self._rest is not None:
            self._rest.stop()
        live, value = self._live, event.value
        self._rest = self.set_timer(_LIVE_S, lambda: live(value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Close the line, and call `done`."""
        event.stop()
        self._leave()
        self._done(event.value)

    def action_give_up(self) -> None:
        """Close the line, and call `given_up`."""
        self._leave()
        if self._given_up is not None:
            self._given_up()

    def _leave(self) -> None:
        if self._rest is not None:
            self._rest.stop()
        self._live = None  # a change event may still be queued
        self.screen.remove_class("-line")
        _ = self.remove()
