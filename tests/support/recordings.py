"""Ways to make a recording: each gives a function that writes one, of a speech with a picture or alone."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.studio import AAC, H264, PCM, PICTURE, Studio, ffmpeg

INTRO = (
    "Hello, my name is Hannah Reed. I am twenty years old. I study civil engineering in my second year. "
    "My hobbies are chess and running. I worked as an intern in a library. I want to build bridges."
)

Make = Callable[[Studio, Path], object]


@dataclass(frozen=True)
class Recording:
    """One recording of the table. `make` writes it; its name ends in `suffix`.

    `ends`: the outcomes that are right, or the codes of an `unscorable` or `failed` one. `flags`: some that
    the result must have. `said`: the words that the transcript is held to; empty for none. `duration_s` of
    the recording, where that is the subject.
    """

    kind: str
    what: str
    suffix: str
    make: Make
    ends: Sequence[str] = ("evaluated",)
    flags: frozenset[str] = frozenset()
    said: str = INTRO
    duration_s: float | None = None


def made(*options: object, text: str = INTRO, voice: str = "slt", pace: int = 150) -> Make:
    """ffmpeg with these options on the speech alone."""
    return lambda studio, to: ffmpeg("-i", studio.speech(text, voice, pace), *options, to)


def filmed(*options: object, picture: Sequence[str] = H264) -> Make:
    """ffmpeg with these options on a picture and the speech."""
    return lambda studio, to: ffmpeg(
        *PICTURE, "-i", studio.speech(INTRO), "-shortest", *picture, *options, to
    )


def mixed(
    other: str, graph: str, *options: object, text: str = INTRO, voice: str = "slt", pace: int = 150
) -> Make:
    """A source of ffmpeg and the speech, `[0:a]` and `[1:a]`, mixed by a filter graph."""
    return lambda studio, to: ffmpeg(
        *("-f", "lavfi", "-i", other, "-i", studio.speech(text, voice, pace)),
        *("-filter_complex", graph, "-shortest", *options, to),
    )


def in_noise(colour: str, level: float, text: str, voice: str) -> Make:
    """The speech at -23 LUFS in noise whose amplitude is `level` of the full scale."""
    graph = (
        "[1:a]aresample=16000,loudnorm=I=-23,aresample=16000[s];"
        "[s][0:a]amix=inputs=2:duration=first:normalize=0"
    )
    return mixed(f"anoisesrc=c={colour}:a={level}:d=30:seed=1", graph, *PCM, text=text, voice=voice)


def in_turn(*parts: tuple[str, str]) -> Make:
    """Texts one after the other, as loud as each other, each with its voice."""

    def make(studio: Studio, to: Path) -> None:
        inputs = [part for text, voice in parts for part in ("-i", studio.speech(text, voice))]
        one = "aresample=48000,aformat=channel_layouts=mono,apad=pad_dur=0.4"
        chains = "".join(f"[{index}:a]{one}[a{index}];" for index in range(len(parts)))
        joined = "".join(f"[a{index}]" for index in range(len(parts)))
        graph = f"{chains}{joined}concat=n={len(parts)}:v=0:a=1"
        ffmpeg(*inputs, "-filter_complex", graph, *PCM, to)

    return make


def pause(seconds: float, *options: object, picture: Sequence[str] = ()) -> Make:
    """A recorder that was paused after six seconds."""
    hole = ("-af", f"asetpts='if(gt(T,6),PTS+{seconds}/TB,PTS)'", *(options or AAC))
    return filmed(*hole, picture=picture) if picture else made(*hole)


def tracks(*others: str) -> Make:
    """A film whose first tracks of sound are sources of ffmpeg, and whose last one is the speech."""

    def make(studio: Studio, to: Path) -> None:
        inputs = [part for other in others for part in ("-f", "lavfi", "-i", other)]
        sounds = [part for index in range(len(others) + 1) for part in ("-map", f"{index}:a")]
        picture = ("-map", f"{len(others) + 1}:v")
        ffmpeg(*inputs, "-i", studio.speech(INTRO), *PICTURE, *picture, *sounds, "-shortest", *H264, *AAC, to)

    return make


def channels(*sides: str, layout: str = "stereo", codec: Sequence[str] = AAC) -> Make:
    """One channel for each source of ffmpeg; the speech for "voice"."""

    def make(studio: Studio, to: Path) -> None:
        voice = str(studio.speech(INTRO))
        inputs = [
            part
            for side in sides
            for part in (("-i", voice) if side == "voice" else ("-f", "lavfi", "-i", side))
        ]
        ins = "".join(f"[{index}:a]" for index in range(len(sides)))
        join = f"{ins}join=inputs={len(sides)}:channel_layout={layout}"
        ffmpeg(*inputs, "-filter_complex", join, "-shortest", *codec, to)

    return make


def cut(make: Make, share: float) -> Make:
    """The first `share` of another recording's bytes."""

    def made_of(studio: Studio, to: Path) -> None:
        make(studio, to)
        whole = to.read_bytes()
        to.write_bytes(whole[: round(len(whole) * share)])

    return made_of


def joined(*options: object, text: str) -> Make:
    """Two recordings whose bytes were put one after the other, of the introduction and another text."""

    def make(studio: Studio, to: Path) -> None:
        made(*options)(studio, to)
        first = to.read_bytes()
        made(*options, text=text)(studio, to)
        to.write_bytes(first + to.read_bytes())

    return make


def says_a_minute(make: Make) -> Make:
    """A webm whose header says that it lasts 60 s."""

    def made_of(studio: Studio, to: Path) -> None:
        make(studio, to)
        data = bytearray(to.read_bytes())
        at = data.index(b"\x44\x89\x88")  # Duration, a double
        data[at + 3 : at + 11] = struct.pack(">d", 60_000.0)
        to.write_bytes(data)

    return made_of


def content(data: bytes) -> Make:
    """No recording, but these bytes."""
    return lambda studio, to: to.write_bytes(data)
