"""The faults of a file, in words for the student."""

import errno
import os

from daemon.core.errors import Blame

_AWAY = frozenset({errno.ESTALE, errno.ENODEV, errno.ENOTCONN, errno.EHOSTDOWN, errno.ETIMEDOUT})
"""Errors of a file system that is away, for which no video is to blame."""

_DAMAGED = (
    "the video is damaged or not complete. Play it on your own machine; then copy it again, or record it "
    "again"
)
_UNKNOWN = "this is no video or sound recording. Hand in an mp4, mov, mkv or webm"
_WANTED = "Hand in an mp4, mov, mkv or webm"
_EXPORT = "Export the recording as mp4, and hand that in"
_PICTURE = "this is a picture and no recording. Hand in the video itself"
_LINK = "this is only a link to the video. Open it, download the video, and hand that in"
_PROJECT = "this is the project of an editor, without the recording. Export it as mp4, and hand that in"
_OFFICE = f"this is a document or presentation. {_EXPORT}"
_ARCHIVE = "this is an archive. Unpack it, and hand in the video itself"
_PAGE = "this is a web page that was saved instead of the video. Download the video itself, and hand that in"
_PAPER = f"this is a PDF document and no recording. {_WANTED}"
_REAL = f"this is a RealMedia file, which cannot be read. {_EXPORT}"
_FLASH = f"this is a Flash animation, which cannot be read. {_EXPORT}"
_SIDE = "this is only the list of a Mac's attributes and not the video. Copy the video itself"
_NOTES = f"this is a MIDI file, which has notes and no sound. {_WANTED}"
_LIST = "this is a playlist, which only names other files. Hand in the video itself"
_TEXT = f"this is a text and no recording. {_WANTED}"

_SIGNATURES: tuple[tuple[int, tuple[bytes, ...], str], ...] = (
    (0, (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"8BPS"), _PICTURE),
    (8, (b"WEBP",), _PICTURE),
    (4, (b"ftyphei", b"ftyphev", b"ftypmif1", b"ftypmsf1", b"ftypavi", b"ftypcrx"), _PICTURE),
    (0, (b"%PDF", b"%!PS"), _PAPER),
    (0, (b"{\\rtf", b"\xd0\xcf\x11\xe0"), _OFFICE),
    (0, (b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"), _ARCHIVE),
    (257, (b"ustar",), _ARCHIVE),
    (0, (b".RMF", b".ra\xfd"), _REAL),
    (0, (b"FWS", b"CWS", b"ZWS"), _FLASH),
    (0, (b"MThd",), _NOTES),
    (0, (b"\0\x05\x16\x07", b"\0\x05\x16\0"), _SIDE),
    (0, (b"bplist00", b"L\0\0\0\x01\x14\x02\0", b"d8:announce"), _LINK),
)
_MEDIA: tuple[tuple[int, tuple[bytes, ...]], ...] = (
    (4, (b"ftyp", b"moov", b"mdat", b"moof", b"wide")),
    (0, (b"\x1aE\xdf\xa3", b"RIFF", b"RF64", b"OggS", b"ID3", b"fLaC", b"FLV\1", b"#!AMR", b"caff", b".snd")),
    (0, (b"FORM", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"\x06\x0e\x2b\x34\x02\x05\x01", b"\0\0\x01\xba")),
)
_TEXTS: tuple[tuple[tuple[bytes, ...], str], ...] = (
    ((b"<!doctype html", b"<html", b"<head", b"<body"), _PAGE),
    ((b"#extm3u", b"ffconcat", b"[playlist]", b"<asx", b"<?wpl", b"<smil", b"<mpd"), _LIST),
    ((b"[internetshortcut]", b"[desktop entry]", b"http://", b"https://", b"magnet:"), _LINK),
)


class MediaFault(Exception):
    """The file can't be used. Its `str` tells the student what to do."""

    def __init__(self, code: str, message: str, blame: Blame = Blame.PERMANENT) -> None:
        super().__init__(message)
        self.code = code
        self.blame = blame


def truncated(share: str) -> MediaFault:
    """The fault of an incomplete file. `share` is as in "58 % of the file"."""
    return MediaFault(
        "truncated", f"only {share} has arrived. Copy the video again, and wait until the copy is complete"
    )


def overfull(packets: int) -> MediaFault:
    """The fault of a file with more packets than a video of the allowed length can have."""
    return MediaFault(
        "damaged", f"the video consists of more than {packets} pieces. Export it again, or record it again"
    )


def unopened(head: bytes) -> MediaFault:
    """The fault of a file that FFmpeg can't open and that begins with `head`: what it is, if known."""
    known = named(head)
    if known is not None:
        return known
    if any(head.startswith(marks, at) for at, marks in _MEDIA):
        return MediaFault("damaged", _DAMAGED)
    return MediaFault("not_media", _TEXT if _is_text(head) else _UNKNOWN)


def named(head: bytes) -> MediaFault | None:
    """The fault of a file whose first bytes are those of a known format without a recording."""
    message = next((said for at, marks, said in _SIGNATURES if head.startswith(marks, at)), None)
    if message is None and head.startswith(b"PK\3\4"):
        message = _OFFICE if b"[Content_Types].xml" in head or b"opendocument" in head else _ARCHIVE
    if message is None and _is_text(head):
        message = _named_text(head.removeprefix(b"\xef\xbb\xbf").lstrip().lower())
    return MediaFault("not_media", message) if message else None


def _named_text(text: bytes) -> str | None:
    if text.startswith((b"<?xml", b"<!--")):
        if b"<html" in text:
            return _PAGE
        return _LINK if b"<plist" in text and b"<key>url</key>" in text else _PROJECT
    if text.startswith(b"{"):  # Google Drive's .gdoc, .gslides and the like
        return _LINK if b"docs.google.com" in text or b'"doc_id"' in text else None
    return next((said for marks, said in _TEXTS if text.startswith(marks)), None)


def _is_text(head: bytes) -> bool:
    return bool(head) and not any(byte < 9 or 13 < byte < 27 for byte in head)


def beginning(video: int, size: int = 1 << 12) -> bytes:
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
    blame = Blame.ENGINE if error.errno in _AWAY else Blame.TASK
    return MediaFault("unreadable", f"the video cannot be read: {error.strerror or error}", blame)


def check_length(duration_s: float, max_s: float) -> None:
    """Raise MediaFault if a video is too long."""
    if duration_s > max_s:
        allowed = f"{max_s / 60:.0f} minutes" if max_s >= 120 else f"{max_s:.0f} seconds"
        raise MediaFault("too_long", f"the video is longer than {allowed}. Hand in a shorter one")
