"""How much of a file has arrived, by the sizes that it states itself. Runs only in the media child.

A stated duration proves nothing: recorders and editors leave wrong ones behind. A stated size does: what lies
beyond the end of the file was once written, and is missing now.
"""

import os
import struct
from collections.abc import Callable

_MOST_BOXES = 20_000  # a fragment each 100 ms in half an hour of an mp4
_MOST_TAGS = 8
_LARGE_BOXES = (b"mdat", b"moov", b"moof")
_UNKNOWN = {4: 0x7FFFFF00, 8: 1 << 62}  # sizes from here on are placeholders of recorders, by their bytes
_SEGMENT = b"\x18\x53\x80\x67"
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_W64 = b"riff\x2e\x91\xcf\x11"


def share_arrived(video: int) -> float:
    """The share of an open media file that is there; 1 if its structure does not show that any is missing."""
    size = os.fstat(video).st_size
    head = os.pread(video, 1 << 12, 0)
    for marks, at, stated in _STATED:
        if head[at:].startswith(marks):
            whole = stated(video, head, size)
            return size / whole if whole is not None and whole > size else 1.0
    return 1.0


def _field(form: str, base: int) -> Callable[[int, bytes, int], int | None]:
    """A reader of a size after `base` bytes, which counts from its own end on if it has four bytes."""

    def read(video: int, head: bytes, size: int) -> int | None:
        width = struct.calcsize(form)
        if len(head) < base + width:
            return None
        (stated,) = struct.unpack_from(form, head, base)
        return int(stated) + (base + 4 if width == 4 else 0) if stated < _UNKNOWN[width] else None

    return read


def _au(video: int, head: bytes, size: int) -> int | None:
    begins, sound = struct.unpack_from(">II", head.ljust(12, b"\0"), 4)
    return begins + sound if sound < _UNKNOWN[4] else None


def _boxes(video: int, head: bytes, size: int) -> int | None:
    """The end of the last box of an mp4. What phones append behind it is not read as a box."""
    at = 0
    for _ in range(_MOST_BOXES):
        box = os.pread(video, 16, at)
        if len(box) < 8:
            break
        length = int.from_bytes(box[:4], "big")
        length = int.from_bytes(box[8:16], "big") if length == 1 else length
        # A length of 0 is: to the end of the file.
        if length < 8 or (at + length > size and box[4:8] not in _LARGE_BOXES):
            break
        at += length
    return at


def _chunks(video: int, head: bytes, size: int) -> int | None:
    """The end of the last chunk of a caf."""
    at = 8
    for _ in range(_MOST_BOXES):
        chunk = os.pread(video, 12, at)
        length = int.from_bytes(chunk[4:], "big", signed=True)
        if len(chunk) < 12 or length <= 0:  # -1 while it is recorded
            break
        at += 12 + length
    return at


def _segment(video: int, head: bytes, size: int) -> int | None:
    """The end of a Matroska or WebM file's segment. While it is recorded its size is unknown: all ones."""
    at = head.find(_SEGMENT) + 4
    if at < 4 or at >= len(head) or not head[at]:
        return None
    width = 9 - head[at].bit_length()
    mask = (1 << 7 * width) - 1
    length = int.from_bytes(head[at : at + width], "big") & mask
    return at + width + length if length != mask else None


def _asf(video: int, head: bytes, size: int) -> int | None:
    """The size in the file properties of Windows Media, without one for a broadcast."""
    at = head.find(_ASF_FILE)
    if at < 0 or len(head) < at + 92 or head[at + 88] & 1:
        return None
    return int.from_bytes(head[at + 40 : at + 48], "little")


def _mp3(video: int, head: bytes, size: int) -> int | None:
    """The end of the stream by the Xing, Info or VBRI header, which lies within the first frame.

    Tags before that frame may hold the same words.
    """
    at = 0
    for _ in range(_MOST_TAGS):
        tag = os.pread(video, 10, at)
        if tag[:3] != b"ID3" or len(tag) < 10:
            break
        a, b, c, d = tag[6:]
        at += 10 + (a << 21 | b << 14 | c << 7 | d) + (10 if tag[5] & 0x10 else 0)
    frame = os.pread(video, 64, at)
    if len(frame) < 64 or frame[0] != 0xFF or frame[1] & 0xE6 != 0xE2:  # no frame of layer III
        return None
    first, mono = frame[1] >> 3 & 3 == 3, frame[3] >> 6 == 3
    side = (17 if mono else 32) if first else (9 if mono else 17)  # bytes of side information (ISO 11172-3)
    xing, vbri = frame[4 + side :], frame[36:]
    if xing[:4] in (b"Xing", b"Info") and xing[7] & 2:
        place = 12 if xing[7] & 1 else 8
        return at + int.from_bytes(xing[place : place + 4], "big")
    if vbri[:4] == b"VBRI":
        return at + int.from_bytes(vbri[10:14], "big")
    return None


_STATED: tuple[tuple[bytes | tuple[bytes, ...], int, Callable[[int, bytes, int], int | None]], ...] = (
    (b"RIFF", 0, _field("<I", 4)),
    (b"RF64", 0, _field("<Q", 20)),
    (_W64, 0, _field("<Q", 16)),
    (b"FORM", 0, _field(">I", 4)),
    (b".snd", 0, _au),
    (b"caff", 0, _chunks),
    (b"\x1aE\xdf\xa3", 0, _segment),
    (_ASF_HEADER, 0, _asf),
    ((b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"), 4, _boxes),
    ((b"ID3", b"\xff"), 0, _mp3),
)
