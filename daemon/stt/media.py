"""The media child: reads students' files in a cage. Only it, `container` and `mixer` import PyAV.

FFmpeg skips what it can't read without an error: half a file gives half the sound, corrupt packets give none.
So the file is compared with the size that it states, and the decoded sound with the packets.
"""

import argparse
import importlib
import os
import pkgutil
import resource
import wave
from collections.abc import Iterable, Sequence
from typing import Any

import av
from numpy.typing import NDArray

from daemon.core.errors import Blame
from daemon.stt import cage
from daemon.stt.answers import MOST_SOUND, PASSES, one_line
from daemon.stt.arrived import share_arrived
from daemon.stt.channels import ChannelBalance
from daemon.stt.container import (
    ERRORS,
    declared_s,
    decoded,
    extent,
    opened,
    read_only,
    sound_tracks,
    timeline,
)
from daemon.stt.media_faults import MediaFault, check_length, truncated
from daemon.stt.memory import MemoryLimit
from daemon.stt.mixer import Mixer
from daemon.stt.pcm import BYTES_PER_S, RATE, PcmFile, TooLong
from daemon.stt.timeline import PacketTally
from daemon.system.child import ChildMessage, attach

WHOLE = 0.95  # of the bytes or the sound; a file with less is incomplete
_ALL = 0.99  # of the bytes; recorders err by some in the sizes that they write
_CLICK_S = 0.3  # where the file states 30 times as much and more, its index is damaged
_MOST_FOR_A_CLICK = 1 / 30
_SLACK_S = 0.5  # the last picture of a slow video has no duration of its own


