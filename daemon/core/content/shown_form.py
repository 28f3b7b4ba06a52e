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
    """The delivery as a listener could tell it: only what is out of the ordinary.

    Another container or bit rate of the same sound moves a figure by some 2 %, and whatever it is rounded to
    has borders. So these lie where few speakers are. Seen: 209.0 words per minute made 9 of what was 4 with
    209.2.
    """
    fillers = sum(speaking.filler_words.values())
    a_minute = 60 * fillers / max(speaking.speech_s, 1.0)
    told = (
        _band(speaking.words_per_minute, "slow pace", (90, "usual pace"), (230, "fast pace")),
        _band(speaking.pause_ratio, "usual pauses", (0.4, "many pauses")),
        _band(speaking.longest_pause_s, "no long pause", (3, "a long pause")),
        _band(a_minute, "few filler words", (8, "many filler words")) if fillers else "no filler words",
    )
    return ", ".join(told)


def _band(figure: float, lowest: str, *higher: tuple[float, str]) -> str:
    """The words of the highest band that the figure reaches."""
    return next((words for least, words in reversed(higher) if figure >= least), lowest)


def _harmless(value: Any) -> Any:
    if isinstance(value, str):
        return neutralise(value) if impartial(value) == neutralise(value) else None
    if isinstance(value, tuple):
        return [text for each in value if (text := _harmless(each))]
    return value


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
