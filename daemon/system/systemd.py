"""Notifications to systemd, over the datagram socket that `$NOTIFY_SOCKET` names (sd_notify(3)).

Without systemd there is no such socket, and nothing is sent. The watchdog is fed by the event loop and not by
a thread, and only while the supervisor makes progress. So systemd ends a daemon whose event loop hangs, and
one whose supervisor waits for ever.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

log = structlog.get_logger()

STUCK_S = 120.0
"""A turn of the supervisor that takes longer hangs: it waits only for the database and, at most once, for the
Docker engine. Each attempt at a database that can't be written counts as a step."""
_ROOM_S = 1.0  # wait for room in systemd's queue


@dataclass(frozen=True, slots=True)
class Pulse:
    """The progress of the main loop: its number of steps, and whether it waits for an event."""

    steps: int
    resting: bool
    said: str = ""  # one line for `systemctl status`


class ProgressWatch:
    """Judges from repeated pulses whether the main loop makes progress."""

    def __init__(self, stuck_s: float = STUCK_S) -> None:
        self._stuck_s = stuck_s
        self._steps = -1
        self._moved_at = 0.0

    def lives(self, pulse: Pulse, now: float) -> bool:
        """Whether the loop rests, or took a step within the last `stuck_s` seconds. `now` is monotonic."""
        if pulse.resting or pulse.steps != self._steps:
            self._steps, self._moved_at = pulse.steps, now
        return now - self._moved_at < self._stuck_s


class Notifier:
    """Sends messages to systemd. One that can't be sent is logged, since the work does not depend on it.

    systemd queues ten unread messages. A message that is sent only once waits a second for room: without
    the end of a reload a unit would stay "reloading". The watchdog's does not wait: it is sent again soon.
    """

    def __init__(self, environ: Mapping[str, str], pid: int) -> None:
        """`pid` is our process id: another process's watchdog is not fed."""
        self._address = address(environ.get("NOTIFY_SOCKET", ""))
        self.watchdog_s = watchdog_s(environ, pid) if self._address else None

    def ready(self, said: str) -> None:
        """Report that the daemon answers on its socket, or that a reload ended."""
        self._send(_ROOM_S, READY="1", STATUS=said)

    def reloading(self) -> None:
        """Report that the configuration is read again; `ready` or `stopping` must follow."""
        now = str(time.monotonic_ns() // 1000)
        self._send(_ROOM_S, RELOADING="1", MONOTONIC_USEC=now, STATUS="reloading")

    def stopping(self, within_s: float) -> None:
        """Report that the daemon ends within so many seconds."""
        within = str(int(within_s * 1e6))
        self._send(_ROOM_S, STOPPING="1", EXTEND_TIMEOUT_USEC=within, STATUS="stopping")

    def alive(self, said: str) -> None:
        """Feed the watchdog."""
        self._send(0.0, WATCHDOG="1", **({"STATUS": said} if said else {}))

    def _send(self, wait_s: float, /, **fields: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(wait_s)
                sender.connect(self._address)
                sender.send(message(fields))
        except OSError as exc:
            log.warning("a message to systemd cannot be sent", fields=sorted(fields), error=str(exc))


async def feed(notifier: Notifier, look: Callable[[], Pulse], watch: ProgressWatch) -> None:
    """Feed the watchdog for ever, three times in each of its intervals, while `look` shows progress."""
    if notifier.watchdog_s is None:
        return
    lived = True
    while True:
        pulse = look()
        lives = watch.lives(pulse, time.monotonic())
        if lives:
            notifier.alive(pulse.said)
        elif lived:
            log.error("the supervisor is stuck in a turn; systemd will end the daemon", steps=pulse.steps)
        lived = lives
        await asyncio.sleep(notifier.watchdog_s / 3)


def address(named: str) -> str | None:
    """The socket address in `$NOTIFY_SOCKET`: a path, or with @ an abstract one; None for anything else."""
    if named.startswith("@") and len(named) > 1:
        return "\0" + named[1:]
    return named if named.startswith("/") else None


def watchdog_s(environ: Mapping[str, str], pid: int) -> float | None:
    """The interval in seconds at which process `pid` must feed the watchdog; None without a watchdog."""
    micro = environ.get("WATCHDOG_USEC", "")
    meant = environ.get("WATCHDOG_PID", str(pid))
    if not micro.isdecimal() or int(micro) == 0 or meant != str(pid):
        return None
    return int(micro) / 1e6


def message(fields: Mapping[str, str]) -> bytes:
    """The datagram, a line NAME=value for each field. Line breaks in a value become spaces."""
    return "\n".join(f"{name}={' '.join(value.splitlines())}" for name, value in fields.items()).encode()
