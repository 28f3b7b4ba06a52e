"""What crosses between the Whisper worker and its parent, one JSON line a message.

The worker first says a `Ready` or a `WorkerFault`. Then, for each `{"id": n, "pcm": path}` that it is handed,
any number of `{"id": n, "progress": 0..1}` and one of `{"id": n, "heard": Heard}` and
`{"id": n, "refused": Refusal}`.
"""

from typing import Any

from daemon.core.content.document import DocumentPart, Segment

SURE = 0.5  # a language other than the expected one is believed from this probability on


class SpeechSpan(DocumentPart):
    """A stretch of speech, in seconds from the beginning."""

    start_s: float
    end_s: float


class Ready(DocumentPart):
    """The model is loaded. `languages` is false for an English-only model, which detects none."""

    device: str
    compute_type: str
    batch_size: int
    languages: bool
    versions: dict[str, str]
    vad: dict[str, Any]


class WorkerFault(DocumentPart):
    """Why there is no transcript, or no worker. `code` is one of `model`, `out_of_memory`, `stt_error`."""

    code: str
    message: str


class HeardSpeech(DocumentPart):
    """What the worker made of one recording.

    `speech` are the stretches in which a voice was found, without padding. `language` is the one
    that was written down and `language_probability` its probability; both stand beside what was
    `detected`, which an English-only model does not say. `redone` counts the windows of up to 30 s
    that were transcribed a second time, `dropped` the segments left out as inventions.
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
