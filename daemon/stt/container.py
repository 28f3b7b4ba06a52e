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
"""Errors of PyAV for a damaged file. One of them is also a MemoryError, which must be let through."""

# No demuxer that opens other files (hls, concat, dash, ...), and no network protocol: a playlist named .mp4
# would otherwise read other students' videos.
_OPTIONS = {
    "protocol_whitelist": "fd",
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,wav,w64,mp3,ogg,flac,aac",
}
_LEAD_S = 1.5  # FFmpeg starts a second before the played part, for decoders that need it
_RETRIES = 20  # of demuxing after errors, with no packet in between
_PACKETS_PER_S = 1000  # 240 pictures a second and eight tracks of sound take 650
_MORE_PACKETS = 100_000  # in addition, without duration: each of hundreds of tracks begins with some


@dataclass
class PacketTally:
    """The packets of one track: seconds present, seconds decoded, and the number skipped."""

    there_s: float = 0.0
    decoded_s: float = 0.0
    skipped: int = 0
    _hidden_s: float = 0.0

    def count(self, packet: Any) -> None:
        """Count a packet as present, unless it only leads to the part that an mp4's edit list plays.

        FFmpeg decodes the packets of such a lead, but does not return their frames.
        """
        duration_s = seconds(packet.duration, float(packet.time_base or 0)) or 0.0
        self._hidden_s = self._hidden_s + duration_s if packet.is_discard else 0.0
        if not 0.0 < self._hidden_s <= _LEAD_S:
            self.there_s += duration_s


def decoded(container: InputContainer, track: AudioStream, tally: PacketTally) -> Iterator[AudioFrame]:
    """The decoded frames of a track. Corrupt packets are counted and skipped."""
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
    """The packets, by default of all streams, also those after an unreadable part."""
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
            failures += 1  # demuxing ends with an error, and can be resumed after it
        else:
            return


def extent(container: InputContainer, sound: int, max_s: float) -> tuple[float, float, float]:
    """The start of the first packet, the end of the stream `sound`, and the end of all, in seconds.

    Packets outside what an mp4's edit list plays do not count: the declared duration is without them. Raises
    MediaFault as soon as there is too much sound, or more packets than a video of `max_s` can have: the rest
    of many hours is not read.
    """
    most = round(_PACKETS_PER_S * max_s) + _MORE_PACKETS
    begins, sound_ends, ends = float("inf"), 0.0, 0.0
    units: dict[int, tuple[int, int]] = {}  # by stream: a Fraction for each packet costs more than reading it
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
    """The tracks of sound that can be decoded, at least one. Raises MediaFault."""
    # The context is None if FFmpeg has no decoder, although PyAV's types do not say so.
    tracks = [stream for stream in container.streams.audio if getattr(stream, "codec_context", None)]
    if not tracks:
        raise MediaFault("no_audio", "the video has no sound. Check the microphone and record it again")
    return tracks


def read_only(container: InputContainer, keep: AudioStream) -> None:
    """Make the demuxer skip the packets of all other streams."""
    for stream in container.streams:
        if stream.index != keep.index:
            stream.discard = Discard.all  # with an index the demuxer does not even read them


def seconds(count: int | None, unit: float) -> float | None:
    """A duration of `count` units, in seconds; None without one."""
    return count * unit if count and count > 0 and unit else None


@contextmanager
def opened(video: int) -> Iterator[InputContainer]:
    """Open the container of an open media file, from its beginning. Raises MediaFault, MemoryError."""
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
