"""The cores of this machine, which the parts share: no more workers run than there are."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_LIMIT_S = 3600.0  # of one worker, which then hangs


@dataclass
class Worked:
    """What a worker's process came to: how it ended, and the seconds of all processors that it took."""

    returncode: int = 0
    processor_s: float = 0.0


@dataclass
class Cores:
    """Whoever works takes one of them."""

    count: int = field(default_factory=lambda: os.cpu_count() or 1)

    def __post_init__(self) -> None:
        self._free = threading.Semaphore(self.count)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Wait until a core is free, and take it."""
        with self._free:
            yield

    def lines(self, module: str, arguments: Sequence[str], worked: Worked) -> Iterator[str]:
        """Run a module as a worker, and give the lines of its output as they come."""
        command = [sys.executable, "-m", module, *arguments]
        with self.working(command, {**os.environ, "PYTHONHASHSEED": "0"}, worked) as process:
            assert process.stdout is not None
            for line in process.stdout:
                yield line.rstrip("\n")

    @contextmanager
    def working(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        worked: Worked,
        folder: Path | None = None,
        limit_s: float = _LIMIT_S,
    ) -> Iterator["subprocess.Popen[str]"]:
        """A worker's process on a core; at the end of the block it is waited for, and `worked` is filled. One
        that is not over after `limit_s` is killed.
        """
        with (
            self.one(),
            subprocess.Popen(
                command,
                cwd=folder,
                env=environ,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as process,
        ):
            limit = threading.Timer(limit_s, process.kill)
            limit.start()
            try:
                yield process
                _, status, usage = os.wait4(process.pid, 0)
            finally:
                limit.cancel()
            process.returncode = worked.returncode = os.waitstatus_to_exitcode(status)
            worked.processor_s = usage.ru_utime + usage.ru_stime
