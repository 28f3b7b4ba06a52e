"""How much of a file has arrived, by its own sizes, and where its sound belongs."""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from daemon.stt.arrived import share_arrived
from daemon.stt.media_faults import MediaFault, unopened
from daemon.stt.timeline import PacketTally, Timeline
from tests.support.clips import mp4_box

TITLE = b"ID3\3\0\0\0\0\0\x20" + b"Xing\0\0\0\3 Info VBRI".ljust(32)
FRAME = b"\xff\xfb\x90\0"


def mp3(mark: bytes, header: bytes, tags: bytes = TITLE) -> bytes:
    return tags + (FRAME + bytes(32) + mark + header).ljust(500, b"\0")


def share(folder: Path, content: bytes) -> float:
    path = folder / "a"
    path.write_bytes(content)
    with path.open("rb") as file:
        return share_arrived(file.fileno())


MKV = b"\x1aE\xdf\xa3\x80\x18\x53\x80\x67"
CASES = {
    "wav": (b"RIFF" + struct.pack("<I", 1992) + bytes(992), 0.5),
    "wav of a recorder": (b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + bytes(992), 1.0),
    "aiff": (b"FORM" + struct.pack(">I", 1992) + bytes(992), 0.5),
    "au": (b".snd" + struct.pack(">II", 24, 1976) + bytes(988), 0.5),
    "au of a recorder": (b".snd" + struct.pack(">II", 24, 0xFFFFFFFF) + bytes(988), 1.0),
    "caf": (b"caff\0\1\0\0data" + struct.pack(">q", 1980) + bytes(980), 0.5),
    "caf of a recorder": (b"caff\0\1\0\0data" + struct.pack(">q", -1) + bytes(980), 1.0),
    "mkv": (MKV + b"\x47\xc5" + bytes(989), 0.5),
    "live webm": (MKV + b"\x01\xff\xff\xff\xff\xff\xff\xff" + bytes(983), 1.0),
    "mp4": (mp4_box(b"ftyp", bytes(12)) + struct.pack(">I", 1980) + b"mdat" + bytes(972), 0.5),
    "mp4 to the end": (mp4_box(b"ftyp", bytes(12)) + struct.pack(">I", 0) + b"mdat" + bytes(972), 1.0),
    "mp4 and more": (mp4_box(b"ftyp", bytes(12)) + mp4_box(b"mdat", bytes(90)) + b"SEFHEADERSEFTAIL", 1.0),
    "mp3 Xing": (mp3(b"Xing", struct.pack(">II", 2, 958)), 542 / 1000),
    "mp3 Info": (mp3(b"Info", struct.pack(">III", 3, 40, 958)), 542 / 1000),
    "mp3 VBRI": (mp3(b"VBRI", bytes(6) + struct.pack(">II", 958, 40)), 542 / 1000),
    "mp3 without its bytes": (mp3(b"Xing", struct.pack(">II", 1, 958)), 1.0),
    "mp3 with a title": (mp3(b"", b""), 1.0),
    "joined mp3": (mp3(b"Xing", struct.pack(">II", 2, 200)), 1.0),
    "ogg": (b"OggS" + bytes(996), 1.0),
}


@pytest.mark.parametrize(("content", "expected"), CASES.values(), ids=CASES.keys())
def test_only_a_size_that_the_file_states_shows_that_bytes_are_missing(
    tmp_path: Path, content: bytes, expected: float
) -> None:
    assert share(tmp_path, content) == pytest.approx(expected)


@pytest.mark.parametrize(("content", "expected"), CASES.values(), ids=CASES.keys())
def test_no_beginning_of_a_file_is_an_error(tmp_path: Path, content: bytes, expected: float) -> None:
    for length in range(1, 80):
        assert 0 < share(tmp_path, content[:length]) <= 1


