"""Reads what students sent: a child in a cage, the only module that imports PyAV.

FFmpeg passes over what it can't read without a word: of half a file it gives half of the sound, of
corrupt packets none, and no error. So what is there is compared with what the container declares,
and what was decoded with what was there.
"""

import argparse
import importlib
import os
import pkgutil
import resource
import stat
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard

from daemon.child import Message, attach
from daemon.core.errors import Blame
from daemon.stt import cage
from daemon.stt.bad import WHOLE, Bad, beginning, check_length, check_riff, mp3_declares, truncated, unopened
from daemon.stt.pcm import BYTES_PER_S, RATE, PcmFile, TooLong

# No demuxer that opens other files (hls, concat, dash, ...), and no protocol that leaves the machine:
# a playlist that is named .mp4 would else read the neighbours' videos.
_OPTIONS = {
    "protocol_whitelist": "fd",
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,wav,w64,mp3,ogg,flac,aac",
}
_SLACK_S = 0.5  # the last picture of a slow video has no duration of its own
_GAP_S = 0.25  # a longer hole between two frames is silence: a pause in the recording, or a late start
_RETRIES = 20  # of demuxing after an error, with nothing read in between
_TRACKS = 8  # that are listened to, for the one that is heard: no camera makes as many
_MEMORY = 2 << 30
_ERRORS = (av.error.FFmpegError, ValueError, IndexError)


@dataclass
class Tally:
    """What became of the packets of one track."""

    there_s: float = 0.0
    decoded_s: float = 0.0
    skipped: int = 0


