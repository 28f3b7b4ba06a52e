"""Writes decoded sound to a file and measures its loudness. Runs only in the media child."""

import os
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
BYTES_PER_S = RATE * 2

_SILENT = 8.0  # root mean square of 16-bit samples, about -72 dB: no microphone is so quiet
_CANCELS = 0.1  # stereo whose sum keeps less of the louder channel is out of phase


class TooLong(Exception):
    """There is more sound than the limit."""


class PcmFile:
    """Writes 16 kHz mono s16le to the open file `pcm`, at most `limit_s` seconds, and truncates it first.

    Of stereo it writes the mean of both channels, or with `channel` (0 or 1) only that one.
    """

    def __init__(self, pcm: int, limit_s: float, channel: int | None = None) -> None:
        self._pcm = pcm
        self._file: BinaryIO
        self._limit = round(limit_s * RATE)
        self._channel = channel
        self.samples = 0
        self._power = 0.0
        self._sides = np.zeros(2)

    def __enter__(self) -> Self:
        os.ftruncate(self._pcm, 0)
        os.lseek(self._pcm, 0, os.SEEK_SET)
        self._file = open(self._pcm, "wb", closefd=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def seconds(self) -> float:
        """The duration of the sound so far."""
        return self.samples / RATE

    @property
    def silent(self) -> bool:
        """Whether nothing can be heard so far."""
        return self._loudness(self._power) < _SILENT

    @property
    def cancels(self) -> int | None:
        """The louder channel (0 or 1) if the channels cancel each other, else None."""
        louder = int(np.argmax(self._sides))
        heard = self._loudness(float(self._sides[louder]))
        if heard < _SILENT or self._loudness(self._power) >= _CANCELS * heard:
            return None
        return louder

    def silence(self, seconds: float) -> None:
        """Write so many seconds of silence. Raises TooLong."""
        while (count := min(round(seconds * RATE), RATE)) > 0:
            self.write(np.zeros((1, count), dtype="<i2"))
            seconds -= count / RATE

    def write(self, sound: NDArray[Any]) -> None:
        """Write interleaved or planar 16-bit samples of shape (channels, samples). Raises TooLong."""
        mono = sound[0]
        if len(sound) == 2:
            wide = sound.astype(np.int32)
            self._sides += np.square(wide, dtype=np.float64).sum(axis=1)
            mono = (
                sound[self._channel] if self._channel is not None else (wide.sum(axis=0) // 2).astype("<i2")
            )
        if self.samples + len(mono) > self._limit:
            raise TooLong
        self._power += float(np.square(mono, dtype=np.float64).sum())
        self.samples += len(mono)
        self._file.write(np.ascontiguousarray(mono, dtype="<i2").tobytes())

    def _loudness(self, power: float) -> float:
        return float(np.sqrt(power / max(1, self.samples)))
