"""The active keys for help and palette, read from the bindings, so that changed keys are shown right."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import Screen

NOTES = (
    "Lower case is for the selected task, or for all that are marked; UPPER case is for the whole daemon.",
    "A state has a sign and a word, never a colour alone. Quitting never affects the work.",
    "Keys can be changed in ~/.config/introeval/tui.toml. A stray Esc on a slow line: set ESCDELAY=200.",
)
_SHOWN = {"question_mark": "?", "colon": ":", "plus": "+", "equals_sign": "=", "minus": "-", "slash": "/"}
_SHOWN |= {
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "escape": "Esc",
    "enter": "Enter",
    "space": "Space",
}
_SHOWN |= {
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "home": "Home",
    "end": "End",
    "f1": "F1",
    "shift+tab": "S-Tab",
}


def _own(app: App[Any], screen: Screen[Any]) -> dict[str, tuple[list[str], Binding, DOMNode]]:
    """The described bindings of app and screen by action: all keys, the binding, and its owner."""
    found: dict[str, tuple[list[str], Binding, DOMNode]] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if active.node in (app, screen) and binding.description and binding.id:
            found.setdefault(binding.action, ([], binding, active.node))[0].append(binding.key)
    return found


def working(app: App[Any]) -> list[tuple[str, str]]:
    """(keys, description) of all active bindings."""
    return [
        (" ".join(_SHOWN.get(key, key) for key in keys), binding.description)
        for keys, binding, _ in _own(app, app.screen).values()
    ]


def commands(app: App[Any], screen: Screen[Any]) -> Iterable[SystemCommand]:
    """Yield every action as a command of the palette."""
    for keys, binding, owner in _own(app, screen).values():
        if binding.id != "palette":
            help_text = "key " + " ".join(_SHOWN.get(key, key) for key in keys)
            yield SystemCommand(
                binding.description, help_text, partial(app.run_action, binding.action, owner)
            )
    yield SystemCommand(
        "pause now: running attempts are lost", "asks first", partial(app.run_action, "app.pause_now")
    )
