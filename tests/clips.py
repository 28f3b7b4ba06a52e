"""Media files as students should not make them, made with PyAV."""

from collections.abc import Sequence
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
Sound = NDArray[np.int16]
"""Samples of shape (channels, samples) at 48 kHz."""


def tone(seconds: float, channels: int = 1, level: float = 0.3, rate: int = RATE) -> Sound:
    """440 Hz, the same in each channel."""
    wave = np.sin(np.arange(round(seconds * rate)) * (2 * np.pi * 440 / rate)) * (level * 32767)
    return np.repeat(wave.astype(np.int16)[np.newaxis], channels, axis=0)


def silence(seconds: float, channels: int = 1) -> Sound:
    """Nothing to be heard."""
    return np.zeros((channels, round(seconds * RATE)), dtype=np.int16)


def film(
    path: Path,
    *tracks: Sound,
    codec: str = "aac",
    rate: int = RATE,
    picture_s: float = 0.0,
    begins_s: float = 0.0,
    hole: tuple[float, float] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write the tracks to `path`, by its suffix; the sound begins at `begins_s`, without the `hole`."""
    with av.open(str(path), "w", options=options or {}) as container:
        video = _picture(container) if picture_s else None
        streams = []
        for track in tracks:
            stream = container.add_stream(codec, rate=rate)
            assert isinstance(stream, AudioStream)
            stream.layout = {1: "mono", 2: "stereo", 8: "7.1"}[len(track)]
            streams.append(stream)
        if video is not None:
            for number in range(round(picture_s * 10)):
                picture = VideoFrame.from_ndarray(np.zeros((48, 64, 3), dtype=np.uint8), format="rgb24")
                picture.pts = number
                container.mux(video.encode(picture))
            container.mux(video.encode(None))
        for stream, track in zip(streams, tracks, strict=True):
            for frame in _frames(track, rate, begins_s, hole):
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def _picture(container: OutputContainer) -> VideoStream:
    video = container.add_stream("mpeg4", rate=10)
    assert isinstance(video, VideoStream)
    video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
    return video


def _frames(
    track: Sound, rate: int, begins_s: float, hole: tuple[float, float] | None
) -> Sequence[AudioFrame]:
    frames = []
    for start in range(0, track.shape[1], 960):
        if hole and hole[0] <= start / rate < hole[1]:
            continue
        part = np.ascontiguousarray(track[:, start : start + 960].T.reshape(1, -1))
        frame = AudioFrame.from_ndarray(part, "s16", {1: "mono", 2: "stereo", 8: "7.1"}[len(track)])
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
