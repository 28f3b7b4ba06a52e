"""The level of a recording, raised before anything listens to it."""

import numpy as np
from numpy.typing import NDArray

from daemon.stt.windows import RATE

TARGET_DB = -25.0
"""What the loud parts are raised to. From -80 dB the voice detector lost half of the speech, from -83 dB all.
Raised, it found as much as at any level, and none in noise or hum raised from -90 to -20 dB."""
MOST_DB = 60.0  # the last bit of a sample, raised by this, is still below -25 dB
_FRAME = RATE * 30 // 1000
_LOUD = 0.95  # the share of frames that are more quiet than the loud parts
_SILENT_DB = -120.0  # stands for no sound at all


def raised(audio: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """The recording with its loud parts at TARGET_DB or above, and the level that they had, in dB.

    What is louder stays as it is.
    """
    frames = audio[: len(audio) // _FRAME * _FRAME].reshape(-1, _FRAME)
    if not len(frames):
        return audio, _SILENT_DB
    loud = float(np.quantile(np.sqrt(np.mean(np.square(frames), axis=1)), _LOUD))
    level_db = 20 * float(np.log10(max(loud, 10 ** (_SILENT_DB / 20))))
    gain_db = min(TARGET_DB - level_db, MOST_DB)
    if gain_db <= 0:
        return audio, round(level_db, 1)
    return np.clip(audio * np.float32(10 ** (gain_db / 20)), -1.0, 1.0), round(level_db, 1)
