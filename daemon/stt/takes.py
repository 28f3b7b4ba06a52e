"""The choice between the takes of a recording: its tracks, their mixes and single channels. Pure functions.

A voice detector hears speech in rumble and music, too. So a part of each take in question is transcribed, and
the text is compared.
"""

from collections.abc import Sequence
from math import exp
from typing import TYPE_CHECKING, Any

from daemon.core.content.speaking import word_count
from daemon.stt.protocol import HeardSpeech
from daemon.stt.windows import RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRIALS = 4  # takes of which a part is transcribed, which takes as long as that part of a usual recording
_BETTER = 1.05  # times as many words that are probably right, else the usual take is as clear


def parted(sound: "NDArray[Any]", takes_s: Sequence[float]) -> "list[NDArray[Any]]":
    """The sound of each take, of which the seconds are given; the whole is one without any."""
    parts = []
    for duration_s in takes_s[:-1]:
        length = round(duration_s * RATE)
        parts.append(sound[:length])
        sound = sound[length:]
    return [*parts, sound]


def worth_a_trial(spoken_s: Sequence[float], least_s: float) -> list[int]:
    """The takes with speech that are compared, in order: the usual one, and those with the most speech."""
    speaking = [index for index, spoken in enumerate(spoken_s) if spoken >= least_s]
    most = sorted(speaking, key=lambda index: (index != 0, -spoken_s[index]))
    return sorted(most[:TRIALS])


def clearest(heard: Sequence[HeardSpeech], expected: str | None) -> int:
    """The place of the clearest of some takes; the first, unless another is much clearer."""
    scores = [_clarity(each, expected) for each in heard]
    best = max(range(len(scores)), key=lambda place: scores[place])
    return best if scores[best] > _BETTER * scores[0] else 0


def _clarity(heard: HeardSpeech, expected: str | None) -> float:
    """The number of words, each times its probability: about how many are right."""
    right = sum(word_count(segment.text) * exp(segment.avg_logprob) for segment in heard.segments)
    return right if expected in (None, heard.language) else right / 2
