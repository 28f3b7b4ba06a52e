"""The changes of an introduction that leave its content: how a thing is said, or heard, and by whom.

Seven kinds; errors of hearing come in three strengths, so that a card has nine rows. Each change gives the
same for the same seed, and None for an introduction that has nothing to change.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from daemon.core.content.document import Profile, Speaking
from daemon.core.content.speaking import filler_words, word_count
from daemon.core.content.words import Word, stem, words
from daemon.core.fairness import phrasing
from daemon.core.fairness.draws import number, shuffled

_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_SPOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_GOES_BACK = re.compile(
    r"(?:it|its|this|that|these|those|they|he|she|there|then|so|but|and|also|because|later|once)\b",
    re.IGNORECASE,
)
_FILLED = 0.10
"""Filler words by words spoken: more than in conversation, where Bortfeld et al. (2001) found 6 %."""
_PADDED = 4
"""Sentences of padding."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a rater is asked about: the words, the form, and the figures of the delivery."""

    text: str
    profile: Profile | None
    speaking: Speaking


@dataclass(frozen=True, slots=True)
class Variation:
    """One row of the card. `title` has at most 11 characters; `cause` begins a sentence about its effect."""

    title: str
    cause: str
    make: Callable[[Introduction, str], Introduction | None]


def _non_native(said: Introduction, seed: str) -> Introduction | None:
    """Function words as learners of English use them."""
    return _said(said, _replaced(said.text, phrasing.NON_NATIVE))


def _informal(said: Introduction, seed: str) -> Introduction | None:
    """Spoken as among friends: short forms, and every second sentence with an opener."""
    sentences = _SENTENCE.split(_replaced(said.text, phrasing.INFORMAL))
    for at in range(1, len(sentences), 2):
        opener = phrasing.OPENERS[number(f"{seed} {at}", len(phrasing.OPENERS))]
        sentences[at] = f"{opener} {_inner(sentences[at])}"
    return _said(said, " ".join(map(_capital, sentences)))


def _misheard(share: float, said: Introduction, seed: str) -> Introduction | None:
    """Exactly this share of the words, rounded, replaced by words that sound alike.

    The words that the form rests on, names and numbers stay, since they are content.
    """
    places = list(re.finditer(r"\S+", said.text))
    wanted = round(share * len(places))
    needed = _needed(said)
    free = [match for match in places if _is_free(match, needed, said.text)]
    chosen = shuffled(seed, free)[:wanted]
    if not wanted or len(chosen) < wanted:
        return None
    text = said.text
    for match in sorted(chosen, key=re.Match.start, reverse=True):
        heard = _SPOKEN.sub(lambda word: phrasing.misheard(word.group()), match.group(), count=1)
        text = text[: match.start()] + heard + text[match.end() :]
    return _said(said, text)


def _renamed(said: Introduction, seed: str) -> Introduction | None:
    """An invented name of another origin, in the words and in the form."""
    parts = ((said.profile and said.profile.name) or "").split()
    if said.profile is None or not parts:
        return None
    known = [names for names in phrasing.NAMES if not set(names) & set(parts)]
    given, family = known[number(seed, len(known))]
    other = dict.fromkeys(parts[1:], family) | {parts[0]: given}
    name = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(other, key=len, reverse=True)))})\b")
    text = name.sub(lambda match: other[match.group()], said.text)
    renamed = _said(said, text)
    if renamed is None:
        return None
    profile = said.profile.model_copy(update={"name": given if len(parts) == 1 else f"{given} {family}"})
    return Introduction(renamed.text, profile, renamed.speaking)


def _padded(said: Introduction, seed: str) -> Introduction | None:
    """Four sentences that tell nothing, between the others and at the end."""
    sentences = _SENTENCE.split(said.text)
    for sentence in shuffled(seed, phrasing.PADDING)[:_PADDED]:
        sentences.insert(1 + number(f"{seed} {sentence}", len(sentences)), sentence)
    return _said(said, " ".join(sentences))


def _reordered(said: Introduction, seed: str) -> Introduction | None:
    """The first sentence, and then the others in another order; one that goes back to the one before it
    stays behind it.
    """
    blocks: list[str] = []
    for sentence in _SENTENCE.split(said.text):
        if blocks and _GOES_BACK.match(sentence):
            blocks[-1] += f" {sentence}"
        else:
            blocks.append(sentence)
    first, *rest = blocks
    order = shuffled(seed, rest)
    if order == rest:
        order = [*rest[1:], *rest[:1]]
    return _said(said, " ".join([first, *order]))


