"""`introeval tui`: the dashboard. Nothing heavy is imported before its first paint, and typer would be."""

import argparse
import gc
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

SUMMARY = "Open the dashboard. It attaches to a running daemon; closing it never touches the work."
_DUMB = "this terminal can't draw a whole screen; this is one frame as text"
_REFRESH_S = (0.2, 60.0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command with its arguments, by default those of this process, to its exit code."""
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
    parser.add_argument("--read-only", action="store_true", help="change nothing")
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII signs only")
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    parser.add_argument(
        "--refresh", type=_seconds, default=1.0, metavar="S", help="seconds between two questions (1)"
    )
    parser.add_argument("--once", action="store_true", help="print one frame as text, and end")
    return parser


def _seconds(said: str) -> float:
    least, most = _REFRESH_S
    seconds = float(said)
    if not least <= seconds <= most:
        raise argparse.ArgumentTypeError(f"is to be from {least:g} to {most:g}")
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

        mend = f"; {exc.mend}" if exc.mend else ""
        raise NotRunning(f"no daemon answers on {path} ({exc.reason}){mend}") from exc


def _configured() -> Path:
    """The socket of the configuration, whose library takes longer to load than the first paint."""
    from daemon.cli.common import configuration

    return configuration().paths.socket
