"""A page for one student: what was heard, what was made of it, and how to have a person look at it."""

import re
from bisect import bisect_left
from collections.abc import Iterator

from daemon.core.content.document import CRITERIA, Evaluation, Evidence, Result, Segment, Speaking
from daemon.core.content.reasons import IN_WORDS
from daemon.core.exports.members import ClassMember
from daemon.core.tasks.task import Outcome, Stage
from daemon.publishing.pages import clock, in_words, page

MOST_BYTES = 60_000
"""The size that a page stays below."""

_FOR_STUDENTS = (
    *("audio_track", "demo_model", "dropped_segments", "end_missing", "low_confidence", "mixed_language"),
    *("not_for_grades", "one_channel", "quiet", "skipped_packets", "ungrounded"),
)
"""The flags that say how far the page can be relied on. The others are for the lab, and some name another."""

_LANGUAGE = re.compile(r"[a-z]{2,3}")
_UNWORKED = (
    "The lab's machine could not work on the video, which need not be your fault. Ask before you record again"
)


def has_page(member: ClassMember) -> bool:
    """Whether a student gets a page: the result is released, or tells what to do as it could not be rated."""
    result = member.result
    unrated = result is not None and result.outcome in (Outcome.UNSCORABLE, Outcome.FAILED)
    return member.released or unrated


def student_page(member: ClassMember, class_name: str, contact: str) -> bytes:
    """The page of a student that has one. `contact` says in a sentence whom to ask for a person's look.

    It is smaller than MOST_BYTES: of a transcript that is too long for it the end is left out.
    """
    result = member.result
    assert result is not None
    rating = result.evaluation if member.released else None
    codes = {flag.code for flag in result.flags}
    values = {
        "class_name": class_name,
        "name": member.name,
        "student": member.student,
        "late": member.standing.late,
        "handed_in": result.source.uploaded_at[:16].replace("T", " ") + " UTC",
        "result": result,
        "contact": contact,
        "next": "" if rating else _next(result),
        "changed": list(_changed(result)),
        "ratings": list(_ratings(rating)) if rating else [],
        "quotes": [quote for quote in rating.evidence if _said(quote)] if rating else [],
        "notes": [_sentence(IN_WORDS[code]) for code in _FOR_STUDENTS if code in codes],
        "form": list(_form(result)),
        "speaking": list(_speaking(result.speaking)) if result.speaking else [],
        "language": _language(result),
    }
    heard = [(segment.start_s, segment.text.strip()) for segment in _segments(result)]
    return _fitting(values, heard)


def _fitting(values: dict[str, object], heard: list[tuple[float, str]]) -> bytes:
    """The page with as much of the transcript as fits."""
    whole = page("student.html.j2", **values, heard=heard, cut=False)
    if len(whole) < MOST_BYTES:
        return whole

    def cut(count: int) -> bytes:
        return page("student.html.j2", **values, heard=heard[:count], cut=True)

    fits = bisect_left(range(len(heard)), MOST_BYTES, key=lambda count: len(cut(count)))
    return cut(max(fits - 1, 0))


def _next(result: Result) -> str:
    """What happened, and what to do: what an engine says is for the lab, and not for students."""
    error = result.error
    if error is None:
        return _sentence(_UNWORKED)
    is_of_recording = error.stage in (None, Stage.STT.value)
    return _sentence(error.message if is_of_recording else _UNWORKED)


def _ratings(rating: Evaluation) -> Iterator[tuple[str, int, Evidence | None]]:
    for criterion in CRITERIA:
        scored = rating.scores.get(criterion)
        yield in_words(criterion), getattr(rating, criterion), _said(scored.quote if scored else None)


def _changed(result: Result) -> Iterator[tuple[str, object]]:
    """What the model had where a person put something else."""
    for path, before in (result.decision.before if result.decision else {}).items():
        value = "; ".join(map(str, before)) if isinstance(before, list) else before
        yield in_words(path.partition(".")[2]), "not given" if value in (None, "") else value


def _said(quote: Evidence | None) -> Evidence | None:
    """A quote that is in the transcript."""
    return quote if quote and quote.start_s is not None else None


def _form(result: Result) -> Iterator[tuple[str, str, str]]:
    """The fields of the form that have a value, and when it was said."""
    for field, value in result.profile or ():
        if value in (None, "", ()):
            continue
        quotes = result.profile_evidence.get(field, ())
        said = [clock(quote.start_s) for quote in quotes if quote.start_s is not None]
        text = "; ".join(value) if isinstance(value, tuple) else str(value)
        yield in_words(field), text, ", ".join(dict.fromkeys(said))


def _speaking(figures: Speaking) -> Iterator[tuple[str, str]]:
    yield "Speech", f"{figures.speech_s:.0f} seconds"
    yield "Speed", f"{figures.words_per_minute:.0f} words a minute"
    yield "Pauses", f"{figures.pause_ratio:.0%} of the time"
    yield "Longest pause", f"{figures.longest_pause_s:.1f} seconds"
    fillers = [f"{word} ({count})" for word, count in figures.filler_words.items()]
    yield "Filler words", ", ".join(fillers) or "none"


def _segments(result: Result) -> tuple[Segment, ...]:
    return result.transcript.segments if result.transcript else ()


def _language(result: Result) -> str:
    language = (result.transcript and result.transcript.language) or ""
    return language if _LANGUAGE.fullmatch(language) else ""


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."
