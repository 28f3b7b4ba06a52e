"""The outcome of the stt stage, from what was heard. Pure."""

from daemon.contracts.values import Provenance, StageOutcome, SttWork, Transcribed, Unscorable
from daemon.core.content.document import Flag
from daemon.core.content.speaking import speaking
from daemon.stt.doubts import doubts
from daemon.stt.protocol import HeardSpeech
from daemon.stt.verdict import transcript, unscorable


def outcome_of(
    work: SttWork, heard: HeardSpeech, expected: str | None, provenance: Provenance
) -> StageOutcome:
    """A Transcribed or an Unscorable. `expected` is the language as an ISO 639-1 code, or None for any."""
    written = transcript(heard)
    take = work.takes[heard.take]
    spans = [(span.start_s, span.end_s) for span in heard.speech]
    other_s = sum(span.end_s - span.start_s for span in heard.speech if span not in heard.spoken)
    figures = speaking(spans, written.text if written else "", take.duration_s, other_s)
    reason = unscorable(heard, expected)
    if reason is not None or written is None:
        code, message = reason or ("no_speech", "")
        return Unscorable(work.ticket, code, message, written, figures, provenance)
    flags = [*take.flags, *doubts(heard, expected)]
    if heard.dropped:
        detail = f"{heard.dropped} segments were left out: Whisper repeated itself or invented words"
        flags.append(Flag(code="dropped_segments", field="transcript", detail=detail))
    return Transcribed(work.ticket, written, figures, tuple(flags), provenance)
