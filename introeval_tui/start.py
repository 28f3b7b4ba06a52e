"""Opens the dashboard, after finding out what the terminal can do."""

import locale
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from introeval_tui.settings import read_keys, settings_file

if TYPE_CHECKING:
    from introeval_tui.app import Dashboard
    from introeval_tui.link.setup import Setup
    from introeval_tui.link.tape import Tape


def full_screen() -> bool:
    """Whether the dashboard can be drawn: not into a pipe, and not on a terminal without cursor control."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb")


def only_ascii() -> bool:
    """Whether the terminal's encoding is not a Unicode one, and so lacks the dashboard's signs."""
    encoding = (sys.stdout.encoding or locale.getpreferredencoding(False)).lower().replace("-", "")
    return encoding not in ("utf8", "utf16", "utf32")


def open_dashboard(
    socket: Callable[[], Path],
    *,
    read_only: bool = False,
    ascii_only: bool = False,
    mouse: bool = True,
    refresh_s: float = 1.0,
    tape: "Tape | None" = None,
    review: str | None = None,
    review_every: bool = False,
) -> int:
    """Run the dashboard until it is closed, and return the exit code. Raises SettingsError.

    With a `tape` it shows a day that is replayed; `review` names a class whose review it opens with.
    """
    from introeval_tui.app import Dashboard
    from introeval_tui.link.setup import Setup

    keys: dict[str, str] = {}
    if (file := settings_file()).exists():
        keys = read_keys(file, _known_ids())
    setup = Setup(socket, read_only, ascii_only or only_ascii(), refresh_s, keys, review, review_every)
    dashboard = _replayed(setup, tape) if tape else Dashboard(setup)
    said = dashboard.run(mouse=mouse)
    return dashboard.return_code or 0 if said is None else said


def _replayed(setup: "Setup", tape: "Tape") -> "Dashboard":
    from introeval_tui.replayed import Replayed

    return Replayed(setup, tape)


def _known_ids() -> set[str]:
    """The ids of actions that the operator's settings may name."""
    from textual.binding import Binding

    from introeval_tui.app import Dashboard
    from introeval_tui.replayed import Replayed
    from introeval_tui.screens.board import Board
    from introeval_tui.screens.class_screen import ClassScreen
    from introeval_tui.screens.detail import DetailScreen
    from introeval_tui.screens.review import ReviewScreen

    screens = (Dashboard, Replayed, Board, DetailScreen, ClassScreen, ReviewScreen)
    every: list[object] = [each for of in screens for each in of.BINDINGS]
    return {binding.id for binding in every if isinstance(binding, Binding) and binding.id}
