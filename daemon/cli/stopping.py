"""`introeval stop`: ends the running daemon as SIGTERM does, and waits until it is gone."""

import json
import os
import select
import signal
import socket as sockets
import struct
import subprocess
import sys
import time
from pathlib import Path

from daemon.cli.common import configuration
from daemon.cli.declare import AsJson
from daemon.core.errors import IllegalTransition, NotAllowed, NotRunning, Stopping
from daemon.core.tasks.task import OPEN, RUNNING

_MARGIN_S = 60.0
"""As the service grants beyond the attempts' grace: engines are stopped, containers restored."""
_SYSTEMD_S = 5.0
_REVIVED = ("always", "on-success")


def stop(as_json: AsJson = False) -> None:
    """Stop the running daemon, and wait until it is gone.

    Running attempts may end within run.stop_grace_s; what has not ended by then waits again, and is not
    charged. The work continues at the next start. A service that systemd runs stays stopped until it is
    started again, or the next boot.
    """
    from daemon.cli import watching

    config = configuration()
    status = watching.ask_status(config.paths.socket)
    pid = _listener(config.paths.socket)
    if status.pid != pid:
        told = f"process {pid} listens on {config.paths.socket}, and the daemon says that it is {status.pid}"
        raise NotRunning(f"{told}; end it by hand")
    process = os.pidfd_open(pid)  # from here on the id cannot become another process's
    unit = _revived_by(pid)
    if unit:
        raise IllegalTransition(f"systemd would start the daemon again at once; run: systemctl stop {unit}")
    working = sum(status.counts.get(each, 0) for each in RUNNING)
    if not as_json:
        told = f"; {working} running attempts may end within {config.run.stop_grace_s:g} s" if working else ""
        print(f"stopping the daemon, process {pid}{told}", file=sys.stderr)
    begun = time.monotonic()
    try:
        signal.pidfd_send_signal(process, signal.SIGTERM)
    except PermissionError:
        told = f"you may not stop process {pid}, which another user runs"
        raise NotAllowed(f"{told}; run: sudo introeval stop") from None
    limit_s = config.run.stop_grace_s + _MARGIN_S
    if not select.select([process], [], [], limit_s)[0]:
        raise Stopping(f"the daemon is still stopping after {limit_s:.0f} s; see: introeval logs")
    left = sum(status.counts.get(each, 0) for each in OPEN)
    if as_json:
        print(json.dumps({"pid": pid, "seconds": round(time.monotonic() - begun, 1), "open": left}))
    else:
        print("the daemon has stopped" + (f"; {left} open tasks continue at the next start" if left else ""))


def _listener(path: Path) -> int:
    """The id of the process that listens on the socket, from the kernel. Raises NotRunning."""
    with sockets.socket(sockets.AF_UNIX) as asked:
        try:
            asked.connect(str(path))
        except OSError as exc:
            raise NotRunning(f"no daemon answers on {path} any more") from exc
        peer = asked.getsockopt(sockets.SOL_SOCKET, sockets.SO_PEERCRED, struct.calcsize("3i"))
    pid: int = struct.unpack("3i", peer)[0]
    return pid


def _revived_by(pid: int) -> str:
    """The unit whose main process this is, if systemd starts it again after a good end; else empty."""
    try:
        unit = Path(f"/proc/{pid}/cgroup").read_text().strip().rpartition("/")[2]
        if not unit.endswith(".service"):
            return ""
        line = ("systemctl", "show", "--property=MainPID,Restart", unit)
        said = subprocess.run(line, capture_output=True, text=True, timeout=_SYSTEMD_S, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    found = dict(each.split("=", 1) for each in said.splitlines() if "=" in each)
    return unit if found.get("MainPID") == str(pid) and found.get("Restart") in _REVIVED else ""
