"""`introeval tui`: the dashboard. Nothing slow is imported before its first paint."""

import gc
import sys
from collections.abc import Callable
from pathlib import Path

from daemon.cli.common import collect_as_usual, configuration
from daemon.core.errors import ConfigError, NotRunning

_DUMB = "this terminal cannot draw the dashboard; this is one frame as text"


def open_or_print(
    socket: Path | None,
    *,
    read_only: bool = False,
    ascii_only: bool = False,
    mouse: bool = True,
    refresh_s: float = 1.0,
    once: bool = False,
    review: str | None = None,
    review_every: bool = False,
) -> int:
    """Run the dashboard until it is closed, or print one frame, and return the exit code.

    `review` names a class whose review it opens with.
    """
    collect_as_usual()
    gc.disable()  # until the first paint; the dashboard switches it on again
    from introeval_tui import start
    from introeval_tui.settings import SettingsError

    where: Callable[[], Path] = _configured if socket is None else lambda: socket
    if once or not start.full_screen():
        if not once:
            print(_DUMB, file=sys.stderr)
        print(_frame(where(), ascii_only or start.only_ascii()))
        return 0
    try:
        return start.open_dashboard(
            where,
            read_only=read_only,
            ascii_only=ascii_only,
            mouse=mouse,
            refresh_s=refresh_s,
            review=review,
            review_every=review_every,
        )
    except SettingsError as exc:
        raise ConfigError(str(exc)) from exc


def _frame(path: Path, ascii_only: bool) -> str:
    from introeval_tui.link.client import Unreachable
    from introeval_tui.once import frame

    try:
        return frame(path, ascii_only=ascii_only)
    except Unreachable as exc:
        fix = f"; {exc.fix}" if exc.fix else ""
        raise NotRunning(f"no daemon answers on {path} ({exc.reason}){fix}") from exc


def _configured() -> Path:
    """The configured socket. Called after the first paint: pydantic takes longer to load than that."""
    return configuration().paths.socket
