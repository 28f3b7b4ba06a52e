"""Grounding: whether the models' values were really said. Form values are compared with the transcript,
quotes with its segments. An ungrounded value is removed from the form and put into a flag; a quote that is
not found is kept and flagged, since a person must look at a rating that rests on it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import pairwise
from typing import TypeVar

from daemon.core.content.clauses import Clause, clauses, denies
from daemon.core.content.document import Evaluation, Evidence, Flag, Profile, Transcript
from daemon.core.content.words import EMPTY_WORDS, Word, stem, telling_words, words

V = TypeVar("V")

_LIST_SHARE = 0.6  # share of a hobby's or a strength's content words that must be said
_SENTENCE_SHARE = 0.6  # the same for a goal or an experience, which models paraphrase
_PART = re.compile(r"([.;,]?\s+and\s+|[.;,]\s+)")
_BEFORE_A_COUNT = frozenset(
    "for since over of than in after during within about around last next grade class".split()
)
_TRADE = re.compile(r"(?:[eo]r|ist|ian|ant|nurse)s?$")
_PLACE_OR_FIELD = re.compile(r"(?:ry|cy|hy|gy|my|ics|ism|nce|ture)$")
_LABELS = frozenset(
    (
        "hobby hobbies strength strengths experience experiences goal goals career name age list null none "
        "student students the a my is of what work free time activity activities i have has in and"
    ).split()
)
_QUOTE_LIKENESS = 0.85  # share of a quote's words, in order, from _FUZZY_QUOTE words on
_FUZZY_QUOTE = 5


@dataclass(frozen=True, slots=True)
class SpokenWords:
    """The words of some clauses, prepared for comparisons."""

    keys: frozenset[str]
    stems: frozenset[str]
    counts: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, said: Iterable[Clause]) -> "SpokenWords":
        """The words of these clauses."""
        spoken = [clause.said for clause in said]
        keys = frozenset(word.key for each in spoken for word in each)
        return cls(
            keys, frozenset(map(stem, keys)), frozenset(count for each in spoken for count in _counts(each))
        )

    def has(self, word: Word) -> bool:
        """Whether a word was said, in any form; a number is compared by its value."""
        if word.is_number:
            return word.key in self.keys
        return (
            word.key in self.keys
            or stem(word.key) in self.stems
            or any(_kin(word.key, key) for key in self.keys)
        )

    def has_phrase(self, phrase: str, share: float) -> bool:
        """Whether `share` of a phrase's content words was said, and every number and proper name in it."""
        own = words(phrase)
        if all(word.key in _LABELS for word in own) or not self.counts.issuperset(_counts(own)):
            return False
        telling = telling_words(own)
        said = [self.has(word) for word in telling]
        precise = [word.is_number or (word.capital and word is not own[0]) for word in telling]
        return all(s for s, p in zip(said, precise, strict=True) if p) and sum(said) >= share * len(said)


def ground_profile(profile: Profile, transcript: Transcript) -> tuple[Profile, tuple[Flag, ...]]:
    """The form with only what was said, and a flag `ungrounded` for each value that was removed.

    Of a goal or an experience the parts that were said stay. Each field counts only what was said as such:
    what a student likes is no strength, and what one says of others, denies, or wants to do no experience.
    """
    said = tuple(clause for clause in clauses(transcript.text) if clause.own)
    goals, deeds = goals_in(said), deeds_in(said)
    left_out: list[tuple[str, object]] = []
    grounded = Profile(
        name=_kept("name", profile.name, _named(profile.name or "", said), left_out),
        age=_kept("age", profile.age, aged(str(profile.age), said), left_out),
        hobbies=_kept_of("hobbies", profile.hobbies, pastimes_in(said), left_out),
        career_goals=_kept_parts(
            "career_goals", profile.career_goals, lambda part: _said(part, goals, _SENTENCE_SHARE), left_out
        ),
        strengths=_kept_of("strengths", profile.strengths, strengths_in(said), left_out),
        experience=_kept_parts("experience", profile.experience, lambda part: _done(part, deeds), left_out),
    )
    flags = (Flag(code="ungrounded", field=field, detail=str(value)) for field, value in left_out)
    return grounded, tuple(flags)


