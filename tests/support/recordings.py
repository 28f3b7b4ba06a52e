"""What students hand in: the recordings of the table, each with the answer that a user expects."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.studio import AAC, H264, PCM, PICTURE, Studio, ffmpeg

INTRO = (
    "Hello, my name is Hannah Reed. I am twenty years old. I study civil engineering in my second year. "
    "My hobbies are chess and running. I worked as an intern in a library. I want to build bridges."
)
SPANISH = (
    "Hola, me llamo Elena Ruiz. Tengo veinte años y estudio ingeniería civil en la universidad. "
    "Me gusta mucho leer libros y tocar la guitarra."
)

Make = Callable[[Studio, Path], object]


@dataclass(frozen=True)
class Recording:
    """One recording of the table. `make` writes it.

    `ends`: the outcomes that are right, or the codes of an `unscorable` or `failed` one. `flag`: a flag that
    the result must have. `said`: the words that an `evaluated` transcript is held to; empty for none.
    """

    kind: str
    what: str
    suffix: str
    make: Make
    ends: Sequence[str] = ("evaluated",)
    flag: str = ""
    said: str = INTRO


def made(*options: object, voice: str = "slt", text: str = INTRO) -> Make:
    """ffmpeg with these options on the speech alone."""
    return lambda studio, to: ffmpeg("-i", studio.speech(text, voice), *options, to)


def filmed(*options: object, picture: Sequence[str] = H264, text: str = INTRO) -> Make:
    """ffmpeg with these options on a picture and the speech."""
    return lambda studio, to: ffmpeg(*PICTURE, "-i", studio.speech(text), "-shortest", *picture, *options, to)


def mixed(other: str, graph: str, *options: object, voice: str = "slt") -> Make:
    """The sound of a source of ffmpeg and the speech, `[0:a]` and `[1:a]`, mixed by a filter graph."""
    return lambda studio, to: ffmpeg(
        *("-f", "lavfi", "-i", other, "-i", studio.speech(INTRO, voice)),
        *("-filter_complex", graph, "-shortest", *options, to),
    )


def in_turn(*parts: tuple[str, str]) -> Make:
    """Texts one after the other, each with its voice."""

    def make(studio: Studio, to: Path) -> None:
        inputs = [part for text, voice in parts for part in ("-i", studio.speech(text, voice))]
        one = "aresample=48000,aformat=channel_layouts=mono"
        chains = "".join(f"[{index}:a]{one}[a{index}];" for index in range(len(parts)))
        joined = "".join(f"[a{index}]" for index in range(len(parts)))
        graph = f"{chains}{joined}concat=n={len(parts)}:v=0:a=1"
        ffmpeg(*inputs, "-filter_complex", graph, *PCM, to)

    return make


def paused(seconds: float, *options: object) -> Make:
    """A recorder that was paused after six seconds."""
    return made("-af", f"asetpts='if(gt(T,6),PTS+{seconds}/TB,PTS)'", *(options or AAC))


def overstated(studio: Studio, to: Path) -> None:
    """A webm whose header says 60 s, although 12 s were recorded."""
    vp8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "200k")
    filmed("-c:a", "libopus", picture=vp8)(studio, to)
    data = bytearray(to.read_bytes())
    at = data.index(b"\x44\x89\x88")  # Duration, a double
    data[at + 3 : at + 11] = struct.pack(">d", 60_000.0)
    to.write_bytes(data)


def music_first(studio: Studio, to: Path) -> None:
    """OBS with the music of the desktop as its first track, and the microphone as its second."""
    ffmpeg(
        *("-f", "lavfi", "-i", "sine=f=330:d=14,tremolo=f=3", "-i", studio.speech(INTRO), *PICTURE),
        *("-map", "2:v", "-map", "0:a", "-map", "1:a", "-shortest", *H264, *AAC, to),
    )


REVIEW = ("needs_review",)
RUMBLE = "anoisesrc=c=brown:a=0.9:d=14"
SIDE_BY_SIDE = "[0:a][1:a]join=inputs=2:channel_layout=stereo"
UNCLEAR = ("unintelligible", "wrong_language")

RECORDINGS: tuple[Recording, ...] = (
    Recording("a hole", "a phone, paused for 40 s", ".mp4", paused(40)),
    Recording("a hole", "a voice recorder, paused for 1.5 s", ".m4a", paused(1.5)),
    Recording("its duration", "a browser's webm that says five times its length", ".webm", overstated),
    Recording(
        "its duration",
        'an mp3 without a header, with "Info" in its title',
        ".mp3",
        made("-c:a", "libmp3lame", "-q:a", "6", "-write_xing", "0", "-metadata", "title=Info session"),
    ),
    Recording("its tracks", "OBS: the desktop's music first", ".mkv", music_first, flag="audio_track"),
    Recording(
        "its channels", "a rumble on the left", ".m4a", mixed(RUMBLE, SIDE_BY_SIDE, *AAC), flag="one_channel"
    ),
    Recording(
        "its format",
        "Windows Media, called .mp4",
        ".mp4",
        filmed("-c:a", "wmav2", "-f", "asf", picture=("-c:v", "wmv2")),
    ),
    Recording(
        "its language",
        "Spanish first",
        ".wav",
        in_turn((SPANISH, "es"), (INTRO, "slt")),
        REVIEW,
        "mixed_language",
    ),
    Recording(
        "its language",
        "Spanish last",
        ".wav",
        in_turn((INTRO, "slt"), (SPANISH, "es")),
        REVIEW,
        "mixed_language",
    ),
    Recording("hard to hear", "a German accent", ".wav", made(voice="de"), (*REVIEW, *UNCLEAR)),
    Recording("hard to hear", "a Spanish accent", ".wav", made(voice="es"), (*REVIEW, *UNCLEAR)),
    Recording(
        "hard to hear",
        "clipped by 30 dB",
        ".wav",
        made("-af", "volume=30dB:precision=fixed", *PCM),
        REVIEW,
        "low_confidence",
    ),
    Recording(
        "hard to hear",
        "in loud noise",
        ".wav",
        mixed(
            "anoisesrc=c=pink:a=0.35:d=14",
            "[0:a]volume=8dB[n];[1:a][n]amix=inputs=2:duration=first:normalize=0",
            *("-ac", "1"),
        ),
        (*REVIEW, *UNCLEAR),
    ),
    Recording(
        "its level", "56 dB too quiet", ".wav", made("-af", "volume=-56dB", *PCM), ("evaluated", *REVIEW)
    ),
)
