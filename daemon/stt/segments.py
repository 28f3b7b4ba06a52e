"""Makes segments of the result from those of the model."""

from itertools import pairwise
from typing import Any

from daemon.core.content.document import Segment
from daemon.stt.segment_faults import compression_ratio
from daemon.stt.windows import Window

PAUSE_S = 0.8  # between two words begins a new segment


def sentences(made: Any, shift_s: float) -> list[Segment]:
    """A segment of the model, split after each sentence and at pauses."""
    words = made.words or []
    if not words:
        return [segment_of(made, shift_s)]
    ends = [i for i, (word, after) in enumerate(pairwise(words), 1) if _parts(word, after)]
    return [
        segment_of(made, shift_s).model_copy(
            update={
                "start_s": max(0.0, float(part[0].start) + shift_s),
                "end_s": max(0.0, float(part[-1].end) + shift_s),
                "text": (text := "".join(word.word for word in part).strip()),
                "compression_ratio": compression_ratio(text),
            }
        )
        for part in (words[start:end] for start, end in pairwise([0, *ends, len(words)]))
    ]


def _parts(word: Any, after: Any) -> bool:
    return bool(word.word.rstrip().endswith((".", "?", "!"))) or after.start - word.end > PAUSE_S


def segment_of(made: Any, shift_s: float) -> Segment:
    """A segment of the model, moved by `shift_s`."""
    return Segment(
        start_s=max(0.0, made.start + shift_s),
        end_s=max(0.0, made.end + shift_s),
        text=made.text.strip(),
        avg_logprob=made.avg_logprob,
        no_speech_prob=made.no_speech_prob,
        compression_ratio=made.compression_ratio,
    )


def shifted(segment: Segment, by_s: float) -> Segment:
    """A segment, moved by `by_s`."""
    return segment.model_copy(update={"start_s": segment.start_s + by_s, "end_s": segment.end_s + by_s})


def placed(segment: Segment, window: Window) -> Segment:
    """A segment of a window with its times in the recording."""
    start = window.place(segment.start_s)
    end = max(start, window.place(segment.end_s, ends=True))
    return segment.model_copy(update={"start_s": round(start, 2), "end_s": round(end, 2)})
