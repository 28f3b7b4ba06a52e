"""The media child: reads students' files in a cage. Only it and `container` import PyAV.

FFmpeg skips what it can't read without an error: half a file gives half the sound, corrupt packets give none.
So the packets are compared with the duration that the container declares, and the decoded sound with the
packets.
"""

import argparse
import importlib
import os
import pkgutil
import resource
import wave
from typing import Any

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from daemon.core.errors import Blame
from daemon.stt import cage
from daemon.stt.answers import one_line
from daemon.stt.container import (
    ERRORS,
    PacketTally,
    decoded,
    extent,
    opened,
    read_only,
    seconds,
    sound_tracks,
)
from daemon.stt.media_faults import WHOLE, MediaFault, check_length, check_riff, mp3_declares, truncated
from daemon.stt.memory import MemoryLimit
from daemon.stt.pcm import BYTES_PER_S, RATE, PcmFile, TooLong
from daemon.system.child import ChildMessage, attach

_SLACK_S = 0.5  # the last picture of a slow video has no duration of its own
_GAP_S = 0.25  # a longer gap between frames is silence: a paused recording, or a late start
_TRACKS = 8  # at most are decoded to find one that can be heard: no camera makes more


def main() -> None:
    """Enter the cage, and answer requests until the parent closes our stdin."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--max-duration", type=float, required=True, help="seconds")
    max_s: float = parser.parse_args().max_duration
    for what, limit in (
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_FSIZE, round((max_s + 60) * BYTES_PER_S)),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (limit, limit))
    wire = attach()
    for module in pkgutil.walk_packages(av.__path__, "av."):  # PyAV imports some only on their first use
        importlib.import_module(module.name)
    silence, made = os.memfd_create("silence"), os.memfd_create("pcm")
    memory = MemoryLimit()
    lacks = cage.enter()
    _prove(silence, made, max_s)
    wire.send({"lacks": lacks})
    while (request := wire.receive()) is not None:
        answer = _answer(request, wire.descriptors(), memory, max_s)
        wire.send(answer)
        if "spent" in answer:
            return


def _answer(request: ChildMessage, descriptors: list[int], memory: MemoryLimit, max_s: float) -> ChildMessage:
    """The answer to a request, or a `fault` of the file. With `spent` this child must take no other."""
    video, *written = descriptors
    memory.allow(video)
    try:
        answer = probe(video, max_s) if request["do"] == "probe" else decode(video, written[0], max_s)
    except MediaFault as bad:
        answer = {"fault": {"blame": bad.blame, "code": bad.code, "message": one_line(str(bad))}}
    except MemoryError:
        message = "the video asks for more memory than one of its size may need. Export or record it again"
        answer = {"fault": {"blame": Blame.PERMANENT, "code": "damaged", "message": message}, "spent": True}
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    return answer | ({"spent": True} if memory.kept else {})


def _prove(silence: int, made: int, max_s: float) -> None:
    """Decode a moment of silence: if that fails, the decoder is broken, and no video is to blame."""
    with open(silence, "wb", closefd=False) as sound, wave.open(sound) as written:
        written.setparams((1, 2, RATE, 0, "NONE", ""))
        written.writeframes(bytes(BYTES_PER_S // 10))
    probe(silence, max_s)
    _audible(silence, 0, made, max_s)
    os.close(silence)
    os.close(made)


def probe(video: int, max_s: float) -> dict[str, Any]:
    """Probe an open file: `duration_s, audio_codec, audio_streams`. Raises MediaFault.

    It reads all packets, which shows whether the file was cut short, and decodes none.
    """
    with opened(video) as container:
        check_riff(video)
        tracks = sound_tracks(container)
        first = tracks[0]
        declared = seconds(first.duration, float(first.time_base or 0))
        # If the track declares a duration, its packets are compared with that; else those of the whole file
        # with the container's, since the picture can be longer than the sound.
        if declared is not None:
            read_only(container, keep=first)
        elif container.format.name not in ("mp3", "aac", "mpeg", "mpegts"):  # FFmpeg only estimates theirs
            declared = seconds(container.duration, 1 / av.time_base)
        begins, sound_ends, ends = extent(container, first.index, max_s)
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
    """Decode the first track that can be heard to `pcm`: `duration_s, flags`. Raises MediaFault."""
    count = min(probe(video, max_s)["audio_streams"], _TRACKS)
    flags = {}
    try:
        index = 0
        tally, sound, channel = _audible(video, index, pcm, max_s)
        while sound.silent and index + 1 < count:
            index += 1
            tally, sound, channel = _audible(video, index, pcm, max_s)
        if sound.silent and index:
            # All are silent: back to the first, since silence is a finding and not an error.
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
        raise MediaFault("no_room", message, Blame.ENGINE) from exc
    return {
        "duration_s": sound.seconds,
        "flags": [{"code": code, "detail": detail} for code, detail in flags.items()],
    }


def _audible(video: int, index: int, pcm: int, max_s: float) -> tuple[PacketTally, PcmFile, int | None]:
    """Decode a track to `pcm`. If its channels cancel each other, only the louder one, which is returned."""
    tally, sound = _take(video, index, pcm, max_s)
    channel = sound.cancels
    if channel is not None:
        tally, sound = _take(video, index, pcm, max_s, channel)
    return tally, sound, channel


def _take(
    video: int, index: int, pcm: int, max_s: float, channel: int | None = None
) -> tuple[PacketTally, PcmFile]:
    """Decode a track to `pcm`, with silence in the gaps of its timestamps."""
    tally = PacketTally()
    with opened(video) as container, PcmFile(pcm, max_s, channel) as sound:
        track = sound_tracks(container)[index]
        read_only(container, keep=track)
        origin = (container.start_time or 0) / av.time_base
        resampler: AudioResampler | None = None
        key: object = None

        def drain(frame: AudioFrame | None) -> None:
            for made in resampler.resample(frame) if resampler else ():
                sound.write(made.to_ndarray().reshape(-1, made.layout.nb_channels).T)

        try:
            for frame in decoded(container, track, tally):
                late = 0.0 if frame.time is None else frame.time - origin - sound.seconds
                now = (frame.format.name, frame.layout.name, frame.sample_rate)
                if now != key or late > _GAP_S:  # a resampler takes one kind of frame, and no gaps
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
        except MemoryError:
            raise
        except ERRORS as exc:
            raise MediaFault(
                "damaged", f"the sound cannot be decoded ({exc}). Export or record the video again"
            ) from exc
    if not sound.samples or not tally.decoded_s:
        raise MediaFault(
            "damaged", "no sound could be decoded: the video is damaged. Export or record it again"
        )
    if tally.decoded_s < WHOLE * tally.there_s - _SLACK_S:
        share = 100 * tally.decoded_s / tally.there_s
        raise MediaFault(
            "damaged", f"only {share:.0f} % of the sound could be decoded. Export or record the video again"
        )
    return tally, sound


if __name__ == "__main__":
    main()
