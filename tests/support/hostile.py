"""Containers that are small on disk and large in what they claim or unfold to, made when they are needed."""

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.support.clips import film, silence, tone


def hours_of_silence(path: Path, hours: float, codec: str = "aac", rate: int = 8000) -> Path:
    """Silence: one packet of it, again and again."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate, layout="mono")
        stream.codec_context.open()
        size = stream.codec_context.frame_size or 4096
        packets: list[bytes] = []
        while len(packets) < 4:  # the first ones hold the encoder's own beginning
            frame = av.AudioFrame.from_ndarray(
                np.zeros((1, size), dtype=np.dtype("f4" if "flt" in stream.format.name else "i2")),
                format=stream.format.name,
                layout="mono",
            )
            frame.sample_rate = rate
            packets += [bytes(packet) for packet in stream.encode(frame)]
        for number in range(round(hours * 3600 * rate / size)):
            packet = av.Packet(packets[-1])
            packet.stream, packet.time_base = stream, Fraction(1, rate)
            packet.pts = packet.dts = number * size
            packet.duration = size
            container.mux(packet)
    return path


def many_streams(path: Path, count: int, *, heard: bool = False) -> Path:
    """One second of silence, `count` times beside itself; the last track may be heard."""
    tracks = [silence(1.0)] * count
    return film(path, *(tracks[:-1] if heard else tracks), *([tone(1.0)] if heard else []))


def wav_that_says(
    path: Path, *, rate: int = 16_000, channels: int = 1, bits: int = 16, size: int = 32_000
) -> Path:
    """A second of sound below a header that says something else."""
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * block & 0xFFFFFFFF, block & 0xFFFF, bits)
    body = (
        b"WAVEfmt "
        + struct.pack("<I", len(form))
        + form
        + b"data"
        + struct.pack("<I", size)
        + bytes(range(256)) * 125
    )
    path.write_bytes(b"RIFF" + struct.pack("<I", size + 36 & 0xFFFFFFFF) + body)
    return path


def mp4_that_says(path: Path, good: Path, box: bytes, offset: int, value: int) -> Path:
    """A good mp4, in whose every `box` the four bytes at `offset` behind its name say `value`."""
    content = bytearray(good.read_bytes())
    at = -1
    while (at := content.find(box, at + 1)) >= 0:
        content[at + 4 + offset : at + 8 + offset] = value.to_bytes(4, "big")
    path.write_bytes(bytes(content))
    return path
