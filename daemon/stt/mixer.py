"""Resamples decoded frames to 16 kHz, and mixes their channels or takes one. Runs only in the media child."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from daemon.stt.channels import MOST, ChannelBalance
from daemon.stt.pcm import RATE


class Mixer:
    """Gives the mix of all channels, or with `channel` that one alone, and measures their balance."""

    def __init__(self, channel: int | None = None) -> None:
        self._channel = channel
        self._key: object = None
        self._resamplers: list[AudioResampler] = []
        self.balance = ChannelBalance()

    def resample(self, frame: AudioFrame) -> Iterator[NDArray[Any]]:
        """The sound of a frame, and what is left of those before it if it is of another kind."""
        key = (frame.format.name, frame.layout.name, frame.sample_rate)
        if key != self._key:  # a resampler takes one kind of frame
            yield from self.drain()
            # Of more than two channels FFmpeg makes the mix: it knows which of them are in the middle.
            count, name = frame.layout.nb_channels, frame.layout.name
            layouts = [name] if count <= 2 else [name, "mono"] if count <= MOST else ["mono"]
            self._resamplers = [AudioResampler("s16", layout, RATE) for layout in layouts]
            self._key = key
        frame.pts = None  # FFmpeg refuses timestamps that go back
        yield from self._made(frame)

    def drain(self) -> Iterator[NDArray[Any]]:
        """What the resampler still has. A new one begins after it, as it must after a gap."""
        yield from self._made(None)
        self._resamplers, self._key = [], None

    def _made(self, frame: AudioFrame | None) -> Iterator[NDArray[Any]]:
        both = [_samples(resampler, frame) for resampler in self._resamplers]
        channels = both[0] if both else _NOTHING
        if len(channels) == 1:
            mix = channels[0]
        elif self._channel is not None:
            mix = channels[min(self._channel, len(channels) - 1)]
        else:
            mix = both[1][0] if len(both) > 1 else (channels.sum(axis=0, dtype=np.int32) // 2).astype("<i2")
            length = min(len(mix), channels.shape[1])
            self.balance.add(mix[:length], channels[:, :length])
        if len(mix):
            yield mix


_NOTHING = np.zeros((1, 0), dtype="<i2")


def _samples(resampler: AudioResampler, frame: AudioFrame | None) -> NDArray[Any]:
    """The samples that a resampler makes, of shape (channels, samples)."""
    made = [made.to_ndarray().reshape(-1, made.layout.nb_channels).T for made in resampler.resample(frame)]
    return made[0] if len(made) == 1 else np.concatenate(made, axis=1) if made else _NOTHING
