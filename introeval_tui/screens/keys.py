"""The keys that can be used now, as help, palette and footer show them; read from the bindings."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.dom import DOMNode

from introeval_tui.rows.cells import Piece

NOTES = (
    "Only keys that can do something now are listed. Quitting never affects the work.",
    "Keys can be changed in ~/.config/introeval/tui.toml. A stray Esc on a slow line: set ESCDELAY=200.",
)
_FOOT = {
    "help": "help",
    "leave": "back",
    "save": "save",
    "accept": "take",
    "score": "score",
    "feedback": "feedback",
    "reason": "reason",
    "undo": "undo",
    "drop": "drop",
    "ahead": "next",
    "every": "all",
    "open": "detail",
    "retry": "retry",
    "rate": "rate",
    "deliver": "deliver",
    "decide": "accept",
    "hold": "hold",
    "next": "next",
    "cancel": "cancel",
    "acknowledge": "seen",
    "source": "source",
    "wrap": "wrap",
    "times": "times",
    "attention": "attention",
    "missing": "missing",
    "standing": "standing",
    "filter": "filter",
    "mark": "mark",
    "pause": "pause",
    "halt": "halt",
    "view": "view",
    "next_tab": "next tab",
    "sort": "sort",
    "drain": "drain",
    "retry_failed": "retry failed",
    "go": "go",
    "review": "review",
    "class": "class",
    "palette": "all",
}
"""The entries of the footer by the id of their binding, the most important first; the last is "quit"."""
_SHOWN = {"question_mark": "?", "colon": ":", "plus": "+", "equals_sign": "=", "minus": "-", "slash": "/"}
_SHOWN |= {
    "exclamation_mark": "!",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "escape": "Esc",
    "enter": "Enter",
    "space": "Space",
    "pagedown": "PgDn",
    "pageup": "PgUp",
    "home": "Home",
    "end": "End",
    "f1": "F1",
    "shift+tab": "S-Tab",
    "full_stop": ".",
    "comma": ",",
    "greater_than_sign": ">",
    "less_than_sign": "<",
    "left_parenthesis": "(",
    "right_parenthesis": ")",
}


def shown(key: str) -> str:
    """A key as it is shown."""
    return _SHOWN.get(key, key)


TRY_NOW = "try now"
"""The name of the key that retries the failed tasks, while the daemon is offline."""
_GROUPS = {
    "the selected or marked tasks": (
        *("open", "log", "retry", "rate", "deliver", "hold", "next", "cancel", "acknowledge", "mark"),
        *("decide", "undo", "copy"),
    ),
    "the result": (
        *("accept", "score", "overall_rating", "clarity_of_speech", "content_quality", "confidence_level"),
        *("feedback", "reason", "save", "drop"),
    ),
    "the class": ("review", "class", "standing", "missing", "every", "ahead", "previous"),
    "the whole daemon": ("pause", "drain", "go", "retry_failed", "deadline"),
    "the list": ("attention", "view", "filter", "sort", "reverse", "export", "back"),
    "the log": ("follow", "source", "wrap", "times"),
}
_REST = "the screen"
VERBS = [
    Binding("r", "verb('retry')", "retry", id="retry"),
    Binding("x", "verb('cancel')", "cancel", id="cancel"),
    Binding("h", "verb('hold')", "hold, or release", id="hold"),
    Binding("n", "verb('next')", "next: before all others, or back", id="next"),
    Binding("a", "verb('rate')", "rate again", id="rate"),
    Binding("d", "verb('deliver')", "deliver again", id="deliver"),
    Binding("c", "verb('acknowledge')", "seen: acknowledge", id="acknowledge"),
    Binding("A", "verb('decide')", "accept the result", id="decide"),
    Binding("u", "verb('undo')", "take back the decision", id="undo"),
]
"""The keys of the requests for a task, the same in all screens."""


class Bound(NamedTuple):
    """A binding with all keys of its action, and its owner: the app or a screen."""

    keys: list[str]
    binding: Binding
    owner: DOMNode

    @property
    def name(self) -> str:
        """Its id, the same for one action in all screens."""
        return (self.binding.id or "").removeprefix("detail_")

    @property
    def shown(self) -> str:
        """All of its keys."""
        return " ".join(shown(key) for key in self.keys)


def bound(found: Iterable[tuple[DOMNode, Binding]]) -> list[Bound]:
    """The described bindings by action."""
    by_action: dict[str, Bound] = {}
    for owner, binding in found:
        if binding.description and binding.id:
            by_action.setdefault(binding.action, Bound([], binding, owner)).keys.append(binding.key)
    return list(by_action.values())


def commands(app: App[int], offers: Sequence[Bound], labels: Mapping[str, str]) -> Iterable[SystemCommand]:
    """Yield the actions as commands of the palette."""
    for each in offers:
        if each.name != "palette":
            run = partial(app.run_action, each.binding.action, each.owner)
            yield SystemCommand(labels.get(each.name, each.binding.description), f"key {each.shown}", run)


def grouped(offers: Sequence[Bound], labels: Mapping[str, str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The keys and what they do, for help: by what they are for."""
    group_of = {name: group for group, names in _GROUPS.items() for name in names}
    found: dict[str, list[tuple[str, str]]] = {group: [] for group in (*_GROUPS, _REST)}
    for each in offers:
        said = labels.get(each.name, each.binding.description)
        found[group_of.get(each.name, _REST)].append((each.shown, said))
    return [(group, lines) for group, lines in found.items() if lines]


def foot(
    offers: Sequence[Bound], labels: Mapping[str, str], room: int
) -> tuple[list[Piece], dict[str, Bound]]:
    """The entries of the footer that have room, and the binding of each piece."""
    by_name = {each.name: each for each in offers}
    pieces: list[Piece] = []
    pointed: dict[str, Bound] = {}
    last = by_name.get("quit")
    left = room - (len(_entry(last, "quit")[0]) + 6 if last is not None else 0)
    first = [("retry_failed", "")] if labels.get("retry_failed") == TRY_NOW else []
    for name, label in [*first, *_FOOT.items(), ("quit", "quit")]:
        each = by_name.get(name)
        if each is None:
            continue
        key, said = _entry(each, labels.get(name, label))
        size = len(key) + len(said)
        if name == "quit":
            left += size
        if size > left or key in pointed:
            continue
        left -= size
        pieces += [(key, "bold cyan"), (said, "dim")]
        pointed |= {key: each, said: each}
    return pieces, pointed


def _entry(each: Bound, label: str) -> Piece:
    key = shown(each.keys[0])
    key = key.lower() if len(key) > 1 else key
    return f" {key}", label if not key.isalnum() else f":{label}"
