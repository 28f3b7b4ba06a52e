"""Reads the packets of an open media file, and counts those that FFmpeg skips without an error."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard

from daemon.stt.media_faults import MediaFault, beginning, check_length, overfull, unopened

ERRORS = (av.error.FFmpegError, ValueError, IndexError)
"""Errors that PyAV raises for a damaged file. One of them is a MemoryError as well, which is let through."""

# No demuxer that opens other files (hls, concat, dash, ...), and no protocol that leaves the machine:
# a playlist that is named .mp4 would else read the neighbours' videos.
_OPTIONS = {
    "protocol_whitelist": "fd",
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,wav,w64,mp3,ogg,flac,aac",
}
_LEAD_S = 1.5  # FFmpeg begins a second before what is played, for decoders that need it
_RETRIES = 20  # of demuxing after an error, with nothing read in between
_PACKETS_PER_S = 1000  # pictures at 240 Hz beside eight tracks of sound are 650 a second
_MORE_PACKETS = 100_000  # of what lasts no time: hundreds of tracks begin with some each


@dataclass
class PacketTally:
    """What became of the packets of one track."""

    there_s: float = 0.0
    decoded_s: float = 0.0
    skipped: int = 0
    _hidden_s: float = 0.0

    def count(self, packet: Any) -> None:
        """Add a packet to what is there, unless it only leads to what an mp4's edit list plays.

        The packets of such a lead are decoded and given to nobody.
        """
        duration_s = seconds(packet.duration, float(packet.time_base or 0)) or 0.0
        self._hidden_s = self._hidden_s + duration_s if packet.is_discard else 0.0
        if not 0.0 < self._hidden_s <= _LEAD_S:
            self.there_s += duration_s


def decoded(container: InputContainer, track: AudioStream, tally: PacketTally) -> Iterator[AudioFrame]:
    """The decoded frames of a track; packets that are corrupt are counted and passed over."""
    for packet in packets(container, track):
        tally.count(packet)
        try:
            frames = packet.decode()
        except MemoryError:
            raise
        except ERRORS:
            tally.skipped += 1
            continue
        for frame in frames:
            assert isinstance(frame, AudioFrame)
            tally.decoded_s += frame.samples / frame.sample_rate
            yield frame


def packets(container: InputContainer, *only: AudioStream) -> Iterator[Any]:
    """The packets, by default of all streams, also those behind a place that cannot be read."""
    failures = 0
    while failures <= _RETRIES:
        try:
            for packet in container.demux(*only):
                if packet.size:
                    failures = 0
                yield packet
        except MemoryError:
            raise
        except ERRORS:
            failures += 1  # demuxing ends with an error, and can be begun again behind it
        else:
            return


def extent(container: InputContainer, sound: int, max_s: float) -> tuple[float, float, float]:
    """When the packets begin, when those of the stream `sound` end, and when the last ends, in seconds.

    Packets outside what an mp4's edit list plays count for nothing: the declared duration has none of them.
    Raises Bad as soon as there is too much sound, or more packets than a video of `max_s` can have: the rest
    of many hours is not worth reading, whatever times its packets tell.
    """
    most = round(_PACKETS_PER_S * max_s) + _MORE_PACKETS
    begins, sound_ends, ends = float("inf"), 0.0, 0.0
    units: dict[int, tuple[int, int]] = {}  # by stream: fractions for each packet cost more than its reading
    for count, packet in enumerate(packets(container)):
        if count > most:
            raise overfull(most)
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is None or not packet.size or packet.is_discard:
            continue
        unit = units.get(packet.stream_index)
        if unit is None:
            unit = units[packet.stream_index] = packet.time_base.as_integer_ratio()
        start = stamp * unit[0] / unit[1]
        end = start + (packet.duration or 0) * unit[0] / unit[1]
        begins, ends = min(begins, start), max(ends, end)
        if packet.stream_index == sound:
            sound_ends = max(sound_ends, end)
            check_length(sound_ends - begins, max_s)
    return min(begins, ends), sound_ends, ends


def sound_tracks(container: InputContainer) -> list[AudioStream]:
    """The tracks of sound that can be decoded, at least one. Raises Bad."""
    # The context is None where FFmpeg knows no decoder, whatever PyAV's types say.
    tracks = [stream for stream in container.streams.audio if getattr(stream, "codec_context", None)]
    if not tracks:
        raise MediaFault("no_audio", "the video has no sound. Check the microphone and record it again")
    return tracks


def read_only(container: InputContainer, keep: AudioStream) -> None:
    """Have the packets of all other streams left out."""
    for stream in container.streams:
        if stream.index != keep.index:
            stream.discard = Discard.all  # an index lets the demuxer jump over it


def seconds(count: int | None, unit: float) -> float | None:
    """A duration in units of `unit` seconds; None where there is none."""
    return count * unit if count and count > 0 and unit else None


@contextmanager
def opened(video: int) -> Iterator[InputContainer]:
    """The container of an open media file, from its beginning. Raises Bad, and MemoryError."""
    if stat.S_ISREG(os.fstat(video).st_mode):
        os.lseek(video, 0, os.SEEK_SET)
    try:
        container = av.open("fd:", mode="r", metadata_errors="ignore", options={**_OPTIONS, "fd": str(video)})
    except MemoryError:
        raise
    except ERRORS as exc:
        raise unopened(beginning(video)) from exc
    with container:
        yield container
