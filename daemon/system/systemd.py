"""What systemd is told of the daemon, over the datagram socket that `$NOTIFY_SOCKET` names.

Not run by systemd there is no such socket, and everything here does nothing. The watchdog is fed from the
event loop itself and not from a thread, and only while the supervisor gets on: so a loop that hangs is
ended by systemd, and so is one that turns while its owner waits for ever.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

log = structlog.get_logger()

STUCK_S = 120.0
"""A turn of the supervisor that takes longer hangs: it waits for the database and, at most, for an answer of
the Docker engine. The tries at a database that can't be written now count as steps of their own."""
_ROOM_S = 1.0


@dataclass(frozen=True, slots=True)
class Pulse:
    """How far the main loop is: it rests until something happens, or has come so many steps."""

    steps: int
    resting: bool
    said: str = ""  # one line for `systemctl status`


class ProgressWatch:
    """Judges by looking again and again whether the main loop gets on."""

    def __init__(self, stuck_s: float = STUCK_S) -> None:
        self._stuck_s = stuck_s
        self._steps = -1
        self._moved_at = 0.0

    def lives(self, pulse: Pulse, now: float) -> bool:
        """Whether it rests, or came a step further within the last `stuck_s` seconds."""
        if pulse.resting or pulse.steps != self._steps:
            self._steps, self._moved_at = pulse.steps, now
        return now - self._moved_at < self._stuck_s


class Notifier:
    """Tells systemd. A message that can't be sent is logged: the work does not depend on it.

    systemd holds ten messages that it has not read. What comes only once waits a second for room: without
    the end of a reload a unit would stay "reloading". The watchdog's is sent again soon enough.
    """

    def __init__(self, environ: Mapping[str, str], pid: int) -> None:
        """`pid` is ours: a watchdog that is meant for another process is not fed."""
        self._address = address(environ.get("NOTIFY_SOCKET", ""))
        self.watchdog_s = watchdog_s(environ, pid) if self._address else None

    def ready(self, said: str) -> None:
        """The daemon answers on its socket; also the end of a reload."""
        self._send(_ROOM_S, READY="1", STATUS=said)

    def reloading(self) -> None:
        """The configuration is read anew; `ready` or `stopping` follows."""
        now = str(time.monotonic_ns() // 1000)
        self._send(_ROOM_S, RELOADING="1", MONOTONIC_USEC=now, STATUS="reloading")

    def stopping(self, within_s: float) -> None:
        """The daemon ends, within so many seconds."""
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
            log.warning("systemd cannot be told", fields=sorted(fields), error=str(exc))


async def feed(notifier: Notifier, look: Callable[[], Pulse], watch: ProgressWatch) -> None:
    """Feed the watchdog for ever, three times in each of its intervals, while `look` shows pulse."""
    if notifier.watchdog_s is None:
        return
    lived = True
    while True:
        pulse = look()
        lives = watch.lives(pulse, time.monotonic())
        if lives:
            notifier.alive(pulse.said)
        elif lived:
            log.error(
                "the supervisor is stuck in a turn: systemd is left to end the daemon", steps=pulse.steps
            )
        lived = lives
        await asyncio.sleep(notifier.watchdog_s / 3)


def address(named: str) -> str | None:
    """The address of the socket that `$NOTIFY_SOCKET` names, a path or with @ an abstract one; else None."""
    if named.startswith("@") and len(named) > 1:
        return "\0" + named[1:]
    return named if named.startswith("/") else None


def watchdog_s(environ: Mapping[str, str], pid: int) -> float | None:
    """The interval in which process `pid` is to feed the watchdog, in seconds, or None."""
    micro = environ.get("WATCHDOG_USEC", "")
    meant = environ.get("WATCHDOG_PID", str(pid))
    if not micro.isdecimal() or int(micro) == 0 or meant != str(pid):
        return None
    return int(micro) / 1e6


def message(fields: Mapping[str, str]) -> bytes:
    """The datagram: one NAME=value a line, so that a line break in a value becomes a space."""
    return "\n".join(f"{name}={' '.join(value.splitlines())}" for name, value in fields.items()).encode()
