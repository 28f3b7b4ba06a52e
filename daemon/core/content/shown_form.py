"""The form and the delivery as the rater is shown them: one line of JSON, and one line of figures."""

import json
from typing import Any

from daemon.core.content.document import Profile, Speaking, Transcript
from daemon.core.content.grounding import ground_profile
from daemon.core.content.untrusted import impartial, neutralise


def shown_form(profile: Profile | None, transcript: Transcript) -> str | None:
    """The form with control tokens broken and without what addresses the grader; None when there is none.

    It is grounded once more, in the words that the rater sees: an older form may hold words that are cut now.
    """
    if profile is None:
        return None
    seen = transcript.model_copy(update={"text": impartial(transcript.text)})
    grounded, _ = ground_profile(profile, seen)
    form = {field: _harmless(value) for field, value in grounded.model_dump().items()}
    pieces = " ".join(str(each) for value in form.values() for each in _each(value))
    return json.dumps(form, ensure_ascii=False) if impartial(pieces) == neutralise(pieces) else None


def delivery_in_words(speaking: Speaking) -> str:
    """The figures of the delivery, rounded to what another container of the same sound leaves as it is.

    Seen: 209.0 words per minute made 9 of what was 4 with 209.2.
    """
    fillers = ", ".join(f"{word} {count} times" for word, count in sorted(speaking.filler_words.items()))
    pace, pauses = 5 * round(speaking.words_per_minute / 5), 5 * round(20 * speaking.pause_ratio)
    return (
        f"{speaking.speech_s:.0f} s of speech, {pace} words per minute, {pauses}% pauses, "
        f"longest pause {speaking.longest_pause_s:.0f} s, filler words: {fillers or 'none'}"
    )


def _harmless(value: Any) -> Any:
    if isinstance(value, str):
        return neutralise(value) if impartial(value) == neutralise(value) else None
    if isinstance(value, tuple):
        return [text for each in value if (text := _harmless(each))]
    return value


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