NAMES = {
    "picture": [
        b"\xff\xd8\xff\xe0",
        b"\x89PNG\r\n",
        b"\0\0\0\x24ftypheic",
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"GIF89a",
    ],
    "PDF": [b"%PDF-1.7"],
    "document or presentation": [b"PK\3\4....[Content_Types].xml", b"\xd0\xcf\x11\xe0\xa1", b"{\\rtf1"],
    "archive": [b"PK\3\4...video.mp4", b"Rar!\x1a\7", b"7z\xbc\xaf\x27\x1c"],
    "web page": [b"\n<!DOCTYPE html><html>", b"<html lang='en'>", b"<?xml version='1.0'?><html>"],
    "RealMedia": [b".RMF\0\0"],
    "Flash": [b"CWS\x0a"],
    "link": [b'{"url": "https://docs.google.com/file/d/x"}', b"bplist00\xd3", b"[InternetShortcut]\nURL=x"],
    "project": [b"<?xml version='1.0'?><mlt>"],
    "playlist": [b"#EXTM3U\n", b"\xef\xbb\xbfffconcat version 1.0"],
    "text": [b"Dear teacher, here is my video."],
    "no video or sound recording": [bytes(64)],
}


@pytest.mark.parametrize(
    ("head", "name"), [(head, name) for name, heads in NAMES.items() for head in heads], ids=repr
)
def test_what_is_no_recording_is_called_by_its_name(head: bytes, name: str) -> None:
    fault = unopened(head)
    assert fault.code == "not_media"
    assert name in str(fault)
    assert len(str(fault)) < 120


@pytest.mark.parametrize(
    "head", [b"\0\0\0\x20ftypisom", b"RIFF\0\0\0\0WAVE", b"OggS", b"FLV\1", b"#!AMR\n", b"\x1aE\xdf\xa3"]
)
def test_a_recording_that_cannot_be_opened_is_damaged(head: bytes) -> None:
    assert unopened(head).code == "damaged"


def read(times: Timeline, *packets: tuple[float | None, float]) -> float:
    for stamp, duration in packets:
        times.read(stamp, duration, 1000.0)
    return round(times.seconds, 6)


@pytest.mark.parametrize(
    ("packets", "jumps", "expected"),
    [
        ([(5.0, 0.5), (5.5, 0.5)], False, 1.0),
        ([(5.0, 0.5), (9.5, 0.5)], False, 5.0),
        ([(5.0, 4.5), (9.5, 0.5)], False, 5.0),
        ([(5.0, 0.5), (5.5, 40.0)], False, 1.5),
        ([(7.0, 0.5), (7.5, 0.5)], False, 3.0),
        ([(5.0, 0.9), (5.9, 0.9), (5.0, 0.9), (5.9, 0.9)], True, 3.6),
        ([(5.0, 0.5), (3000.0, 0.5), (3000.5, 0.5)], True, 1.5),
        ([(5.0, 0.5), (None, 0.5), (6.0, 0.5)], False, 1.5),
    ],
    ids=["plain", "pause", "pause in a duration", "at the end", "late", "joined", "jump", "no stamp"],
)
def test_the_duration_is_that_of_the_sound_and_its_pauses(
    packets: Sequence[tuple[float | None, float]], jumps: bool, expected: float
) -> None:
    assert read(Timeline(5.0, jumps=jumps), *packets) == expected


def test_a_duration_beyond_the_limit_ends_the_reading() -> None:
    with pytest.raises(MediaFault, match="longer"):
        read(Timeline(0.0, jumps=False), (0.0, 1.0), (1001.0, 1.0))


def tally(*packets: tuple[float, float]) -> Iterator[PacketTally]:
    """After each packet of (duration, seconds decoded of it)."""
    made = PacketTally()
    for duration, sound_s in packets:
        made.count(SimpleNamespace(duration=round(duration * 1000), time_base=0.001, is_discard=False))
        made.decoded(sound_s)
        yield made


def test_a_packet_holds_no_more_than_the_longest_that_was_decoded() -> None:
    *_, paused = tally((0.02, 0.02), (40.0, 0.02), (0.02, 0.02))
    assert paused.there_s == pytest.approx(0.29)  # 0.25 for a packet of which nothing is known
    *_, spoiled = tally((0.5, 0.5), (0.5, 0.0), (0.5, 0.0))
    assert spoiled.there_s == pytest.approx(1.25)
    assert spoiled.decoded_s == 0.5
