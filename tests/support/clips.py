"""Media files as students should not make them, made with PyAV."""

import struct
import wave
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

RATE = 48_000
_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 8: "7.1"}
Sound = NDArray[np.int16]
"""Samples of shape (channels, samples) at 48 kHz."""


def tone(seconds: float, channels: int = 1, level: float = 0.3, rate: int = RATE) -> Sound:
    """440 Hz, the same in each channel."""
    wave = np.sin(np.arange(round(seconds * rate)) * (2 * np.pi * 440 / rate)) * (level * 32767)
    return np.repeat(wave.astype(np.int16)[np.newaxis], channels, axis=0)


def silence(seconds: float, channels: int = 1) -> Sound:
    """Nothing to be heard."""
    return np.zeros((channels, round(seconds * RATE)), dtype=np.int16)


def chords(seconds: float) -> Sound:
    """Four chords of a piano, over and over, with a melody of their notes."""
    progression = ((262, 330, 392), (220, 262, 330), (175, 220, 262), (196, 247, 294))
    music = np.zeros(round((seconds + 3) * RATE))
    for beat in range(round(seconds * 2)):
        chord = progression[beat // 4 % 4]
        notes = [(pitch, 0.2) for pitch in chord] if beat % 2 == 0 else []
        for pitch, level in [*notes, (chord[beat * 5 % 3] * 2, 0.15)]:
            struck = _struck(pitch, level)
            start = beat * RATE // 2
            music[start : start + len(struck)] += struck
    played: Sound = (music / np.abs(music).max() * 20_000).astype(np.int16)
    return played[np.newaxis, : round(seconds * RATE)]


def rumble(seconds: float, seed: int = 1) -> Sound:
    """Low noise, as of wind or a desk that is knocked at, louder than a voice."""
    steps = np.random.default_rng(seed).normal(0, 1, round(seconds * RATE))
    low = np.convolve(steps, np.ones(400) / 20, mode="same")
    return np.asarray(np.clip(low * 9000, -32_000, 32_000), dtype=np.int16)[np.newaxis]


def _struck(pitch: float, level: float) -> NDArray[np.float64]:
    """A string that was struck: seven partials, the higher the sooner gone."""
    time = np.arange(round(2.5 * RATE)) / RATE
    partials = np.arange(1, 8)[:, np.newaxis]
    sound = np.sin(2 * np.pi * pitch * partials * time) * np.exp(-time * (1.5 + 0.6 * partials))
    return np.asarray((level * sound / partials**1.5).sum(axis=0))


def spoken(probe: Path, start_s: float = 0.0, end_s: float = 5.0) -> Sound:
    """A part of a 16 kHz mono recording, as 48 kHz."""
    with wave.open(str(probe), "rb") as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.int16)
    return np.repeat(sound[round(start_s * 16_000) : round(end_s * 16_000)], 3)[np.newaxis]


