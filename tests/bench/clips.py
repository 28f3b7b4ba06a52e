"""Recordings for the benchmarks, made of the sample class: always the same bytes."""

import itertools
import tempfile
import wave
from collections.abc import Sequence
from pathlib import Path

from daemon.cli.samples import sample_files
from daemon.stt.media import decode
from daemon.stt.pcm import RATE

_LONGEST_S = 900.0
_FREE_BOX = b"\0\0\0\x10free"  # of eight bytes, which players pass over


def spoken_clips(folder: Path, count: int, parts: int, length_s: float) -> list[Path]:
    """So many recordings as wav of at most `length_s`, each of `parts` samples in another order."""
    size = round(length_s * RATE) * 2
    spoken = [_sound(clip) for clip in sample_files() if "silent" not in clip.name]
    orders = itertools.islice(itertools.permutations(range(len(spoken)), parts), None, None, 7)
    clips = []
    for number, order in zip(range(count), orders, strict=False):
        sound = b"".join(spoken[index] for index in order)[:size]
        clips.append(_wav(folder / f"clip{number:02d}.wav", sound))
    return clips


def short_clips(folder: Path, students: Sequence[str]) -> list[Path]:
    """A small media file for each student, `<student>_me.<suffix>`, every second one an mp4; no two alike."""
    videos = [clip.read_bytes() for clip in sample_files()]
    sound = _sound(sample_files()[0])
    clips = []
    for number, student in enumerate(students):
        if number % 2:
            name = folder / f"{student}_me.wav"
            start = number * 64 % (len(sound) // 2)
            clips.append(_wav(name, sound[start : start + 4 * RATE]))
        else:
            name = folder / f"{student}_me.mp4"
            name.write_bytes(videos[number % len(videos)] + _FREE_BOX + number.to_bytes(8, "big"))
            clips.append(name)
    return clips


def _sound(clip: Path) -> bytes:
    """16 kHz mono s16le."""
    with tempfile.TemporaryFile() as file, clip.open("rb") as video:
        decode(video.fileno(), file.fileno(), _LONGEST_S)
        file.seek(0)
        return file.read()


def _wav(path: Path, pcm: bytes) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm)
    return path
