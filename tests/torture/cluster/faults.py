"""What can happen to the machines of a class, and how it is over again."""

import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from random import Random

import psutil

from tests.torture.cluster.network import NetLab

FROZEN_S = 12.0  # longer than a machine is waited for
_SLOW_S, _SLICE_S = 6.0, 0.25
_LOST_SHARE = 0.3


def _killed(lab: NetLab, at: int) -> None:
    lab.end(f"node{at}")
    lab.begin_node(at)


def _frozen(lab: NetLab, at: int) -> None:
    lab.kill(f"node{at}", by=signal.SIGSTOP)
    time.sleep(FROZEN_S)
    lab.kill(f"node{at}", by=signal.SIGCONT)


def _actor_killed(lab: NetLab, at: int) -> None:
    lab.kill(f"node{at}", only="NodeActor")


def _agent_killed(lab: NetLab, at: int) -> None:
    lab.kill(f"node{at}", only="raylet/raylet")


def _cut(lab: NetLab, at: int) -> None:
    lab.cut(at, off=True)
    time.sleep(FROZEN_S)
    lab.cut(at, off=False)


def _slow(lab: NetLab, at: int) -> None:
    until = time.monotonic() + _SLOW_S
    while time.monotonic() < until:
        for by in (signal.SIGSTOP, signal.SIGCONT):
            lab.kill(f"node{at}", by=by)
            time.sleep(_SLICE_S)


def _lossy(lab: NetLab, at: int) -> None:
    lab.lose(at, _LOST_SHARE)
    time.sleep(FROZEN_S)
    lab.lose(at, 0)


def _rays_head_killed(lab: NetLab, at: int) -> None:
    lab.kill("head", only="gcs_server")


DAEMON_KILLED, RAYS_HEAD_KILLED = "daemon killed", "Ray's head killed"
GIVES_UP = {
    "machine killed",
    "machine frozen",
    "actor killed",
    "agent killed",
    "network cut",
    RAYS_HEAD_KILLED,
}
"""The faults after which the head gives up at least the machine that is hit."""

FAULTS: Mapping[str, Callable[[NetLab, int], None]] = {
    "machine killed": _killed,
    "machine frozen": _frozen,
    "actor killed": _actor_killed,
    "agent killed": _agent_killed,
    "network cut": _cut,
    "machine slow": _slow,
    "network lossy": _lossy,
    RAYS_HEAD_KILLED: _rays_head_killed,
}
"""What happens to a machine; each returns when it is over. The daemon's own kill is the campaign's."""


def draw(random: Random) -> str:
    """A fault; the daemon's own kill is one of them."""
    return random.choice([*FAULTS, DAEMON_KILLED])


def kill_all(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process with all below it."""
    with suppress(psutil.NoSuchProcess):
        for each in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
            with suppress(psutil.NoSuchProcess):
                each.kill()
    process.wait()
