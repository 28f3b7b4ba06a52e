"""A child process of the daemon, bound to its life, that speaks JSON lines over stdin and stdout.

A child that may not open files itself is spawned with a channel, over which a message can pass descriptors.

The parent's half is `Child`. The child's half is `attach`, which the child's `main` calls first: the child
then dies with its parent, holds the engine's lock file (`lock`) while it lives, and keeps its protocol on
another descriptor than stdout, into which libraries may print.
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
_DESCRIPTORS = 4  # at most with one message
_LINE_LIMIT = 64 * 1024 * 1024

_MEMORY_LOOK_S = 0.5
_SHORTEST_LOOK_S = 0.05
_LEAST_MEMORY = 3_000_000_000

_libc = ctypes.CDLL(None, use_errno=True)

ChildMessage = dict[str, Any]


class ChildDied(EngineError):
    """The child ended or broke the protocol; the message gives the cause."""


class Child:
    """The parent's half of a child. Create it with `spawn`; call `stop` in the end."""

    def __init__(
        self,
        name: str,
        process: asyncio.subprocess.Process,
        memory_limit: int | None = None,
        channel: socket.socket | None = None,
        line_limit: int = _LINE_LIMIT,
    ) -> None:
        """A child that takes more than `memory_limit` bytes of memory of its own is killed."""
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
        """Start `python -m module arguments`; its stderr is appended to `log`. Raises OSError.

        Its environment is `inherited`, by default all of ours, updated by `env`. With a `channel`, `send`
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
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether no end of the child was noticed yet."""
        return self._process.returncode is None

    def cpu_s(self) -> float:
        """The processor time that the child has taken, in seconds; 0 once it has ended.

        By its CPU clock, since /proc may hide a child that has dropped its privileges.
        """
        clock = ctypes.c_int()
        if not self.alive or _libc.clock_getcpuclockid(self.pid, ctypes.byref(clock)):
            return 0.0
        try:
            return time.clock_gettime(clock.value)
        except OSError:
            return 0.0

    async def send(self, message: ChildMessage, *descriptors: int) -> None:
        """Send a message, with open files if given. Raises ChildDied when the child is gone."""
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
        """Receive the next message. Raises ChildDied when the child ends or breaks the protocol."""
        assert self._process.stdout is not None
        try:
            line = await self._process.stdout.readline()
        except ValueError as exc:
            self.kill()
            while await self._process.stdout.read(self._line_limit):
                pass  # asyncio does not notice the end of a process while one of its pipes is full
            raise ChildDied(f"the {self.name} sent a line of more than {self._line_limit} bytes") from exc
        if not line.endswith(b"\n"):
            raise ChildDied(await self._epitaph())
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as exc:  # the latter by endless brackets
            raise ChildDied(f"the {self.name} sent something that is no message: {line[:80]!r}") from exc
        if not isinstance(message, dict):
            raise ChildDied(f"the {self.name} sent something that is no message: {line[:80]!r}")
        return message

    async def ask(self, message: ChildMessage, *descriptors: int, cpu_limit_s: float) -> ChildMessage:
        """The answer to a message. Raises ChildDied, and TimeoutError after so much processor time."""
        began_s = self.cpu_s()
        await self.send(message, *descriptors)
        receiving = asyncio.create_task(self.receive())
        try:
            while (left_s := cpu_limit_s - (self.cpu_s() - began_s)) > 0:
                done, _ = await asyncio.wait({receiving}, timeout=max(left_s, _SHORTEST_LOOK_S))
                if done:
                    return receiving.result()
            raise TimeoutError
        finally:
            receiving.cancel()

    async def stop(self, grace_s: float = 5.0) -> None:
        """Close its stdin, wait at most `grace_s` seconds, then kill it. Returns once it is reaped."""
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
        """Kill it at once, with SIGKILL; `stop` must still reap it."""
        if self.alive:
            # Not with asyncio's `kill`: it reaps a child that has just died, and the exit code is lost.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def _stay_below(self, limit: int) -> None:
        """Kill the child when it takes more memory, before the daemon and others run out of it.

        The kernel's RLIMIT_AS limits addresses, of which CUDA reserves more than there is memory.
        """
        while self.alive:
            if _own_memory(self.pid) > limit:
                self._cause = f"the {self.name} took more than {limit / 1e9:.1f} GB of memory and was killed"
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
        self._lock = lock  # kept open: closing it would release the lock

    def receive(self) -> ChildMessage | None:
        """Receive the next message; None when the child is to end."""
        line = self._incoming.readline()
        return json.loads(line) if line.endswith(b"\n") else None

    def descriptors(self) -> list[int]:
        """The descriptors that came with the last message. The caller closes them."""
        assert self._channel is not None
        return socket.recv_fds(self._channel, 1, _DESCRIPTORS)[1]

    def send(self, message: ChildMessage) -> None:
        """Send a message to the parent."""
        self._outgoing.write(json.dumps(message).encode() + b"\n")
        self._outgoing.flush()


def memory_share(weights: int = 0) -> int:
    """The bytes that one child may take: half of the machine's memory, but at least 3 GB, and room for the
    `weights` of its model, which somebody chose for this machine.
    """
    return weights + max(_LEAST_MEMORY, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)


def _own_memory(pid: int) -> int:
    """The resident bytes of a process without those of files; 0 when it is gone (proc(5), statm)."""
    try:
        resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[1:3]
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return 0
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def attach(lock: Path | None = None) -> ParentChannel:
    """Bind this child to its parent's life and take its engine's lock.

    Exits with 3 when the parent is gone already, with 4 when another engine holds the lock.
    """
    bind(int(os.environ.get(_PARENT, "0")))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent acts on ctrl+c, and ends the child
    held = None
    if lock is not None:
        held = taken(lock)
        if held is None:
            sys.exit(4)
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    channel = socket.socket(fileno=int(os.environ[_CHANNEL])) if _CHANNEL in os.environ else None
    return ParentChannel(sys.stdin.buffer, outgoing, held, channel)
