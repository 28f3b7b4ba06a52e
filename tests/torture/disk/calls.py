"""The calls by which a program changes the disk, as `shim.c` logs them, and the shim itself."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SOURCE = Path(__file__).with_name("shim.c")
PRELOAD = "LD_PRELOAD"
_NEVER = -1


@dataclass(frozen=True, slots=True)
class Call:
    """One call, or a mark between two (`what` is `mark`). One that failed by itself is `none`.

    `inode` and `other` are files or folders, as `what` needs them; `error` is what it failed with, 0 if it
    did not.
    """

    what: str
    error: int
    inode: int
    other: int
    name: bytes
    new: bytes
    at: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens at one call of a life, counted from 1: it fails with an error, or the daemon is killed.

    With more `times` the disk is away for so many calls.
    """

    fails: int = _NEVER
    times: int = 1
    error: int = 0
    dies_before: int = _NEVER
    dies_after: int = _NEVER


def build_shim(folder: Path) -> Path:
    """Compile the shim into a folder."""
    library = folder / "shim.so"
    command = [
        "cc",
        "-O1",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-shared",
        "-fPIC",
        "-o",
        str(library),
        str(_SOURCE),
    ]
    subprocess.run([*command, "-ldl", "-lpthread"], check=True)
    return library


class Shim:
    """The shim that this process was started with, by `LD_PRELOAD`."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None)

    def arm(self, log: Path, roots: tuple[Path, ...], fault: Fault, already: int = 0) -> None:
        """Log every call below these folders from now on, after `already` earlier ones."""
        start = os.O_APPEND if already else os.O_TRUNC
        fd = os.open(log, os.O_WRONLY | os.O_CREAT | start | os.O_CLOEXEC, 0o600)
        for root in roots:
            self._library.torture_root(os.fsencode(root))
        long = ctypes.c_long
        self._library.torture_arm(
            fd,
            long(already),
            long(fault.fails),
            long(fault.times),
            fault.error,
            long(fault.dies_before),
            long(fault.dies_after),
        )

    def mark(self, text: str) -> None:
        """Put a line into the log, between the calls before and after."""
        self._library.torture_mark(text.encode(errors="replace"))


def read_log(log: Path) -> Iterator[Call]:
    """The calls and marks of a log, in their order."""
    with log.open("rb") as file:
        while line := file.readline():
            what, error, inode, other, name, new, at, size = line.split()
            data = file.read(int(size))
            old, fresh = (bytes.fromhex(each[1:].decode()) for each in (name, new))
            yield Call(what.decode(), int(error), int(inode), int(other), old, fresh, int(at), data)