def _kept(field: str, value: V | None, was_said: bool, left_out: list[tuple[str, object]]) -> V | None:
    if value is None or was_said:
        return value
    left_out.append((field, value))
    return None


def _kept_of(
    field: str, values: Sequence[str], said: Sequence[Clause], left_out: list[tuple[str, object]]
) -> tuple[str, ...]:
    kept = tuple(value for value in values if _said(value, said, _LIST_SHARE))
    left_out += [(field, value) for value in values if value not in kept]
    return kept


def _kept_parts(
    field: str, value: str | None, was_said: Callable[[str], bool], left_out: list[tuple[str, object]]
) -> str | None:
    kept, others = _said_parts(value or "", was_said)
    left_out += [(field, part) for part in others]
    return kept


def goals_in(said: Sequence[Clause]) -> tuple[Clause, ...]:
    """The clauses that may hold a goal: those that state one, else all that are not about the past."""
    return tuple(clause for clause in said if clause.goal) or tuple(c for c in said if not c.done)


def pastimes_in(said: Sequence[Clause]) -> tuple[Clause, ...]:
    """The clauses that may hold a hobby. A student who names none may mean what they say to be good at."""
    named = any(clause.leisure for clause in said)
    return tuple(c for c in said if c.leisure or not (c.goal or c.work or (named and c.strength)))


def strengths_in(said: Sequence[Clause]) -> tuple[Clause, ...]:
    """The clauses that may hold a strength: not what a student only likes or wants."""
    return tuple(c for c in said if c.strength or not (c.goal or c.leisure))


def deeds_in(said: Sequence[Clause]) -> tuple[Clause, ...]:
    """The clauses that may hold an experience."""
    return tuple(c for c in said if c.done or not (c.goal or c.leisure or c.strength))


def locate_evidence(evaluation: Evaluation, transcript: Transcript) -> tuple[Evaluation, tuple[Flag, ...]]:
    """The rating with the times of its quotes, and a flag `evidence_not_found` for each that was not said."""
    places = {each.quote: located(each.quote, transcript) for each in evaluation.evidence}
    flags = tuple(
        Flag(code="evidence_not_found", field="evidence", detail=quote)
        for quote, (_, found) in places.items()
        if not found
    )
    scores = {
        criterion: scored.model_copy(update={"quote": places[scored.quote.quote][0]})
        if scored.quote
        else scored
        for criterion, scored in evaluation.scores.items()
    }
    evidence = tuple(evidence for evidence, _ in places.values())
    return evaluation.model_copy(update={"evidence": evidence, "scores": scores}), flags


def _counts(said: Sequence[Word]) -> Iterator[tuple[str, str]]:
    """Each number with the word that it counts: six years are not six dogs."""
    for number, counted in pairwise(said):
        if number.is_number and not counted.is_number:
            yield number.key, stem(counted.key)


def _said(phrase: str, said: Sequence[Clause], share: float) -> bool:
    """Whether a phrase was said within two sentences, with the same affirmation or denial."""
    denied = denies(phrase)
    heard = [clause for clause in said if clause.negated is denied]
    numbers = sorted({clause.sentence for clause in heard})
    return any(
        SpokenWords.of(clause for clause in heard if number <= clause.sentence <= number + 1).has_phrase(
            phrase, share
        )
        for number in numbers
    )


def _said_parts(value: str, was_said: Callable[[str], bool]) -> tuple[str | None, tuple[str, ...]]:
    """The parts of a sentence that were said, each once, and the others; all of it if no part is a phrase."""
    if not value:
        return None, ()
    pieces = _PART.split(value)
    kept, left_out, seen = "", [], set[str]()
    for part, joint in zip(pieces[::2], ["", *pieces[1::2]], strict=True):
        key = " ".join(word.key for word in words(part))
        if key in seen or not key:
            continue
        seen.add(key)
        if all(word.key in EMPTY_WORDS for word in words(part)):
            continue  # "I want to", where an answer was cut
        if was_said(part):
            kept += (joint if kept else "") + part
        else:
            left_out.append(part)
    return kept or None, tuple(left_out) if kept else (value,)


