"""A media child that a video has taken over: its files say what it is to try from inside the cage."""

import ctypes
import fcntl
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from daemon.stt import cage, media
from daemon.stt.media_faults import MediaFault
from daemon.system.child import ChildMessage, ParentChannel

_PTRACE_ATTACH = 16
_probe, _decode, _send = media.probe, media.decode, ParentChannel.send


def main(without: Sequence[str] = ()) -> None:
    """The real child, `without` some of `cage`'s functions."""

    def absent(*_: Any) -> list[str]:
        if "enter" in without:
            return []
        raise cage.Lacking("taken away by the test")

    for name in without:
        setattr(cage, name, absent)
    media.probe, media.decode = probe, decode
    ParentChannel.send = send  # type: ignore[method-assign, assignment]
    media.main()


def send(wire: ParentChannel, message: ChildMessage) -> None:
    """Send the text that a file has its child say, as it is."""
    if "said" not in message:
        return _send(wire, message)
    wire._outgoing.write(message["said"].encode() + b"\n")
    wire._outgoing.flush()


def decode(video: int, pcm: int, max_s: float) -> dict[str, Any]:
    """The text that the file says, or the real decoding."""
    if (order := ordered(video)) is None:
        return _decode(video, pcm, max_s)
    return {"said": order["decoded"]}


def ordered(video: int) -> Any:
    """The content of a file of orders."""
    content = os.pread(video, 1 << 20, 0)
    return json.loads(content) if content.startswith(b"{") else None


def probe(video: int, max_s: float) -> dict[str, Any]:
    """The outcome of what the file asks for, as a fault; of any other file the real probe."""
    if (order := ordered(video)) is None:
        return _probe(video, max_s)
    if "probed" in order:
        return {"said": order["probed"]}
    try:
        outcome = ATTEMPTS[order["attempt"]](*order["arguments"])
    except OSError as exc:
        raise MediaFault("refused", str(exc)) from exc
    raise MediaFault("succeeded", str(outcome))


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(100)


def write(path: str) -> int:
    with open(path, "wb") as file:
        return file.write(b"x")


def connect_tcp(port: int) -> None:
    with socket.socket() as client:
        client.connect(("127.0.0.1", port))


def connect_unix(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)


def start(program: str) -> int:
    child = os.posix_spawn(program, [program], {})
    return os.waitpid(child, 0)[1]


def become(program: str) -> None:
    os.execv(program, [program])


def fork() -> int:
    if child := os.fork():
        return os.waitpid(child, 0)[1]
    os._exit(0)


def trace() -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(_PTRACE_ATTACH, os.getppid(), None, None) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    return 0


def signal_by_descriptor() -> int:
    """Have the kernel send a signal to the parent when a descriptor can be read."""
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid())
    return fcntl.fcntl(0, fcntl.F_SETSIG, signal.SIGURG)


def burn() -> None:
    """Keep the processor busy without end."""
    while True:
        pass


def in_a_thread() -> str:
    done: list[str] = []
    thread = threading.Thread(target=lambda: done.append("done"))
    thread.start()
    thread.join()
    return done[0]


ATTEMPTS: dict[str, Callable[..., Any]] = {
    "read": read,
    "write": write,
    "remove": os.unlink,
    "list": os.listdir,
    "connect_tcp": connect_tcp,
    "connect_unix": connect_unix,
    "start": start,
    "become": become,
    "fork": fork,
    "trace": trace,
    "signal": lambda: os.kill(os.getppid(), 0),
    "signal_by_descriptor": signal_by_descriptor,
    "environment": lambda name: os.environ.get(name),
    "in_a_thread": in_a_thread,
    "burn": burn,
    "sleep": time.sleep,
}
