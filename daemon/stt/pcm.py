"""Writes decoded sound to a file. Runs only in the media child."""

import os
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from daemon.stt.channels import SILENT

RATE = 16_000
BYTES_PER_S = RATE * 2


class TooLong(Exception):
    """There is more sound than the limit."""


class PcmFile:
    """Writes 16 kHz mono s16le to the open file `pcm`, from the sample `start` on, at most `limit_s` seconds.

    What was in the file from there on is removed first.
    """

    def __init__(self, pcm: int, start: int, limit_s: float) -> None:
        self._pcm = pcm
        self._start = start
        self._file: BinaryIO
        self._limit = round(limit_s * RATE)
        self.samples = 0
        self._power = 0.0

    def __enter__(self) -> Self:
        os.ftruncate(self._pcm, 2 * self._start)
        os.lseek(self._pcm, 2 * self._start, os.SEEK_SET)
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
        return bool(np.sqrt(self._power / max(1, self.samples)) < SILENT)

    def silence(self, seconds: float) -> None:
        """Write so many seconds of silence. Raises TooLong."""
        while (count := min(round(seconds * RATE), RATE)) > 0:
            self.write(np.zeros(count, dtype="<i2"))
            seconds -= count / RATE

    def write(self, sound: NDArray[Any]) -> None:
        """Write 16-bit samples. Raises TooLong."""
        if self.samples + len(sound) > self._limit:
            raise TooLong
        wide = sound.astype(np.float32)
        self._power += float(np.dot(wide, wide))
        self.samples += len(sound)
        self._file.write(np.ascontiguousarray(sound, dtype="<i2").tobytes())
