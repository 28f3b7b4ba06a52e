"""Opens the dashboard: what the terminal can do is found out before anything is drawn."""

import locale
import os
import sys
from collections.abc import Callable
from pathlib import Path


class SettingsError(Exception):
    """The file of settings says what can't be; the message is one line that says what to do."""


def settings_file() -> Path:
    """Where the settings of the one who looks are."""
    config = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(config) / "introeval" / "tui.toml"


def full_screen() -> bool:
    """Whether a whole screen can be drawn: not into a pipe, and not on a terminal without a cursor."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb")


def only_ascii() -> bool:
    """Whether the terminal's encoding has no more than ASCII, or another that lacks our signs."""
    encoding = (sys.stdout.encoding or locale.getpreferredencoding(False)).lower().replace("-", "")
    return encoding not in ("utf8", "utf16", "utf32")


def open_dashboard(
    socket: Callable[[], Path],
    *,
    read_only: bool = False,
    ascii_only: bool = False,
    mouse: bool = True,
    refresh_s: float = 1.0,
) -> int:
    """Run it until it is closed; the exit code. Raises SettingsError."""
    from introeval_tui.app import Dashboard, Setup

    keys: dict[str, str] = {}
    if (file := settings_file()).exists():
        from introeval_tui.keys import known_ids
        from introeval_tui.settings import read_keys

        keys = read_keys(file, known_ids())
    setup = Setup(socket, read_only, ascii_only or only_ascii(), refresh_s, keys)
    dashboard = Dashboard(setup)
    said = dashboard.run(mouse=mouse)
    return dashboard.return_code if said is None else said