def main() -> None:
    """Enter the cage, and serve the parent until it closes our stdin."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--max-duration", type=float, required=True, help="seconds")
    max_s: float = parser.parse_args().max_duration
    for what, limit in (
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_FSIZE, round((max_s + 60) * BYTES_PER_S)),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (limit, limit))
    wire = attach()
    for module in pkgutil.walk_packages(av.__path__, "av."):  # PyAV imports some where it first needs them
        importlib.import_module(module.name)
    silence, made = os.memfd_create("silence"), os.memfd_create("pcm")
    lacks = cage.enter()
    _prove(silence, made, max_s)
    wire.send({"lacks": lacks})
    while (request := wire.receive()) is not None:
        descriptors = wire.descriptors()
        try:
            answer = _answer(request, descriptors, max_s)
        except Bad as bad:
            answer = {"fault": {"blame": bad.blame, "code": bad.code, "message": str(bad)}}
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        wire.send(answer)


def _answer(request: Message, descriptors: list[int], max_s: float) -> Message:
    video, *written = descriptors
    if request["do"] == "probe":
        return probe(video, max_s)
    return decode(video, written[0], max_s)


def _prove(silence: int, made: int, max_s: float) -> None:
    """Decode a moment of silence: a decoder that can't is broken, for which no video is to blame."""
    with open(silence, "wb", closefd=False) as sound, wave.open(sound) as written:
        written.setparams((1, 2, RATE, 0, "NONE", ""))
        written.writeframes(bytes(BYTES_PER_S // 10))
    probe(silence, max_s)
    _audible(silence, 0, made, max_s)
    os.close(silence)
    os.close(made)


def probe(video: int, max_s: float) -> dict[str, Any]:
    """`duration_s, audio_codec, audio_streams` of an open file that is whole. Raises Bad.

    Reads the packets, which finds a file that was cut short, and decodes none.
    """
    with _opened(video) as container:
        check_riff(video)
        tracks = _tracks(container)
        first = tracks[0]
        declared = _seconds(first.duration, float(first.time_base or 0))
        # Where the track says how long it is, its packets are enough; else the whole file is held against
        # what the container says, since the picture may well outlast the sound.
        if declared is not None:
            _discard(container, keep=first)
        elif container.format.name not in ("mp3", "aac", "mpeg", "mpegts"):  # these only estimate
            declared = _seconds(container.duration, 1 / av.time_base)
        begins, sound_ends, ends = _extent(container, first.index, max_s)
        if (
            declared is not None
            and (container.format.name != "mp3" or mp3_declares(video))
            and ends - begins < WHOLE * declared - _SLACK_S
        ):
            raise truncated(f"{ends - begins:.0f} of {declared:.0f} seconds")
        duration = max(0.0, sound_ends - begins)
        check_length(duration, max_s)
        codec = first.codec_context.name
    return {"duration_s": duration, "audio_codec": codec, "audio_streams": len(tracks)}


def decode(video: int, pcm: int, max_s: float) -> dict[str, Any]:
    """Decode the track that can be heard to `pcm`; `duration_s, flags`. Raises Bad."""
    count = min(probe(video, max_s)["audio_streams"], _TRACKS)
    flags = {}
    try:
        index = 0
        tally, sound, channel = _audible(video, index, pcm, max_s)
        while sound.silent and index + 1 < count:
            index += 1
            tally, sound, channel = _audible(video, index, pcm, max_s)
        if sound.silent and index:
            # None is heard: back to the obvious one, since silence is a finding and no error.
            index = 0
            tally, sound, channel = _audible(video, index, pcm, max_s)
        if channel is not None:
            flags["one_channel"] = f"both cancel each other out, so only channel {channel + 1} was used"
        if index:
            flags["audio_track"] = f"audio track {index + 1} of {count} was used: those before it are silent"
        if tally.skipped:
            flags["skipped_packets"] = f"{tally.skipped} damaged packets of sound were left out"
    except OSError as exc:
        message = f"the decoded sound cannot be written: {exc}. Make room there"
        raise Bad("no_room", message, Blame.ENGINE) from exc
    return {
        "duration_s": sound.seconds,
        "flags": [{"code": code, "detail": detail} for code, detail in flags.items()],
    }


def _audible(video: int, index: int, pcm: int, max_s: float) -> tuple[Tally, PcmFile, int | None]:
    """One track in `pcm`; of two channels that cancel each other the one that is then named."""
    tally, sound = _take(video, index, pcm, max_s)
    channel = sound.cancels
    if channel is not None:
        tally, sound = _take(video, index, pcm, max_s, channel)
    return tally, sound, channel


def _take(
    video: int, index: int, pcm: int, max_s: float, channel: int | None = None
) -> tuple[Tally, PcmFile]:
    """Write one track to `pcm`, with silence where its timestamps leave holes."""
    tally = Tally()
    with _opened(video) as container, PcmFile(pcm, max_s, channel) as sound:
        track = _tracks(container)[index]
        _discard(container, keep=track)
        origin = (container.start_time or 0) / av.time_base
        resampler: AudioResampler | None = None
        key: object = None

        def drain(frame: AudioFrame | None) -> None:
            for made in resampler.resample(frame) if resampler else ():
                sound.write(made.to_ndarray().reshape(-1, made.layout.nb_channels).T)

        try:
            for frame in _frames(container, track, tally):
                late = 0.0 if frame.time is None else frame.time - origin - sound.seconds
                now = (frame.format.name, frame.layout.name, frame.sample_rate)
                if now != key or late > _GAP_S:  # a resampler takes one kind of frame, and knows no holes
                    drain(None)
                    layout = "stereo" if frame.layout.nb_channels == 2 else "mono"
                    resampler, key = AudioResampler(format="s16", layout=layout, rate=RATE), now
                if late > _GAP_S:
                    sound.silence(late)
                frame.pts = None  # FFmpeg refuses timestamps that go back
                drain(frame)
            drain(None)
        except TooLong:
            check_length(float("inf"), max_s)
        except _ERRORS as exc:
            raise Bad(
                "damaged", f"the sound cannot be decoded ({exc}). Export or record the video again"
            ) from exc
    if not sound.samples or not tally.decoded_s:
        raise Bad("damaged", "no sound could be decoded: the video is damaged. Export or record it again")
    if tally.decoded_s < WHOLE * tally.there_s - _SLACK_S:
        share = 100 * tally.decoded_s / tally.there_s
        raise Bad(
            "damaged", f"only {share:.0f} % of the sound could be decoded. Export or record the video again"
        )
    return tally, sound


def _frames(container: InputContainer, track: AudioStream, tally: Tally) -> Iterator[AudioFrame]:
    """The decoded frames of a track; packets that are corrupt are counted and passed over."""
    for packet in _packets(container, track):
        tally.there_s += _seconds(packet.duration, float(packet.time_base or 0)) or 0.0
        try:
            frames = packet.decode()
        except _ERRORS:
            tally.skipped += 1
            continue
        for frame in frames:
            assert isinstance(frame, AudioFrame)
            tally.decoded_s += frame.samples / frame.sample_rate
            yield frame


def _packets(container: InputContainer, *only: AudioStream) -> Iterator[Any]:
    failures = 0
    while failures <= _RETRIES:
        try:
            for packet in container.demux(*only):
                if packet.size:
                    failures = 0
                yield packet
        except _ERRORS:
            failures += 1  # demuxing ends with an error, and can be begun again behind it
        else:
            return


def _extent(container: InputContainer, sound: int, max_s: float) -> tuple[float, float, float]:
    """When the packets begin, when those of the stream `sound` end, and when the last ends, in seconds.

    Raises Bad as soon as there is too much sound: the rest of many hours is not worth reading.
    """
    begins, sound_ends, ends = float("inf"), 0.0, 0.0
    for packet in _packets(container):
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is None or not packet.size:
            continue
        start = float(stamp * packet.time_base)
        end = start + float((packet.duration or 0) * packet.time_base)
        begins, ends = min(begins, start), max(ends, end)
        if packet.stream_index == sound:
            sound_ends = max(sound_ends, end)
            check_length(sound_ends - begins, max_s)
    return min(begins, ends), sound_ends, ends


def _tracks(container: InputContainer) -> list[AudioStream]:
    # The context is None where FFmpeg knows no decoder, whatever PyAV's types say.
    tracks = [stream for stream in container.streams.audio if getattr(stream, "codec_context", None)]
    if not tracks:
        raise Bad("no_audio", "the video has no sound. Check the microphone and record it again")
    return tracks


def _discard(container: InputContainer, keep: AudioStream) -> None:
    for stream in container.streams:
        if stream.index != keep.index:
            stream.discard = Discard.all  # an index lets the demuxer jump over it


def _seconds(count: int | None, unit: float) -> float | None:
    return count * unit if count and count > 0 and unit else None


@contextmanager
def _opened(video: int) -> Iterator[InputContainer]:
    """The container of an open media file, from its beginning. Raises Bad."""
    if stat.S_ISREG(os.fstat(video).st_mode):
        os.lseek(video, 0, os.SEEK_SET)
    try:
        container = av.open("fd:", mode="r", metadata_errors="ignore", options={**_OPTIONS, "fd": str(video)})
    except (*_ERRORS, MemoryError) as exc:
        raise unopened(beginning(video)) from exc
    with container:
        yield container


if __name__ == "__main__":
    main()