def _filled(said: Introduction, seed: str) -> Introduction | None:
    """One filler word for ten words. None stands in a name, or between a number and what it counts."""
    spoken = said.text.split()
    fits = [at for at in range(1, len(spoken)) if _takes_filler(spoken[at - 1], spoken[at])]
    wanted = round(_FILLED * len(spoken))
    for at in sorted(shuffled(seed, fits)[:wanted], reverse=True):
        filler = phrasing.FILLERS[number(f"{seed} {at}", len(phrasing.FILLERS))]
        spoken[at - 1 : at] = [f"{spoken[at - 1].rstrip(',')},", f"{filler},"]
    return _said(said, " ".join(spoken)) if wanted <= len(fits) else None


CHANGES: Mapping[str, Variation] = {
    "non_native": Variation("non-native", "non-native phrasing", _non_native),
    "informal": Variation("informal", "informal phrasing", _informal),
    "heard_5": Variation("heard 5%", "mishearing of 5 % of the words", partial(_misheard, 0.05)),
    "heard_10": Variation("heard 10%", "mishearing of 10 % of the words", partial(_misheard, 0.10)),
    "heard_20": Variation("heard 20%", "mishearing of 20 % of the words", partial(_misheard, 0.20)),
    "name": Variation("other name", "another name", _renamed),
    "padding": Variation("padding", "padding", _padded),
    "order": Variation("order", "another order of sentences", _reordered),
    "fillers": Variation("fillers", "filler words", _filled),
}
"""The changes by their keys, in the order of a card's rows."""


def changed(said: Introduction, change: str) -> Introduction | None:
    """The introduction after a change, the same each time; None where nothing can be changed."""
    said = replace(said, text=" ".join(said.text.split()))
    return CHANGES[change].make(said, f"{change} {said.text}") if said.text else None


def _said(before: Introduction, text: str) -> Introduction | None:
    """The introduction in other words, at the same pace and with the same pauses."""
    if text == before.text:
        return None
    share = word_count(text) / max(1, word_count(before.text))
    speaking = before.speaking.model_copy(
        update={
            "speech_s": round(before.speaking.speech_s * share, 2),
            "filler_words": filler_words(text),
        }
    )
    return Introduction(text, before.profile, speaking)


def _replaced(text: str, table: tuple[tuple[str, str], ...]) -> str:
    for pattern, other in table:
        text = re.sub(pattern, other, text, flags=re.IGNORECASE)
    return " ".join(map(_capital, _SENTENCE.split(text)))


def _needed(said: Introduction) -> frozenset[str]:
    """The stems of the words that the form rests on."""
    form = said.profile.model_dump() if said.profile else {}
    values = [value for value in form.values() if value]
    told = " ".join(" ".join(value) if isinstance(value, tuple) else str(value) for value in values)
    return frozenset(stem(word.key) for word in words(told)) - phrasing.FUNCTION_WORDS


def _is_free(match: re.Match[str], needed: frozenset[str], text: str) -> bool:
    """Whether a word is no number, no name, and none that the form rests on."""
    begins = match.start() == 0 or text[: match.start()].rstrip()[-1] in ".!?"
    for word in words(match.group()):
        named = word.capital and not begins and word.key not in phrasing.FUNCTION_WORDS
        if word.is_number or named or stem(word.key) in needed:
            return False
    return _SPOKEN.match(match.group().lstrip("\"'(")) is not None


def _takes_filler(before: str, after: str) -> bool:
    said: list[Word] = words(before)
    between = before[-1] not in ".!?" and not after[0].isupper() and not any(word.is_number for word in said)
    # Beside a pause "I like" would be counted as a filler itself.
    return between and not {word.key for word in (*said, *words(after))} & {"like", "know", "mean"}


def _inner(sentence: str) -> str:
    """A sentence as it goes on after an opener."""
    first = sentence.split(maxsplit=1)[0]
    is_name = first[0] == "I" and not first[1:2].isalpha()
    return sentence if is_name else sentence[:1].lower() + sentence[1:]


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
