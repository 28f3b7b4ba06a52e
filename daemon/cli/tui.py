"""`introeval tui`: the dashboard. Parsed with argparse, since typer would delay the first paint."""

import argparse
import gc
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

SUMMARY = "Open the dashboard of the running daemon. Closing it never affects the work."
_DUMB = "this terminal cannot draw the dashboard; this is one frame as text"
_REFRESH_S = (0.2, 60.0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and end the process with its exit code. `arguments` are by default the process's."""
    from daemon.core.errors import IntroEvalError

    gc.disable()  # until the first paint; the dashboard switches it on again
    chosen = _parser().parse_args(sys.argv[2:] if arguments is None else arguments)
    try:
        code = _run(chosen)
    except IntroEvalError as exc:
        print(f"introeval: {exc}", file=sys.stderr)
        code = exc.exit_code
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="introeval tui", description=SUMMARY)
    parser.add_argument("--socket", type=Path, help="the daemon's socket; default: the configured one")
    parser.add_argument("--read-only", action="store_true", help="allow no changes")
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    parser.add_argument(
        "--refresh", type=_seconds, default=1.0, metavar="S", help="seconds between updates (1)"
    )
    parser.add_argument("--once", action="store_true", help="print one frame as text, and exit")
    return parser


def _seconds(said: str) -> float:
    least, most = _REFRESH_S
    seconds = float(said)
    if not least <= seconds <= most:
        raise argparse.ArgumentTypeError(f"must be from {least:g} to {most:g} seconds")
    return seconds


def _run(chosen: argparse.Namespace) -> int:
    from introeval_tui import start
    from introeval_tui.settings import SettingsError

    socket: Path | None = chosen.socket
    where: Callable[[], Path] = _configured if socket is None else lambda: socket
    if chosen.once or not start.full_screen():
        if not chosen.once:
            print(_DUMB, file=sys.stderr)
        print(_frame(where(), chosen.ascii or start.only_ascii()))
        return 0
    try:
        return start.open_dashboard(
            where,
            read_only=chosen.read_only,
            ascii_only=chosen.ascii,
            mouse=not chosen.no_mouse,
            refresh_s=chosen.refresh,
        )
    except SettingsError as exc:
        from daemon.core.errors import ConfigError

        raise ConfigError(str(exc)) from exc


def _frame(path: Path, ascii_only: bool) -> str:
    from introeval_tui.link.client import Unreachable
    from introeval_tui.once import frame

    try:
        return frame(path, ascii_only=ascii_only)
    except Unreachable as exc:
        from daemon.core.errors import NotRunning

        fix = f"; {exc.mend}" if exc.mend else ""
        raise NotRunning(f"no daemon answers on {path} ({exc.reason}){fix}") from exc


def _configured() -> Path:
    """The configured socket. Called after the first paint: pydantic takes longer to load than that."""
    from daemon.cli.common import configuration

    return configuration().paths.socket
