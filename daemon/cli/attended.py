"""`introeval run --dashboard`: the daemon apart from the terminal, the dashboard on it, a question at last.

The daemon is a process of a session of its own, so that neither a ctrl+c nor a closed terminal reaches it.
Only who answers the question with no ends it, and then it ends as on every other SIGTERM.
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
_SIGNALLED = 128  # exit codes from here on are of signals: nobody may be there to be asked
_QUESTION = "Leave the daemon running? Stopped, it goes on with the next start. [y/N] "


def has_operator() -> bool:
    """Whether somebody sits at a terminal that can show the dashboard. Never where CI is set."""
    from introeval_tui.start import full_screen

    return full_screen() and not os.environ.get("CI")


def run_attended(config: Config, options: Sequence[str], command: Sequence[str], console: Console) -> int:
    """Open the dashboard on the daemon, which is started first where none answers; the dashboard's exit code.

    `options` and `command` are what follows `introeval` and `run` when the daemon is started. Raises
    NotRunning when it does not come up, ConfigError when the dashboard's settings can't be used.
    """
    path = config.paths.socket
    if _answers(path):
        console.print("A daemon runs already; this is the dashboard on it.", highlight=False)
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
    _part(daemon, console, ask=code < _SIGNALLED)
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
            raise NotRunning(f"the daemon did not answer within {_START_S:.0f} s; see {log}")
        time.sleep(_LOOK_S)


def _dashboard(path: Path) -> int:
    from introeval_tui.settings import SettingsError
    from introeval_tui.start import open_dashboard

    try:
        return open_dashboard(lambda: path)
    except SettingsError as exc:
        raise ConfigError(str(exc)) from exc


def _part(daemon: "subprocess.Popen[bytes]", console: Console, *, ask: bool) -> None:
    """Leave the daemon, or stop it where the operator does not want it to stay."""
    if daemon.poll() is not None:
        console.print(f"The daemon has ended with {daemon.returncode}.", highlight=False)
        return
    if ask and not _stays():
        console.print("Stopping the daemon: what runs may end first, or is put back.", highlight=False)
        daemon.terminate()
        daemon.wait()
        return
    console.print(
        f"The daemon runs on. See it with `introeval tui`, end it with `kill {daemon.pid}`.", highlight=False
    )


def _stays() -> bool:
    """The operator's answer; a terminal that ends without one changes nothing."""
    try:
        return input(_QUESTION).strip().lower() in ("y", "yes")
    except EOFError:
        return True
    except KeyboardInterrupt:
        return False
