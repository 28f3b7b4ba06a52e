"""Reads the packets of an open media file, and counts those that FFmpeg skips without an error."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.format import Flags
from av.stream import Discard

from daemon.stt.media_faults import MediaFault, beginning, named, overfull, unopened
from daemon.stt.timeline import PacketTally, Timeline, seconds

ERRORS = (av.error.FFmpegError, ValueError, IndexError)
"""Errors of PyAV for a damaged file. One of them is also a MemoryError, which must be let through."""

# No demuxer that opens other files (hls, concat, dash, ...), and no network protocol: a playlist named .mp4
# would otherwise read other students' videos.
_OPTIONS = {
    "protocol_whitelist": "fd",
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,wav,w64,mp3,ogg,flac,aac,"
    "asf,flv,amr,caf,aiff,au,dv,mxf",
}
_RETRIES = 20  # of demuxing after errors, with no packet in between
_PACKETS_PER_S = 1000  # 240 pictures a second and eight tracks of sound take 650
_MORE_PACKETS = 100_000  # in addition, without duration: each of hundreds of tracks begins with some


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
        tally.decoded(sum(frame.samples / frame.sample_rate for frame in frames))
        yield from frames


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


def extent(container: InputContainer, sound: int, max_s: float) -> tuple[float, float]:
    """The duration of the stream `sound`, with its pauses, and the time that all packets cover, in seconds.

    Packets outside what an mp4's edit list plays do not count. Raises MediaFault as soon as there is too much
    sound, or more packets than a video of `max_s` can have: the rest of many hours is not read.
    """
    most = round(_PACKETS_PER_S * max_s) + _MORE_PACKETS
    begins, ends = float("inf"), 0.0
    heard = timeline(container)
    units: dict[int, tuple[int, int]] = {}  # by stream: a Fraction for each packet costs more than reading it
    for count, packet in enumerate(packets(container)):
        if count > most:
            raise overfull(most)
        if not packet.size or packet.is_discard:
            continue
        unit = units.get(packet.stream_index)
        if unit is None:
            unit = units[packet.stream_index] = packet.time_base.as_integer_ratio()
        stamp = packet.pts if packet.pts is not None else packet.dts
        start = None if stamp is None else stamp * unit[0] / unit[1]
        duration_s = (packet.duration or 0) * unit[0] / unit[1]
        if start is not None:
            begins, ends = min(begins, start), max(ends, start + duration_s)
        if packet.stream_index == sound:
            heard.read(start, duration_s, max_s)
    return heard.seconds, max(0.0, ends - begins)


def timeline(container: InputContainer) -> Timeline:
    """The timeline of the sound of a container."""
    origin = (container.start_time or 0) / av.time_base
    return Timeline(origin, jumps=Flags.ts_discont in Flags(container.format.flags))


def sound_tracks(container: InputContainer, video: int) -> list[AudioStream]:
    """The tracks of sound that can be decoded, at least one. Raises MediaFault."""
    # The context is None if FFmpeg has no decoder, although PyAV's types do not say so.
    tracks = [stream for stream in container.streams.audio if getattr(stream, "codec_context", None)]
    if tracks:
        return tracks
    if (known := named(beginning(video))) is not None:  # a picture of a phone is a kind of mp4
        raise known
    if container.streams.audio:
        raise MediaFault(
            "no_audio", "the sound has a format that cannot be read. Export the video as mp4 with AAC sound"
        )
    raise MediaFault("no_audio", "the video has no sound. Check the microphone and record it again")


def read_only(container: InputContainer, keep: AudioStream) -> None:
    """Make the demuxer skip the packets of all other streams."""
    for stream in container.streams:
        if stream.index != keep.index:
            stream.discard = Discard.all  # with an index the demuxer does not even read them


def declared_s(container: InputContainer, track: AudioStream) -> tuple[float | None, bool]:
    """The duration that the header states, and whether it is the track's own. FFmpeg estimates some."""
    if container.format.name in ("mp3", "aac", "amr", "mpeg", "mpegts", "dv"):
        return None, False
    own = seconds(track.duration, float(track.time_base or 0))
    return (own, True) if own is not None else (seconds(container.duration, 1 / av.time_base), False)


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
