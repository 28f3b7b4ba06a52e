"""Signs that Whisper's text for a window is wrong. Pure functions.

Batched inference has no checks of its own; these are Whisper's, applied afterwards.
"""

import zlib
from collections.abc import Sequence

from daemon.core.content.document import Segment

MAX_COMPRESSION = 2.4  # these three are Whisper's own (openai/whisper, transcribe.py)
MIN_LOGPROB = -1.0
MAX_NO_SPEECH = 0.6
MAX_UNHEARD_S = 2.0  # at the end of a window; if more is without text, the answer broke off


def genuine(segments: Sequence[Segment]) -> list[Segment]:
    """The segments of a window without words that Whisper invented for noise, and without loops.

    A loop is a segment that repeats itself, or the same segment again and again.
    """
    looping = _compression(segments) > MAX_COMPRESSION
    kept: list[Segment] = []
    for segment in segments:
        silent = segment.no_speech_prob > MAX_NO_SPEECH and segment.avg_logprob < MIN_LOGPROB
        again = looping and any(segment.text == earlier.text for earlier in kept)
        if not (silent or again or segment.compression_ratio > MAX_COMPRESSION):
            kept.append(segment)
    return kept


def faults(segments: Sequence[Segment], length_s: float) -> set[str]:
    """The signs of an error in a window of `length_s` seconds: unfinished, repeats, improbable, silent."""
    found = set()
    if not segments or length_s - segments[-1].end_s > MAX_UNHEARD_S:
        found.add("unfinished")
    if (
        max(_compression(segments), *(segment.compression_ratio for segment in segments), 0.0)
        > MAX_COMPRESSION
    ):
        found.add("repeats")
    if any(segment.avg_logprob < MIN_LOGPROB for segment in segments):
        found.add("improbable")
    if any(segment.no_speech_prob > MAX_NO_SPEECH for segment in segments):
        found.add("silent")
    return found


def _compression(segments: Sequence[Segment]) -> float:
    return compression_ratio(" ".join(segment.text for segment in segments))


def compression_ratio(text: str) -> float:
    """The compression ratio of a text by zlib: above 2.4 it repeats itself."""
    return len(text.encode()) / len(zlib.compress(text.encode()))


def badness(segments: Sequence[Segment], length_s: float) -> tuple[int, float]:
    """The sort key of answers for a window: the lowest is the best."""
    mean = sum(segment.avg_logprob for segment in segments) / len(segments) if segments else float("-inf")
    return len(faults(segments, length_s)), -mean
