"""The unpacking child: reads one archive in a cage, with Python's zipfile.

The archive, and the file for each member, come as open descriptors: it opens none itself.
"""

import argparse
import encodings.cp437
import io
import lzma
import os
import resource
import stat
import struct
import zipfile
import zlib
from typing import BinaryIO

from daemon.stt import cage
from daemon.stt.answers import one_line
from daemon.system.child import ChildMessage, attach

_MEMORY = 1 << 30  # bytes of address space; a million names take more
_CHUNK = 1 << 20
_UTF8, _ENCRYPTED = 0x800, 0x41  # bits of a member's flags
_UNIX = 3  # the system whose modes are beside the attributes
_LONGEST_NAME = 1000
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, struct.error),
    *(IndexError, KeyError, RuntimeError, OverflowError),
)
"""The errors of zipfile for what is no whole archive. A method that it lacks is a RuntimeError."""


class NoRoom(Exception):
    """The unpacked file cannot be written."""


def main() -> None:
    """Enter the cage, and answer requests until the parent closes our stdin."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--max-bytes", type=int, required=True, help="of an unpacked file")
    parser.add_argument("--most", type=int, required=True, help="members that are listed")
    asked = parser.parse_args()
    for what, limit in (
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_FSIZE, asked.max_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, _MEMORY),
    ):
        resource.setrlimit(what, (limit, limit))
    wire = attach()
    _prove()
    wire.send({"lacks": cage.enter()})
    unpacker = Unpacker(asked.most)
    while (request := wire.receive()) is not None:
        (descriptor,) = wire.descriptors()
        wire.send(unpacker.answer(request, os.fdopen(descriptor, "r+b" if "at" in request else "rb")))


class Unpacker:
    """Answers requests for one archive, which the first one brings."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._archive: zipfile.ZipFile | None = None

    def answer(self, request: ChildMessage, file: BinaryIO) -> ChildMessage:
        """The answer to a request, or a `fault`. The first is for a list of the archive `file`, each later
        one for a member in `file`.
        """
        try:
            if self._archive is None:
                self._archive = zipfile.ZipFile(file)
                return {"members": listed(self._archive, self._most)}
            with file:
                return {"written": unpacked(self._archive, request["at"], file)}
        except MemoryError:
            return _fault("damaged", "it asks for more memory than an archive may need; send it in parts")
        except NoRoom as exc:
            return _fault("no_room", f"an unpacked file cannot be written: {exc}; free space on its disk")
        except _DAMAGED as exc:
            return _fault("damaged", f"it is damaged, or no zip ({exc}); download it again")


def listed(archive: zipfile.ZipFile, most: int) -> list[ChildMessage]:
    """Its files without the folders, and one more than `most` where there are more."""
    files = (each for each in enumerate(archive.infolist()) if not each[1].is_dir())
    return [_described(at, info) for (at, info), _ in zip(files, range(most + 1), strict=False)]


def unpacked(archive: zipfile.ZipFile, at: int, target: BinaryIO) -> int:
    """Unpack a member; its size. Raises NoRoom, and the errors of zipfile, also for a wrong checksum."""
    written = 0
    with archive.open(archive.infolist()[at]) as member:
        while chunk := member.read(_CHUNK):
            try:
                target.write(chunk)
                target.flush()
            except OSError as exc:
                raise NoRoom(str(exc)) from exc
            written += len(chunk)
    return written


def _described(at: int, info: zipfile.ZipInfo) -> ChildMessage:
    mode = stat.S_IFMT(info.external_attr >> 16) if info.create_system == _UNIX else 0
    kind = {0: "file", stat.S_IFREG: "file", stat.S_IFLNK: "link"}.get(mode, "special")
    return {
        "at": at,
        "name": _name(info)[:_LONGEST_NAME],
        "size_bytes": info.file_size,
        "packed_bytes": info.compress_size,
        "kind": kind,
        "encrypted": bool(info.flag_bits & _ENCRYPTED),
    }


def _name(info: zipfile.ZipInfo) -> str:
    """A member's name. macOS writes UTF-8 without saying so, and some Windows programs a backslash."""
    name = info.orig_filename
    if not info.flag_bits & _UTF8:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            name = info.orig_filename
    return name.replace("\\", "/")


def _fault(code: str, message: str) -> ChildMessage:
    return {"fault": {"code": code, "message": one_line(message)}}


def _prove() -> None:
    """Read an archive of ours. In the cage, nothing can be imported that zipfile imports late."""
    assert encodings.cp437
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
            archive.writestr(f"\N{SNOWMAN}{method}", b"x", method)
    with zipfile.ZipFile(made) as archive:
        for at in range(4):
            unpacked(archive, at, io.BytesIO())


if __name__ == "__main__":
    main()
