"""Small files that ask for much: of memory, and of time."""

import struct
import zlib
from pathlib import Path

from tests.support.clips import mp4_box

_BLOCK = 1 << 20


def compressed_header(path: Path, size: int) -> Path:
    """A mov whose compressed header becomes `size` bytes, a thousand times its own."""
    packer = zlib.compressobj(9)
    packed = [packer.compress(struct.pack(">I4s", size, b"free"))]
    for left in range(size - 8, 0, -_BLOCK):
        packed.append(packer.compress(bytes(min(left, _BLOCK))))
    packed.append(packer.flush())
    header = mp4_box(b"dcom", b"zlib") + mp4_box(b"cmvd", struct.pack(">I", size) + b"".join(packed))
    path.write_bytes(mp4_box(b"ftyp", b"qt  \0\0\0\0qt  ") + mp4_box(b"moov", mp4_box(b"cmov", header)))
    return path


def sparse_wav(path: Path, size: int) -> Path:
    """A wav without sound: `size` bytes of empty chunks, none of which lies on the disk."""
    form = struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16)
    head = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    with path.open("wb") as file:
        file.write(b"RIFF" + struct.pack("<I", size - 8) + head)
        file.truncate(size)
    return path
