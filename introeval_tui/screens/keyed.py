"""The base of the screens with keys: help, palette, footer and hints show the keys that can be used now."""

from typing import TYPE_CHECKING, cast

from textual.screen import Screen

from introeval_tui import actions
from introeval_tui.rows.cells import Piece
from introeval_tui.rows.state import Link
from introeval_tui.rows.target import Target
from introeval_tui.screens import keys
from introeval_tui.screens.keys import Bound

if TYPE_CHECKING:
    from introeval_tui.screens.app_protocol import DashboardApp

_VERB = "verb('"


class KeyedScreen(Screen[None]):
    """Its actions begin with `why_not`; what has a reason against it is offered nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self._bound: list[Bound] = []
        self._pointed: dict[str, Bound] = {}

    @property
    def dashboard(self) -> "DashboardApp":
        """The app."""
        return cast("DashboardApp", self.app)

    @property
    def targets(self) -> list[Target]:
        """The items that a request would be for."""
        raise NotImplementedError

    def why_not(self, action: str) -> str:
        """Why an action of this screen cannot be done now, in one line; empty when it can."""
        if action.startswith(_VERB):
            verb = actions.meant(action[len(_VERB) : -2], self.targets)
            scene = self.dashboard.scene
            return scene.forbidden or actions.why_not(verb, self.targets, scene.now)
        return ""

    def _all(self) -> list[Bound]:
        """All bindings. Read once: keys are changed only before the first screen."""
        if not self._bound:
            active = self.active_bindings.values()
            found = [(each.node, each.binding) for each in active if each.node in (self.app, self)]
            self._bound = keys.bound(found)
        return self._bound

    def offers(self) -> list[Bound]:
        """The bindings that can be used now."""
        return [
            each
            for each in self._all()
            if not (self if each.owner is self else self.dashboard).why_not(each.binding.action)
        ]

    def labels(self) -> dict[str, str]:
        """The names of those keys that do one of two things."""
        known = self.dashboard.known
        return {
            "hold": actions.meant("hold", self.targets),
            "next": "next" if actions.meant("next", self.targets) == "next" else "not next",
            "pause": "pause" if known.status is None else actions.order_meant("pause", known.status),
            "retry_failed": keys.TRY_NOW if known.link is Link.DOWN else "retry failed",
        }

    def key_names(self) -> dict[str, str]:
        """The first key of each request for a task."""
        names = {}
        for each in self._all():
            if each.binding.action.startswith(_VERB):
                names[each.binding.action[len(_VERB) : -2]] = keys.shown(each.keys[0])
        return names | {undone: names[verb] for verb, undone in actions.UNDOES.items() if verb in names}

    def foot(self, room: int) -> list[Piece]:
        """The footer: as many keys as have room, the most important first."""
        pieces, self._pointed = keys.foot(self.offers(), self.labels(), room)
        return pieces

    def press(self, piece: str) -> None:
        """Do what the clicked piece of the footer names."""
        each = self._pointed.get(piece)
        if each is not None:
            self.app.call_later(self.app.run_action, each.binding.action, each.owner)
