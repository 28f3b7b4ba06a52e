"""Compares the channels of a track with their mix. Runs only in the media child."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST = 8
SILENT = 8.0  # root mean square of 16-bit samples, about -72 dB: no microphone is so quiet

_CANCELS = 0.1  # a mix that keeps less of the louder channel is out of phase
_STRETCH = 640  # samples, 40 ms: shorter than a syllable
_FEWEST = 25  # stretches that can be compared
_RANGE_DB = 35.0  # below the loudest; what is quieter is not heard beside it
_VARIES_DB = 3.0  # the standard deviation of the loudness; of steady noise it is 1, of speech 4 to 14
# The share of a channel's changes in loudness that the mix shows: at least 0.98 in stereo of one room, 0.13
# with rumble and 0.27 with hiss on the other side, as loud as the voice.
_KEPT = 0.8


class ChannelBalance:
    """The power of each channel, and of the mix, in short stretches."""

    def __init__(self) -> None:
        self._sums = np.zeros(MOST + 1)
        self._samples = 0
        self._stretches: list[NDArray[np.float64]] = []

    def add(self, mix: NDArray[Any], channels: NDArray[Any]) -> None:
        """Add 16-bit samples: of the mix, and of the channels, of shape (channels, samples)."""
        for place, sound in enumerate((mix, *channels[:MOST])):
            wide = sound.astype(np.float32)
            self._sums[place] += float(np.dot(wide, wide))
        self._samples += len(mix)
        if self._samples >= _STRETCH:
            self._stretches.append(self._sums / self._samples)
            self._sums, self._samples = np.zeros(MOST + 1), 0

    def cancelled(self) -> int | None:
        """The loudest channel if the channels cancel each other, else None."""
        mix, *channels = np.sqrt(self._powers().mean(axis=0))
        loudest = int(np.argmax(channels))
        if channels[loudest] < SILENT or mix >= _CANCELS * channels[loudest]:
            return None
        return loudest

    def covered(self) -> Sequence[int]:
        """The channels that the mix covers with others, most covered first.

        The loudness of the mix does not follow theirs.
        """
        powers = self._powers()
        if len(powers) < _FEWEST:
            return []
        mix_db = _loudness(powers[:, 0])
        found = []
        for channel in range(MOST):
            own = powers[:, channel + 1]
            own_db = _loudness(own)
            if own.mean() < SILENT**2 or own_db.std() < _VARIES_DB:
                continue
            kept = float(np.mean((own_db - own_db.mean()) * mix_db) / own_db.var())
            if kept < _KEPT:
                found.append((kept, channel))
        return [channel for _, channel in sorted(found)]

    def _powers(self) -> NDArray[np.float64]:
        rest = [self._sums / self._samples] if self._samples else []
        return np.array([*self._stretches, *rest] or [self._sums])


def _loudness(powers: NDArray[np.float64]) -> NDArray[np.float64]:
    """In decibels, at least _RANGE_DB below what is loud."""
    # Sorted here, since numpy's quantile imports a module, and the cage opens no file.
    floor = np.sort(powers)[int(0.95 * len(powers))] * 10 ** (-_RANGE_DB / 10)
    return np.asarray(10 * np.log10(np.maximum(powers, max(1.0, floor))))
