"""Where each value of the form was said: the clause with its seconds.

A value is placed by the rules that let it stay in the form, so that a hobby is not found in a goal.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from daemon.core.content.clauses import Clause, clauses, denies
from daemon.core.content.document import Evidence, Profile, Transcript
from daemon.core.content.grounding import SpokenWords, aged, deeds_in, goals_in, pastimes_in, strengths_in
from daemon.core.content.sentences import sentences
from daemon.core.content.words import telling_words, words

_CLAUSES_FOR: Mapping[str, Callable[[Sequence[Clause]], tuple[Clause, ...]]] = {
    "hobbies": pastimes_in,
    "career_goals": goals_in,
    "strengths": strengths_in,
    "experience": deeds_in,
}


@dataclass(frozen=True, slots=True)
class _Place:
    """A clause, or a part of a long one, with its words for comparisons."""

    clause: Clause
    spoken: SpokenWords
    evidence: Evidence


def profile_places(profile: Profile | None, transcript: Transcript | None) -> dict[str, tuple[Evidence, ...]]:
    """The places of each field's values, in their order; without the fields that have none.

    A value of which no word is in the transcript stands as its own quote, without times.
    """
    if profile is None or transcript is None:
        return {}
    places = tuple(_places(transcript))
    own = [place.clause for place in places if place.clause.own]
    found = {}
    for field, value in profile.model_dump().items():
        values = [str(each) for each in (value if isinstance(value, tuple) else (value,)) if each is not None]
        if values:
            if field == "age":
                counting = frozenset(clause for clause in own if aged(values[0], [clause]))
            else:
                counting = frozenset(_CLAUSES_FOR.get(field, tuple)(own))
            found[field] = tuple(_place(each, places, counting) for each in values)
    return found


def _place(value: str, places: Sequence[_Place], counting: frozenset[Clause]) -> Evidence:
    """The first place that says most of the value, if possible one where such a value counts."""
    telling, denied = telling_words(words(value)), denies(value)

    def rank(place: _Place) -> tuple[bool, bool, int]:
        said = sum(map(place.spoken.has, telling))
        return said > 0, place.clause in counting and place.clause.negated is denied, said

    best = max(places, key=rank, default=None)
    return best.evidence if best is not None and rank(best)[0] else Evidence(quote=value)


def _places(transcript: Transcript) -> Iterator[_Place]:
    """The clauses with the times of the segments that they lie in."""
    segments = [segment for segment in transcript.segments if segment.text.split()]
    texts = [" ".join(segment.text.split()) for segment in segments] or [" ".join(transcript.text.split())]
    ends = list(accumulate(len(text) + 1 for text in texts))  # each with the space behind it
    whole, end = " ".join(texts), 0
    for clause in clauses(whole):
        for text in sentences(clause.text):
            begin = whole.index(text, end)
            end = begin + len(text)
            evidence = Evidence(quote=text)
            if segments:
                first, last = segments[bisect_right(ends, begin)], segments[bisect_right(ends, end - 1)]
                evidence = Evidence(quote=text, start_s=first.start_s, end_s=last.end_s)
            part = replace(clause, text=text, said=tuple(words(text)))
            yield _Place(part, SpokenWords.of([part]), evidence)
