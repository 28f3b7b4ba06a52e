"""A corpus of damaged media files, made from good ones: always the same bytes for the same number."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import av

EDGES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
SUFFIXES = ".mp4 .m4v .mov .mkv .webm .avi .mpg .wav .mp3 .m4a .ogg .opus .flac".split()
SOUNDS = (
    (".webm", "libopus"),
    (".mp3", "libmp3lame"),
    (".wav", "pcm_s16le"),
    (".ogg", "flac"),
    (".flac", "flac"),
    (".avi", "libmp3lame"),
    (".mpg", "mp2"),
    (".opus", "libopus"),
    (".m4a", "aac"),
)
Damage = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True)
class Damaged:
    """One file: what was done to it, its suffix, and its content."""

    kind: str
    suffix: str
    content: bytes


def corpus(good: Sequence[Path], count: int, seed: int = 8) -> "Corpus":
    """`count` damaged files, each made when it is asked for."""
    return Corpus([(path.suffix, path.read_bytes()) for path in good], count, seed)


@dataclass(frozen=True)
class Corpus:
    """The files by their number: every kind of damage in turn, on every good file in turn."""

    good: Sequence[tuple[str, bytes]]
    count: int
    seed: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Damaged:
        chance = random.Random(self.seed * 1_000_003 + number)
        kind, damage = DAMAGES[number % len(DAMAGES)]
        suffix, content = self.good[number // len(DAMAGES) % len(self.good)]
        if kind == "suffix":
            suffix = chance.choice([other for other in SUFFIXES if other != suffix])
        return Damaged(kind, suffix, damage(content, chance))


def beginnings(samples: Sequence[Path], folder: Path, seconds: float = 4.0) -> list[Path]:
    """The first seconds of each sample as it is, and in every other kind of container and codec."""
    made = []
    for number, sample in enumerate(samples):
        made += [
            _copied(sample, folder / f"{number}{suffix}", seconds) for suffix in (".mp4", ".mov", ".mkv")
        ]
        suffix, codec = SOUNDS[number % len(SOUNDS)]
        made.append(_in_other_words(sample, folder / f"{number}{suffix}", codec, seconds))
    suffixes = {path.suffix for path in made}
    rest = [(suffix, codec) for suffix, codec in SOUNDS if suffix not in suffixes]
    return made + [
        _in_other_words(samples[0], folder / f"r{suffix}", codec, seconds) for suffix, codec in rest
    ]


def cut(content: bytes, chance: random.Random) -> bytes:
    """The first part of it: a copy that broke off."""
    return content[: chance.randrange(1, len(content))]


def flips(content: bytes, chance: random.Random) -> bytes:
    """A few bits turned over: a bad cable or disk."""
    spoiled = bytearray(content)
    for _ in range(chance.choice((1, 4, 32, 256))):
        spoiled[chance.randrange(len(spoiled))] ^= 1 << chance.randrange(8)
    return bytes(spoiled)


def zeros(content: bytes, chance: random.Random) -> bytes:
    """A run of zeros in place of what was there, or pushed in between."""
    start = chance.randrange(len(content))
    run = chance.choice((16, 512, 4096, 32_768))
    return content[:start] + bytes(run) + content[start + run * chance.randrange(2) :]


def header(content: bytes, chance: random.Random) -> bytes:
    """Fields of the beginning with numbers from the edge of what fits."""
    spoiled = bytearray(content)
    for _ in range(chance.choice((1, 2, 8))):
        width = chance.choice((1, 2, 4))
        field = (chance.choice(EDGES) & ((1 << 8 * width) - 1)).to_bytes(
            width, chance.choice(("big", "little"))
        )
        place = chance.randrange(min(len(spoiled), 4096) - width)
        spoiled[place : place + width] = field
    return bytes(spoiled)


def swapped(content: bytes, chance: random.Random) -> bytes:
    """Two of its boxes in each other's place, or of a file without boxes two blocks."""
    parts = _boxes(content)
    if len(parts) < 3:
        edges = sorted(chance.sample(range(1, len(content)), 4))
        parts = [content[start:end] for start, end in pairwise([0, *edges, len(content)])]
    one, other = chance.sample(range(len(parts)), 2)
    parts[one], parts[other] = parts[other], parts[one]
    return b"".join(parts)


def repeated(content: bytes, chance: random.Random) -> bytes:
    """A piece of it again and again: a recorder that stuttered."""
    start = chance.randrange(len(content))
    piece = content[start : start + chance.choice((64, 1024, 16_384))]
    return content[:start] + piece * chance.choice((2, 3, 20)) + content[start + len(piece) :]


def untouched(content: bytes, chance: random.Random) -> bytes:
    """As it was: only its name is wrong."""
    return content


DAMAGES: tuple[tuple[str, Damage], ...] = (
    ("cut", cut),
    ("flips", flips),
    ("zeros", zeros),
    ("header", header),
    ("swapped", swapped),
    ("repeated", repeated),
    ("suffix", untouched),
)


def _boxes(content: bytes) -> list[bytes]:
    """The boxes of an mp4, those of its index (moov) one by one; none of another file."""
    boxes: list[bytes] = []
    at = 0
    while at + 8 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        if size < 8 or not content[at + 4 : at + 8].isalnum():
            return []
        box = content[at : at + size]
        boxes += [box[:8], *_boxes(box[8:])] if box[4:8] == b"moov" else [box]
        at += size
    return boxes


def _copied(sample: Path, to: Path, seconds: float) -> Path:
    options = {"movflags": "faststart"} if to.suffix == ".mp4" else {}
    with av.open(str(sample)) as source, av.open(str(to), "w", options=options) as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None and float(packet.dts * packet.time_base) < seconds:
                packet.stream = streams[packet.stream_index]
                target.mux(packet)
    return to


def _in_other_words(sample: Path, to: Path, codec: str, seconds: float) -> Path:
    with av.open(str(sample)) as source, av.open(str(to), "w") as target:
        stream: Any = target.add_stream(codec, rate=48_000, layout="mono")
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=48_000)
        for frame in source.decode(audio=0):
            if frame.time is not None and frame.time >= seconds:
                break
            for made in resampler.resample(frame):
                target.mux(stream.encode(made))
        target.mux(stream.encode(None))
    return to