def _done(part: str, deeds: Sequence[Clause]) -> bool:
    """Whether a phrase was said of the student's deeds.

    A trade may not rest on a place or a field of study: nobody is a librarian by an internship in a library.
    """
    heard = SpokenWords.of(deeds)
    telling = SpokenWords.of(
        replace(clause, said=tuple(word for word in clause.said if not _PLACE_OR_FIELD.search(word.key)))
        for clause in deeds
        if not clause.study
    )
    return _said(part, deeds, _SENTENCE_SHARE) and all(
        word.key in heard.keys or telling.has(word) or not heard.has(word)
        for word in words(part)
        if _TRADE.search(word.key)
    )


def _named(name: str, said: Sequence[Clause]) -> bool:
    """Whether a name was said, spelled as in the transcript apart from case and accents."""
    own = [word.key for word in words(name)]
    written = [word for clause in said for word in clause.said]
    capitals = {word.key for word in written if word.capital and word.key != "i"}
    proper = capitals if len(capitals) > 1 else {word.key for word in written}
    return bool(own) and set(own) <= proper


def aged(age: str, said: Sequence[Clause]) -> bool:
    """Whether a number was said that may be an age: not the years that something took."""
    for clause in said:
        keys = ["", *(word.key for word in clause.said)]
        if any(key == age and before not in _BEFORE_A_COUNT for before, key in pairwise(keys)):
            return True
    return False


def _kin(one: str, other: str) -> bool:
    """Whether two words share so long a beginning that one is derived from the other."""
    shared = next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    return shared >= 5 and shared >= 0.7 * max(len(one), len(other))


def located(quote: str, transcript: Transcript) -> tuple[Evidence, bool]:
    """The quote with its times, and whether it was said. Each part around an omission (...) must be."""
    said = [
        (word.key, index) for index, segment in enumerate(transcript.segments) for word in words(segment.text)
    ] or [(word.key, -1) for word in words(transcript.text)]
    keys = [key for key, _ in said]
    parts = [
        keyed
        for part in re.split(r"\.\.\.|…|\[\.*\]", quote)
        if (keyed := [word.key for word in words(part)])
    ]
    spans = [span for part in parts if (span := _find(part, keys)) is not None]
    if not parts or len(spans) < len(parts):
        return Evidence(quote=quote), False
    first, last = said[min(start for start, _ in spans)][1], said[max(end for _, end in spans) - 1][1]
    if first < 0:
        return Evidence(quote=quote), True
    segments = transcript.segments
    return Evidence(quote=quote, start_s=segments[first].start_s, end_s=segments[last].end_s), True


def _find(part: Sequence[str], keys: Sequence[str]) -> tuple[int, int] | None:
    """The place of the words of `part` in `keys`: exact, or for a long enough part approximate."""
    size = len(part)
    for start in range(len(keys) - size + 1):
        if list(keys[start : start + size]) == list(part):
            return start, start + size
    if size < _FUZZY_QUOTE:
        return None
    matcher = SequenceMatcher(None, autojunk=False)
    matcher.set_seq2(part)
    likeness, best = max(_windows(matcher, keys, size), default=(0.0, 0))
    return (best, min(best + size, len(keys))) if likeness >= _QUOTE_LIKENESS else None


def _windows(matcher: SequenceMatcher[str], keys: Sequence[str], size: int) -> Iterator[tuple[float, int]]:
    for start in range(max(1, len(keys) - size + 1)):
        matcher.set_seq1(keys[start : start + size])
        if matcher.quick_ratio() >= _QUOTE_LIKENESS:
            yield matcher.ratio(), start
