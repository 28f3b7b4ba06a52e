"""The messages between the Whisper worker and its parent, one JSON line each.

The worker first sends `{"ready": Ready}` or `{"refused": WorkerFault}`. Then, for each
`{"id": n, "pcm": path, "takes": [seconds, ...]}` that it receives, any number of
`{"id": n, "progress": 0..1}` and one of `{"id": n, "heard": HeardSpeech}` and
`{"id": n, "refused": WorkerFault}`. `{"drop": n}` takes a request back; it may still be answered. The worker
also sends `{"in_work": [n, ...]}`, the requests of which the model or the voice detector has a part,
whenever these change.
"""

from typing import Any

from daemon.core.content.document import DocumentPart, Segment

SURE = 0.5  # the probability from which another language than the expected one is believed


class SpeechSpan(DocumentPart):
    """A span of speech, in seconds from the beginning."""

    start_s: float
    end_s: float


class LanguageStretch(DocumentPart):
    """A stretch of speech in another language than the expected one; `language` is the likeliest."""

    start_s: float
    end_s: float
    language: str


class Ready(DocumentPart):
    """The loaded model. `languages` is false for an English-only model, which detects no language."""

    device: str
    compute_type: str
    batch_size: int
    languages: bool
    versions: dict[str, str]
    vad: dict[str, Any]


class WorkerFault(DocumentPart):
    """Why there is no transcript or no worker. `code` is `model`, `out_of_memory` or `stt_error`."""

    code: str
    message: str


class HeardSpeech(DocumentPart):
    """The worker's outcome for one recording.

    `speech` has the spans with a voice, without padding. `language` is that of the transcript, and can differ
    from the `detected` one, which is None for an English-only model. `redone` counts the windows (up to 30 s)
    that were transcribed a second time, `dropped` the segments left out as invented. `others` has the
    stretches in other languages, which have no segments. `level_db` is the level of the loud parts before it
    was raised; `unheard_s` are the seconds of speech that only the lenient voice detector found. `take` is
    the place of the take that was transcribed.
    """

    segments: tuple[Segment, ...] = ()
    speech: tuple[SpeechSpan, ...] = ()
    language: str | None = None
    language_probability: float | None = None
    detected: str | None = None
    detected_probability: float | None = None
    batch_size: int = 0
    redone: int = 0
    dropped: int = 0
    take: int = 0
    others: tuple[LanguageStretch, ...] = ()
    level_db: float = 0.0
    unheard_s: float = 0.0

    @property
    def spoken(self) -> tuple[SpeechSpan, ...]:
        """The spans of speech that are not in another language."""
        return tuple(
            span
            for span in self.speech
            if not any(each.start_s <= (span.start_s + span.end_s) / 2 < each.end_s for each in self.others)
        )

    @property
    def written(self) -> float:
        """The seconds of text for each second of speech in the expected language; 1 if there is no speech."""
        spoken_s = sum(span.end_s - span.start_s for span in self.spoken)
        written_s = sum(segment.end_s - segment.start_s for segment in self.segments)
        return written_s / spoken_s if spoken_s else 1.0
