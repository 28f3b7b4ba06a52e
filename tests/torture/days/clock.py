"""The clock, the dice and the order of names of a simulated lab: all that could differ between two runs.

`pin` replaces the functions of `time`, `secrets` and `os` for the whole process, so it must be called before
a module of the daemon is imported: some keep `time.time` as a default argument.
"""

import os
import random
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

BEGINNING = 1_790_000_000.0  # of the simulated time, in seconds since the epoch


@dataclass
class Clock:
    """Virtual time in seconds: since the beginning, and by the wall clock, which people set."""

    now: float = 0.0
    ahead: float = 0.0  # what the wall clock is ahead of the time that has passed
    boot: str = "boot-1"
    dice: random.Random = field(default_factory=lambda: random.Random(0))

    def wall(self) -> float:
        return BEGINNING + self.now + self.ahead


class _Sorted:
    """`os.scandir` in the order of the names, which is another on each file system."""

    def __init__(self, entries: Any) -> None:
        with entries:
            self._entries = sorted(entries, key=lambda entry: entry.name)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._entries)

    def __enter__(self) -> "_Sorted":
        return self

    def __exit__(self, *_: object) -> None:
        return None


_scandir, _listdir = os.scandir, os.listdir


def pin(clock: Clock) -> None:
    """Let this process live by a clock and its dice."""
    module: Any = time
    module.time, module.monotonic = clock.wall, lambda: clock.now
    module.time_ns, module.monotonic_ns = lambda: int(clock.wall() * 1e9), lambda: int(clock.now * 1e9)
    names: Any = secrets
    names.token_bytes = lambda nbytes=None: clock.dice.randbytes(nbytes or 32)
    names.token_hex = lambda nbytes=None: clock.dice.randbytes(nbytes or 32).hex()
    names.randbits = lambda k: clock.dice.getrandbits(k)
    folders: Any = os
    folders.scandir = lambda path=".": _Sorted(_scandir(path))
    folders.listdir = lambda path=".": sorted(_listdir(path))
