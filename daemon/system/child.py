"""A child of the daemon: JSON lines over its stdin and stdout, bound to the daemon's life.

A child that may open no file itself is spawned with a channel, over which descriptors go with a message.

The parent's half is `Child`. The child's half is `attach`, which the child's `main` calls first:
it dies with the parent, holds the engine's lock file (`lock`) for as long as it lives, and moves stdout
out of the reach of libraries that print.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Self

from daemon.core.errors import EngineError
from daemon.system.bound import bind
from daemon.system.lock import taken

_PARENT = "INTROEVAL_PARENT_PID"
_CHANNEL = "INTROEVAL_CHANNEL"
_DESCRIPTORS = 4  # at most, with one message
_LINE_LIMIT = 64 * 1024 * 1024

_MEMORY_LOOK_S = 0.5
_LEAST_MEMORY = 3_000_000_000

_libc = ctypes.CDLL(None, use_errno=True)

ChildMessage = dict[str, Any]


class ChildDied(EngineError):
    """The child ended or broke the protocol; the message says how."""


class Child:
    """The parent's half. Make it with `spawn`; it is over after `stop`."""

    def __init__(
        self,
        name: str,
        process: asyncio.subprocess.Process,
        memory_limit: int | None = None,
        channel: socket.socket | None = None,
        line_limit: int = _LINE_LIMIT,
    ) -> None:
        """`memory_limit`, in bytes of its own memory, is what it may take before it is ended."""
        self.name = name
        self._process = process
        self._channel = channel
        self._line_limit = line_limit
        self._cause = ""
        self._watch = None
        if memory_limit is not None:
            self._watch = asyncio.create_task(self._stay_below(memory_limit))

    @classmethod
    async def spawn(
        cls,
        name: str,
        module: str,
        arguments: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        inherited: Mapping[str, str] | None = None,
        memory_limit: int | None = None,
        channel: bool = False,
        line_limit: int = _LINE_LIMIT,
    ) -> Self:
        """Start `python -m module arguments`; what it prints to stderr is appended to `log`.

        Its environment is `inherited`, by default all of ours, with `env` over it. With a `channel`, `send`
        takes descriptors. A message of more than `line_limit` bytes breaks the protocol.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        environ = {
            **(os.environ if inherited is None else inherited),
            **(env or {}),
            _PARENT: str(os.getpid()),
        }
        with log.open("ab") as stderr:
            near, far = socket.socketpair() if channel else (None, None)
            if far is not None:
                environ[_CHANNEL] = str(far.fileno())
            with contextlib.ExitStack() as unless_spawned, far or contextlib.nullcontext():
                if near is not None:
                    unless_spawned.enter_context(near)
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    module,
                    *arguments,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=stderr,
                    env=environ,
                    pass_fds=() if far is None else (far.fileno(),),
                    limit=line_limit,
                )
                unless_spawned.pop_all()
        return cls(name, process, memory_limit, near, line_limit)

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not been seen to end."""
        return self._process.returncode is None

    def cpu_s(self) -> float:
        """Seconds of processor time that it has taken; 0 once it has ended.

        Asked of its clock: /proc may hide a child that has given its rights away.
        """
        clock = ctypes.c_int()
        if not self.alive or _libc.clock_getcpuclockid(self.pid, ctypes.byref(clock)):
            return 0.0
        try:
            return time.clock_gettime(clock.value)
        except OSError:
            return 0.0

    async def send(self, message: ChildMessage, *descriptors: int) -> None:
        """Hand the child one message and open files with it. Raises ChildDied when it is gone."""
        assert self._process.stdin is not None
        try:
            if descriptors:
                assert self._channel is not None
                socket.send_fds(self._channel, [b"."], descriptors)
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError) as exc:
            raise ChildDied(await self._epitaph()) from exc

    async def receive(self) -> ChildMessage:
        """The child's next message. Raises ChildDied when it ends or says what is no message."""
        assert self._process.stdout is not None
        try:
            line = await self._process.stdout.readline()
        except ValueError as exc:
            self.kill()
            while await self._process.stdout.read(self._line_limit):
                pass  # asyncio sees no end of a process as long as one of its pipes is full
            raise ChildDied(f"the {self.name} said a line of more than {self._line_limit} bytes") from exc
        if not line.endswith(b"\n"):
            raise ChildDied(await self._epitaph())
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as exc:  # of brackets without end
            raise ChildDied(f"the {self.name} said what is no message: {line[:80]!r}") from exc
        if not isinstance(message, dict):
            raise ChildDied(f"the {self.name} said what is no message: {line[:80]!r}")
        return message

    async def stop(self, grace_s: float = 5.0) -> None:
        """Close its stdin, wait `grace_s` seconds, then kill it. Returns once it is reaped."""
        if self._watch is not None:
            self._watch.cancel()
        if self._channel is not None:
            self._channel.close()
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(grace_s):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()

    def kill(self) -> None:
        """End it at once, with SIGKILL; `stop` still has to reap it."""
        if self.alive:
            # Not by asyncio's own `kill`: that reaps a child that has just died, and how it died is lost.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def _stay_below(self, limit: int) -> None:
        """End it when it takes more, before the machine has none left for the daemon and the others.

        A limit of the kernel's would be on addresses, of which CUDA takes more than there is memory.
        """
        while self.alive:
            if _own_memory(self.pid) > limit:
                self._cause = f"the {self.name} took more than {limit / 1e9:.1f} GB of memory and was ended"
                self.kill()
                return
            await asyncio.sleep(_MEMORY_LOOK_S)

    async def _epitaph(self) -> str:
        self.kill()
        code = await self._process.wait()
        if self._cause:
            return self._cause
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return f"the {self.name} ended {how}"


class ParentChannel:
    """The child's half of the protocol, as `attach` returns it."""

    def __init__(
        self,
        incoming: BinaryIO,
        outgoing: BinaryIO,
        lock: BinaryIO | None,
        channel: socket.socket | None = None,
    ) -> None:
        self._incoming = incoming
        self._channel = channel
        self._outgoing = outgoing
        self._lock = lock  # held open: closing it would give the lock away

    def receive(self) -> ChildMessage | None:
        """The parent's next message, or None when it wants the child to end."""
        line = self._incoming.readline()
        return json.loads(line) if line.endswith(b"\n") else None

    def descriptors(self) -> list[int]:
        """Those that came with the message last received, which are the caller's to close."""
        assert self._channel is not None
        return socket.recv_fds(self._channel, 1, _DESCRIPTORS)[1]

    def send(self, message: ChildMessage) -> None:
        """Hand the parent one message."""
        self._outgoing.write(json.dumps(message).encode() + b"\n")
        self._outgoing.flush()


def memory_share() -> int:
    """What one child may take, in bytes: half of the machine's memory, and never less than a model needs."""
    return max(_LEAST_MEMORY, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)


def _own_memory(pid: int) -> int:
    """Bytes of a process that no file stands behind; 0 when it is gone (proc(5), statm)."""
    try:
        resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[1:3]
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return 0
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def attach(lock: Path | None = None) -> ParentChannel:
    """Bind this child to its parent's life and take its engine's lock.

    Ends the child with exit code 3 when the parent is gone already, 4 when another engine holds
    the lock.
    """
    bind(int(os.environ.get(_PARENT, "0")))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl+c is the parent's to act on
    held = None
    if lock is not None:
        held = taken(lock)
        if held is None:
            sys.exit(4)
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    channel = socket.socket(fileno=int(os.environ[_CHANNEL])) if _CHANNEL in os.environ else None
    return ParentChannel(sys.stdin.buffer, outgoing, held, channel)
