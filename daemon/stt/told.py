"""The check of what a transcription server tells, which may be broken or hostile. Pure.

A server may answer for another recording, in other units, or without end. What cannot be of the sound that it
was sent is no transcript: nobody is rated by it.
"""

import math
import unicodedata
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from daemon.core.content.document import Segment
from daemon.core.content.languages import language_code
from daemon.stt.protocol import HeardSpeech, SpeechSpan

_SAME_S = 0.3  # a gap between two segments that is no pause
_WINDOW_S = 30.0  # Whisper hears as much at a time, padded with silence, for which it invents words at times
_OTHER_S = 1.0  # a length that differs by more, and by a twentieth, is that of another sound
_MOST_PER_S = 100.0  # characters; a fast speaker says 20, and a loop of Whisper's has 50
_OBEYED = frozenset({"Cc", "Cs"})  # control characters, and halves of some that cannot be stored

_Seconds = Annotated[float, Field(allow_inf_nan=False)]


class BadAnswer(Exception):
    """An answer is none for this sound; the message names what it has instead."""


class _ToldSegment(BaseModel):
    start: _Seconds
    end: _Seconds
    text: str
    avg_logprob: float | None = None
    no_speech_prob: float | None = None
    compression_ratio: float | None = None


class _Told(BaseModel):
    """An answer in `verbose_json`."""

    language: str | None = None
    duration: _Seconds | None = None
    segments: list[_ToldSegment]


def heard_speech(body: bytes, length_s: float) -> HeardSpeech:
    """What was heard in a sound of `length_s` seconds. Raises BadAnswer.

    Speech is where there are words: other voices a server does not tell of. Words after the end of the sound
    are invented, and left out.
    """
    try:
        told = _Told.model_validate_json(body)
    except ValidationError as exc:
        raise BadAnswer("no segments with times") from exc
    if told.duration is not None and abs(told.duration - length_s) > max(_OTHER_S, length_s / 20):
        raise BadAnswer(f"{told.duration:.0f} s of sound, where {length_s:.0f} s were sent")
    worded = sorted((each for each in told.segments if _line(each.text)), key=lambda each: each.start)
    if worded and max(each.end for each in worded) > length_s + _WINDOW_S:
        raise BadAnswer("times after the end of the sound")
    if sum(len(each.text) for each in worded) > _MOST_PER_S * max(length_s, _WINDOW_S):
        raise BadAnswer("more text than can be spoken in that time")
    segments = tuple(_segment(each, length_s) for each in worded if each.start < length_s)
    spoken = language_code(told.language)
    return HeardSpeech(
        segments=segments,
        speech=_spans(segments),
        language=spoken,
        detected=spoken,
        dropped=len(worded) - len(segments),
    )


def _segment(told: _ToldSegment, length_s: float) -> Segment:
    start = max(0.0, told.start)
    return Segment(
        start_s=start,
        end_s=min(max(start, told.end), length_s),
        text=_line(told.text),
        avg_logprob=_known(told.avg_logprob, 0.0),
        no_speech_prob=_known(told.no_speech_prob, 0.0),
        compression_ratio=_known(told.compression_ratio, 1.0),
    )


def _spans(segments: tuple[Segment, ...]) -> tuple[SpeechSpan, ...]:
    spans: list[SpeechSpan] = []
    for segment in segments:
        if spans and segment.start_s - spans[-1].end_s < _SAME_S:
            last = spans.pop()
            spans.append(SpeechSpan(start_s=last.start_s, end_s=max(last.end_s, segment.end_s)))
        else:
            spans.append(SpeechSpan(start_s=segment.start_s, end_s=segment.end_s))
    return tuple(spans)


def _line(text: str) -> str:
    """The text in one line, without characters that a terminal obeys."""
    return "".join(each for each in " ".join(text.split()) if unicodedata.category(each) not in _OBEYED)


def _known(told: float | None, usual: float) -> float:
    """A figure that is a number: Whisper gives NaN for some."""
    return told if told is not None and math.isfinite(told) else usual
