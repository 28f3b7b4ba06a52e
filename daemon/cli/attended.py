"""`introeval run --dashboard`: starts the daemon in the background, with the dashboard in the terminal.

The daemon has its own session, so that neither ctrl+c nor a closed terminal reaches it. When the dashboard
ends the operator is asked whether to keep the daemon; "no" sends it SIGTERM.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from daemon.config.load import Config
from daemon.core.errors import ConfigError, NotRunning

_START_S = 120.0
_LOOK_S = 0.1
_SIGNALLED = 128  # exit codes from here on are of signals: nobody may be there to answer
_QUESTION = "Leave the daemon running? If stopped, it continues at the next start. [y/N] "


def has_operator() -> bool:
    """Whether this is an interactive terminal that can show the dashboard. False where CI is set."""
    from introeval_tui.start import full_screen

    return full_screen() and not os.environ.get("CI")


def run_attended(config: Config, options: Sequence[str], command: Sequence[str], console: Console) -> int:
    """Start the daemon where none answers, open the dashboard, and return the dashboard's exit code.

    `options` and `command` are the arguments after `introeval` and after `run`. Raises NotRunning when the
    daemon does not start, ConfigError when the dashboard's settings are not valid.
    """
    path = config.paths.socket
    if _answers(path):
        console.print("A daemon is already running; opening its dashboard.", highlight=False)
        return _dashboard(path)
    log = config.paths.state / "log" / "console.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    console.print("Starting the daemon.", highlight=False)
    with log.open("wb") as output:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "daemon", *options, "run", *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _await_answer(daemon, path, log)
        code = _dashboard(path)
    except (NotRunning, ConfigError, KeyboardInterrupt):
        daemon.terminate()
        raise
    _keep_or_stop(daemon, console, ask=code < _SIGNALLED)
    return code


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def _await_answer(daemon: "subprocess.Popen[bytes]", path: Path, log: Path) -> None:
    end = time.monotonic() + _START_S
    while not _answers(path):
        if daemon.poll() is not None:
            said = [line for line in log.read_text(errors="replace").splitlines() if line]
            why = said[-1].removeprefix("introeval: ") if said else f"it ended with {daemon.returncode}"
            raise NotRunning(f"the daemon did not start: {why}")
        if time.monotonic() > end:
            raise NotRunning(f"the daemon did not answer within {_START_S:.0f} s; see: {log}")
        time.sleep(_LOOK_S)


def _dashboard(path: Path) -> int:
    from introeval_tui.settings import SettingsError
    from introeval_tui.start import open_dashboard

    try:
        return open_dashboard(lambda: path)
    except SettingsError as exc:
        raise ConfigError(str(exc)) from exc


def _keep_or_stop(daemon: "subprocess.Popen[bytes]", console: Console, *, ask: bool) -> None:
    """Leave the daemon running, or stop it when the operator says so."""
    if daemon.poll() is not None:
        console.print(f"The daemon has ended with exit code {daemon.returncode}.", highlight=False)
        return
    if ask and not _wants_it_kept():
        console.print("Stopping the daemon: running attempts may end first, or wait again.", highlight=False)
        daemon.terminate()
        daemon.wait()
        return
    console.print(
        "The daemon keeps running. Dashboard: introeval tui. To stop it: introeval stop", highlight=False
    )


def _wants_it_kept() -> bool:
    """Whether the operator keeps the daemon. A terminal that closes without an answer keeps it."""
    try:
        return input(_QUESTION).strip().lower() in ("y", "yes")
    except EOFError:
        return True
    except KeyboardInterrupt:
        return False
