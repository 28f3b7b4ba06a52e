"""The clauses of a transcript: of the student or another person, affirmed or denied, goal or fact.

A spoken word alone says little about what was meant: "I do not like football" names no hobby, and
"my brother is a nurse" is no experience of the student.
"""

import re
from dataclasses import dataclass

from daemon.core.content.words import Word, words

_SENTENCE = re.compile(r"(?<=[.!?…])\s+")
_CLAUSE = re.compile(
    r"\s*[;:]\s+|,\s+(?=(?:but|and|so|because|which|although|though|while|then|after|before)\b)"
    r"|,?\s+(?=(?:but|although|though|because|while|whereas)\b)"
    r"|,?\s+(?=(?:and|so|then)\s+(?:i|we|my|our|it|he|she|they)\b)|,\s+(?=(?:i|we|my|our|he|she|they)\b)",
    re.IGNORECASE,
)
_NO = frozenset(
    "no not never dont doesnt didnt cannot cant couldnt wont wouldnt isnt arent wasnt werent havent hasnt "
    "hadnt neither nor none nobody nothing hate hated dislike disliked hardly".split()
)
_NO_INDEED = re.compile(
    r"\b(?:not only|not just|no doubt|never (?:get )?tired|(?:can['’]t|cannot|can not) "
    r"(?:stop|live without|wait)|why not|no matter|not to mention)\b",
    re.IGNORECASE,
)
_GOAL = re.compile(
    r"\b(?:want(?:s|ed)? to|would (?:like|love)|['’]d (?:like|love)|hop(?:e|es|ing) (?:to|for|that)|"
    r"wish|dream\w*|goals?|aims?|ambition|plan(?:s|ning)? (?:to|on)|intend|aspir\w*|future|one day|"
    r"someday|will|going to|see myself|look(?:ing)? forward|career|become|target)\b",
    re.IGNORECASE,
)
_DONE = re.compile(
    r"\b(?:worked|have been|(?:have|has|had) (?:\w+ed|written|taught|led|built|made|run|taken|done)|managed|"
    r"volunteered|volunteer|was|were|helped|taught|built|wrote|led|sold|interned|internship|employed)\b",
    re.IGNORECASE,
)
_LEISURE = re.compile(
    r"\b(?:hobb\w+|free time|weekends?|enjoy|strengths?|(?:i|we) (?:also |really )?(?:like|love))\b",
    re.IGNORECASE,
)
_OTHERS = re.compile(
    r"^(?:(?:and|but|so|because|also|while|then)\s+)*(?:(?:my|our|his|her|the)\s+(?:\w+\s+)?"
    r"(?:father|mother|dad|mom|mum|brother|sister|uncle|aunt|cousin|grandfather|grandmother|grandma|grandpa|parents?|friends?|family|son|"
    r"daughter|husband|wife|boss|neighbou?r|roommate)s?(?:['’]s)?|he|she|they)\b",
    re.IGNORECASE,
)
_SELF = re.compile(r"\b(?:i|i['’]\w+|me|myself|we|us)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause. `sentence` is the number of its sentence, `own` says that it is about the student.

    `goal`, `done` and `leisure` say what its words are about; several may be true, or none.
    """

    said: tuple[Word, ...]
    sentence: int
    negated: bool
    own: bool
    goal: bool
    done: bool
    leisure: bool


def clauses(text: str) -> tuple[Clause, ...]:
    """The clauses of a text, in order."""
    return tuple(
        _clause(part, number)
        for number, sentence in enumerate(_SENTENCE.split(text.strip()))
        for part in _CLAUSE.split(sentence)
        if part.strip()
    )


def denies(text: str) -> bool:
    """Whether a text denies something."""
    return any(word.key in _NO for word in words(_NO_INDEED.sub(" ", text)))


def _clause(part: str, sentence: int) -> Clause:
    another = _OTHERS.match(part)
    return Clause(
        said=tuple(words(part)),
        sentence=sentence,
        negated=denies(part),
        own=another is None or _SELF.search(part, another.end()) is not None,
        goal=_GOAL.search(part) is not None,
        done=_DONE.search(part) is not None,
        leisure=_LEISURE.search(part) is not None,
    )