def film(
    path: Path,
    *tracks: Sound,
    codec: str = "aac",
    rate: int = RATE,
    picture_s: float = 0.0,
    picture: tuple[str, int, int] = ("mpeg4", 64, 48),
    begins_s: float = 0.0,
    hole: tuple[float, float] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write the tracks to `path`, by its suffix; the sound begins at `begins_s`, without the `hole`.

    A black `picture`, of codec, width and height, lasts `picture_s`.
    """
    with av.open(str(path), "w", options=options or {}) as container:
        video = _picture(container, *picture) if picture_s else None
        streams = []
        for track in tracks:
            stream = container.add_stream(codec, rate=rate)
            assert isinstance(stream, AudioStream)
            stream.layout = _LAYOUTS[len(track)]
            streams.append(stream)
        if video is not None:
            for number in range(round(picture_s * 10)):
                frame = VideoFrame.from_ndarray(
                    np.zeros((video.height, video.width, 3), dtype=np.uint8), format="rgb24"
                )
                frame.pts = number
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        for stream, track in zip(streams, tracks, strict=True):
            for sound in _frames(track, rate, begins_s, hole):
                container.mux(stream.encode(sound))
            container.mux(stream.encode(None))
    return path


def _picture(container: OutputContainer, codec: str, width: int, height: int) -> VideoStream:
    video = container.add_stream(codec, rate=10)
    assert isinstance(video, VideoStream)
    video.width, video.height, video.pix_fmt = width, height, "yuv420p"
    return video


def _frames(
    track: Sound, rate: int, begins_s: float, hole: tuple[float, float] | None
) -> Sequence[AudioFrame]:
    frames = []
    for start in range(0, track.shape[1], 960):
        if hole and hole[0] <= start / rate < hole[1]:
            continue
        part = np.ascontiguousarray(track[:, start : start + 960].T.reshape(1, -1))
        frame = AudioFrame.from_ndarray(part, "s16", _LAYOUTS[len(track)])
        frame.sample_rate = rate
        frame.time_base = Fraction(1, rate)
        frame.pts = round(begins_s * rate) + start
        frames.append(frame)
    return frames


def cut_off(path: Path, share: float) -> Path:
    """The file, of which only the first `share` has arrived."""
    whole = path.read_bytes()
    path.write_bytes(whole[: round(len(whole) * share)])
    return path


def spoil(path: Path, every: int = 1) -> Path:
    """The file with every n-th packet overwritten with noise, and its index as it was."""
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux() if packet.size]
    whole = bytearray(path.read_bytes())
    noise = np.random.default_rng(1)
    for place, size in places[::every]:
        assert place is not None
        whole[place : place + size] = noise.bytes(size)
    path.write_bytes(whole)
    return path


def cut_out(source: Path, to: Path, start_s: float, seconds: float, lead_s: float) -> Path:
    """A part of an mp4, copied as editors do: from `lead_s` earlier on, which an edit list hides."""
    options = {"movflags": "faststart"}
    with av.open(str(source)) as whole, av.open(str(to), "w", options=options) as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in whole.streams}
        for packet in whole.demux():
            if packet.pts is None or packet.dts is None or packet.time_base is None:
                continue
            time = float(packet.pts * packet.time_base) - start_s
            if -lead_s <= time < seconds:
                shift = round(start_s / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = streams[packet.stream_index]
                target.mux(packet)
    return to


def edited(path: Path, *segments: tuple[float, float]) -> Path:
    """An mp4 whose tracks play these segments alone, each (start, duration) in seconds."""
    content = path.read_bytes()
    movie_at, movie = next((at, box) for at, kind, box in _boxes(content) if kind == b"moov")
    (scale,) = (struct.unpack_from(">I", box, 12)[0] for _, kind, box in _boxes(movie) if kind == b"mvhd")
    made = b"".join(
        mp4_box(kind, _edited_track(box, scale, segments) if kind == b"trak" else box)
        for _, kind, box in _boxes(movie)
    )
    assert movie_at + 8 + len(movie) == len(content), "the offsets of what follows would be wrong"
    path.write_bytes(content[:movie_at] + mp4_box(b"moov", made))
    return path


def _edited_track(track: bytes, movie_scale: int, segments: Sequence[tuple[float, float]]) -> bytes:
    media = next(box for _, kind, box in _boxes(track) if kind == b"mdia")
    scale = next(struct.unpack_from(">I", box, 12)[0] for _, kind, box in _boxes(media) if kind == b"mdhd")
    entries = b"".join(
        struct.pack(">IiI", round(length * movie_scale), round(start * scale), 1 << 16)
        for start, length in segments
    )
    edits = mp4_box(b"edts", mp4_box(b"elst", struct.pack(">II", 0, len(segments)) + entries))
    kept = [(kind, box) for _, kind, box in _boxes(track) if kind != b"edts"]
    return mp4_box(*kept[0]) + edits + b"".join(mp4_box(kind, box) for kind, box in kept[1:])


def _boxes(content: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Where each box begins, its kind, and what is in it."""
    at = 0
    while at < len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        yield at, kind, content[at + 8 : at + size]
        at += size


def mp4_box(kind: bytes, content: bytes) -> bytes:
    """A box of an mp4."""
    return struct.pack(">I", 8 + len(content)) + kind + content
