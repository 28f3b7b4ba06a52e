"""The faults of a file, in words for the student, and checks of its first bytes."""

import os

from daemon.core.errors import Blame

WHOLE = 0.95  # of the declared duration; a file with less is incomplete

_SIGNATURES = {4: (b"ftyp", b"moov", b"mdat"), 0: (b"\x1aE\xdf\xa3", b"RIFF", b"OggS", b"ID3", b"fLaC")}
_RIFF_UNKNOWN = 0x7FFFFF00  # a size that recorders write before they know it


class MediaFault(Exception):
    """The file can't be used. Its `str` tells the student what to do."""

    def __init__(self, code: str, message: str, blame: Blame = Blame.PERMANENT) -> None:
        super().__init__(message)
        self.code = code
        self.blame = blame


def truncated(share: str) -> MediaFault:
    """The fault of an incomplete file. `share` is as in "9 of 19 seconds"."""
    return MediaFault(
        "truncated", f"only {share} have arrived. Copy the video again, and wait until the copy is complete"
    )


def overfull(packets: int) -> MediaFault:
    """The fault of a file with more packets than a video of the allowed length can have."""
    return MediaFault(
        "damaged", f"the video consists of more than {packets} pieces. Export it again, or record it again"
    )


def unopened(head: bytes) -> MediaFault:
    """The fault of a file that FFmpeg can't open and that begins with `head`."""
    if any(head.startswith(marks, at) for at, marks in _SIGNATURES.items()):
        return MediaFault(
            "damaged",
            "the video is damaged or not complete. Play it on your own machine; then copy it again, or "
            "record it again",
        )
    return MediaFault("not_media", "this is no video or sound recording. Hand in an mp4, mov, mkv or webm")


def beginning(video: int, size: int = 16) -> bytes:
    """The first `size` bytes of an open file. Raises MediaFault if it is empty or unreadable."""
    try:
        head = os.pread(video, size, 0)
    except OSError as exc:
        raise unreadable(exc) from exc
    if not head:
        raise MediaFault("empty", "the file is empty. Copy the video again")
    return head


def unreadable(error: OSError) -> MediaFault:
    """The fault of a file that can't be opened or read."""
    return MediaFault("unreadable", f"the video cannot be read: {error.strerror or error}", Blame.TASK)


def check_length(duration_s: float, max_s: float) -> None:
    """Raise MediaFault if a video is too long."""
    if duration_s > max_s:
        allowed = f"{max_s / 60:.0f} minutes" if max_s >= 120 else f"{max_s:.0f} seconds"
        raise MediaFault("too_long", f"the video is longer than {allowed}. Hand in a shorter one")


def check_riff(video: int) -> None:
    """Raise MediaFault if a wav or avi declares more: FFmpeg takes the end of the file for its end."""
    head = beginning(video)
    declared, there = int.from_bytes(head[4:8], "little") + 8, os.fstat(video).st_size
    if head[:4] == b"RIFF" and there < WHOLE * declared and declared < _RIFF_UNKNOWN:
        raise truncated(f"{there / 1e6:.1f} of {declared / 1e6:.1f} MB")


def mp3_declares(video: int) -> bool:
    """Whether an mp3 has a header with its duration; without one FFmpeg estimates it."""
    head = beginning(video, 1 << 16)
    return any(mark in head for mark in (b"Xing", b"Info", b"VBRI"))
