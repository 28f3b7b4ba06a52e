"""Keeps Ray running on a machine that lends its GPU, always as a part of the head's Ray that runs now.

Ray by itself ends 20 to 40 s after its head, and what it holds is void by then. So a connection to the head
is tried each second. When nothing listens there any more, or nothing has answered for as long as the head
takes to give a machine up, all of Ray ends here at once, and begins anew as soon as a head answers.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_LOOK_S = 1.0  # a head that is started anew takes longer until it listens, so none is missed
_ANSWER_S = 2.0
_SILENT_LOOKS = 3
_END_S = 10.0


class RayKeeper:
    """One machine's Ray, run by `command`, as a part of the head at `host:port`.

    `prepare` is called before each start of Ray. The keeper's process takes all orphans of Ray as its
    children, and has no others.
    """

    def __init__(
        self, command: Sequence[str], environ: Mapping[str, str], head: str, prepare: Callable[[], None]
    ) -> None:
        self._command, self._environ, self._prepare = command, environ, prepare
        host, _, port = head.rpartition(":")
        self._head = host, int(port)
        self._stop = threading.Event()

    def stop(self) -> None:
        """Let `run` end. A handler of a signal may call it."""
        self._stop.set()

    def run(self) -> int:
        """Run Ray until `stop`, or until it ends by itself. Gives its exit code, and 0 after a stop."""
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1)
        while not self._stop.is_set():
            self._prepare()
            ray = subprocess.Popen(self._command, env=self._environ, start_new_session=True)
            try:
                self._watch(ray)
                if ray.poll() is not None:
                    return ray.returncode
                if self._stop.is_set():
                    ray.terminate()  # so that Ray tells the head
                    with suppress(subprocess.TimeoutExpired):
                        ray.wait(_END_S)
            finally:
                ray.kill()
                ray.wait()
                _end_children()
            if not self._stop.is_set():
                print(
                    "Ray's head is gone; this machine joins again when it is back",
                    file=sys.stderr,
                    flush=True,
                )
            self._wait_for_head()
        return 0

    def _watch(self, ray: "subprocess.Popen[bytes]") -> None:
        """Return when Ray has ended, its head is gone, or after a stop."""
        silent = 0
        while silent < _SILENT_LOOKS and ray.poll() is None and not self._stop.wait(_LOOK_S):
            try:
                silent = 0 if self._answers() else silent + 1
            except ConnectionRefusedError:
                return

    def _wait_for_head(self) -> None:
        while not self._stop.wait(_LOOK_S):
            with suppress(ConnectionRefusedError):
                if self._answers():
                    return

    def _answers(self) -> bool:
        """Whether the head takes a connection. Raises ConnectionRefusedError where no head listens."""
        try:
            socket.create_connection(self._head, _ANSWER_S).close()
        except ConnectionRefusedError:
            raise
        except OSError:  # a network that is away, or too slow
            return False
        return True


def _end_children() -> None:
    """Kill all processes below this one: the children of each that ends become its own."""
    while children := Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        for child in map(int, children):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(child, 0)