def main() -> None:
    """Enter the cage, and answer requests until the parent closes our stdin."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--max-duration", type=float, required=True, help="seconds")
    max_s: float = parser.parse_args().max_duration
    for what, limit in (
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_FSIZE, round((MOST_SOUND + 1) * (max_s + 60) * BYTES_PER_S)),
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
    """Decode some silence in stereo: if that fails, the decoder is broken, and no video is to blame."""
    with open(silence, "wb", closefd=False) as sound, wave.open(sound) as written:
        written.setparams((2, 2, RATE, 0, "NONE", ""))
        written.writeframes(bytes(4 * BYTES_PER_S))
    probe(silence, max_s)
    decode(silence, made, max_s)
    os.close(silence)
    os.close(made)


def probe(video: int, max_s: float) -> dict[str, Any]:
    """Probe an open file: `duration_s, audio_codec, audio_streams`. Raises MediaFault."""
    return _examined(video, max_s)[0]


def _examined(video: int, max_s: float) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """The answer to a probe, and the flags of a file of which the end may be missing. Raises MediaFault.

    It reads all packets and decodes none.
    """
    doubt = ""
    with opened(video) as container:
        tracks = sound_tracks(container, video)
        first = tracks[0]
        declared, is_own = declared_s(container, first)
        # If the track declares a duration, its packets are compared with that; else those of the whole file
        # with the container's, since the picture can be longer than the sound.
        if is_own:
            read_only(container, keep=first)
        duration, covered = extent(container, first.index, max_s)
        if (share := share_arrived(video)) < WHOLE:
            raise truncated(f"{100 * share:.0f} % of the file")
        if declared is not None and covered < WHOLE * declared - _SLACK_S:
            if container.format.name == "flac":  # it has no duration but the number of its samples
                raise truncated(f"{100 * covered / declared:.0f} % of the sound")
            doubt = f"its header states {declared:.0f} seconds, of which {covered:.0f} are there"
        elif share < _ALL:
            doubt = f"{100 * share:.0f} % of the file has arrived"
        codec = first.codec_context.name
    flags = [{"code": "end_missing", "detail": f"the end may be missing: {doubt}"}] if doubt else []
    return {"duration_s": duration, "audio_codec": codec, "audio_streams": len(tracks)}, flags


def decode(video: int, pcm: int, max_s: float) -> dict[str, Any]:
    """Decode to `pcm` every take that could be the one with the voice: `takes`. Raises MediaFault.

    The first is the first track that can be heard. Others follow only where there are more tracks, or
    channels that the mix of a track covers.
    """
    found, doubts = _examined(video, max_s)
    try:
        takes = _Takes(video, pcm, max_s, found["audio_streams"]).all()
    except OSError as exc:
        message = f"the decoded sound cannot be written: {exc}. Make room there"
        raise MediaFault("no_room", message, Blame.ENGINE) from exc
    return {"takes": [{**take, "flags": [*take["flags"], *doubts]} for take in takes]}


class _Takes:
    """Decodes the takes of a video, one after the other into one file."""

    def __init__(self, video: int, pcm: int, max_s: float, tracks: int) -> None:
        self._video, self._pcm, self._max_s = video, pcm, max_s
        self._tracks = tracks
        self._passes = 0
        self._end = 0  # of what is kept, in samples
        self._made: list[dict[str, Any]] = []

    def all(self) -> list[dict[str, Any]]:
        """Decode them, at least one: `duration_s, flags` of each. Raises MediaFault, OSError."""
        covered: list[tuple[int, int]] = []
        for track in range(min(self._tracks, PASSES)):
            covered += [(track, channel) for channel in self._add(track)]
        for track, channel in covered:
            self._add(track, channel)
        if not self._made:
            # All are silent: back to the first, since silence is a finding and not an error.
            sound = self._decode(0, None)[1]
            return [{"duration_s": sound.seconds, "flags": []}]
        os.ftruncate(self._pcm, 2 * self._end)
        return self._made

    def _add(self, track: int, channel: int | None = None) -> Sequence[int]:
        """Decode a track if it can be heard and there is room. Gives the channels that its mix covers.

        If its channels cancel each other, only the louder one is decoded. A fault of a later take only
        leaves that take out.
        """
        if self._passes >= PASSES or self._end >= round(MOST_SOUND * self._max_s * RATE):
            return []
        try:
            tally, sound, balance = self._decode(track, channel)
            cancelled = balance.cancelled() if channel is None else None
            if cancelled is not None:
                tally, sound, _ = self._decode(track, cancelled)
        except MediaFault:
            if not self._made:
                raise
            return []
        if sound.silent:
            return []
        self._end += sound.samples
        flags = self._flags(track, channel, cancelled, tally.skipped)
        self._made.append({"duration_s": sound.seconds, "flags": flags})
        return balance.covered() if cancelled is None and channel is None else []

    def _flags(
        self, track: int, channel: int | None, cancelled: int | None, skipped: int
    ) -> list[dict[str, str]]:
        flags = {}
        if cancelled is not None:
            why = "the channels cancel each other out"
            flags["one_channel"] = f"{why}, so only channel {cancelled + 1} was used"
        elif channel is not None:
            flags["one_channel"] = f"only channel {channel + 1} was used: its speech is the clearest"
        if track:
            why = "its speech is the clearest" if self._made else "those before it are silent"
            flags["audio_track"] = f"audio track {track + 1} of {self._tracks} was used: {why}"
        if skipped:
            flags["skipped_packets"] = f"{skipped} damaged packets of sound were left out"
        return [{"code": code, "detail": detail} for code, detail in flags.items()]

    def _decode(self, index: int, channel: int | None) -> tuple[PacketTally, PcmFile, ChannelBalance]:
        """Decode a track behind what is kept, with silence in the gaps of its timestamps."""
        self._passes += 1
        tally, mixer = PacketTally(), Mixer(channel)
        with opened(self._video) as container, PcmFile(self._pcm, self._end, self._max_s) as sound:
            track = sound_tracks(container, self._video)[index]
            read_only(container, keep=track)
            times = timeline(container)
            stated_s = (container.duration or 0) / av.time_base
            try:
                for frame in decoded(container, track, tally):
                    pause_s = times.pause(frame.time, sound.seconds)
                    if pause_s:
                        _write(sound, mixer.drain())
                        sound.silence(pause_s)
                    _write(sound, mixer.resample(frame))
                _write(sound, mixer.drain())
            except TooLong:
                check_length(float("inf"), self._max_s)
            except MemoryError:
                raise
            except ERRORS as exc:
                raise MediaFault(
                    "damaged", f"the sound cannot be decoded ({exc}). Export or record the video again"
                ) from exc
        _check_decoded(tally, sound.samples, stated_s)
        return tally, sound, mixer.balance


def _write(sound: PcmFile, pieces: Iterable[NDArray[Any]]) -> None:
    for piece in pieces:
        sound.write(piece)


def _check_decoded(tally: PacketTally, samples: int, stated_s: float) -> None:
    """Raise MediaFault if too little was decoded of what the packets hold, or no more than a click."""
    if not samples or not tally.decoded_s or tally.decoded_s < _CLICK_S < _MOST_FOR_A_CLICK * stated_s:
        raise MediaFault(
            "damaged", "no sound could be decoded: the video is damaged. Export or record it again"
        )
    if tally.decoded_s < WHOLE * tally.there_s - _SLACK_S:
        share = 100 * tally.decoded_s / tally.there_s
        raise MediaFault(
            "damaged", f"only {share:.0f} % of the sound could be decoded. Export or record the video again"
        )


if __name__ == "__main__":
    main()
